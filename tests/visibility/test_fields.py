"""Sensitive fields: read by whom the table grants them, else null and told once a field, in both ways of executing."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Gateway
from tests.visibility.conftest import People
from tests.visibility.oracle import Visible
from tests.visibility.test_matrix import ROLES

FIELDS = {
    "dob": "dob",
    "race": "race",
    "hispanicEthnicity": "hispanicEthnicity",
    "homeLanguage": "homeLanguage",
    "homeLanguageCode": "homeLanguageCode",
    "ellStatus": "ellStatus",
    "iepStatus": "iepStatus",
    "section504Status": "section504Status",
    "frlStatus": "frlStatus",
    "disability": "disability { status type code }",
    "location": "location { address city }",
    "credentials": "credentials { districtUsername }",
    "ext": "ext",
}
OPEN = "sisId studentNumber grade gender graduationYear"
EVERYTHING = f"cleverId email name {{ last }} student {{ {OPEN} {' '.join(FIELDS.values())} }} " + (
    "teacher { title credentials { districtUsername } ext } staff { title credentials { districtUsername } ext }"
)


@pytest.fixture
async def truth(gateway: Gateway) -> dict[str, Any]:
    answer = await gateway.query(f"{{ users(first: 10000) {{ nodes {{ {EVERYTHING} }} }} }}")
    return {user["cleverId"]: user for user in answer.data["users"]["nodes"]}


@pytest.mark.parametrize("role", ROLES)
async def test_what_is_granted_is_there_and_what_is_not_is_told_once(
    people: People, ids: dict[str, str], seen_by: Callable[[str], Visible], truth: dict[str, Any], role: str
) -> None:
    seen = seen_by(ids[role])
    answer = await people.ask(ids[role], f"{{ users(first: 10000) {{ nodes {{ {EVERYTHING} }} }} }}")

    wanted, forbidden = {}, set()
    for key in seen.users:
        wanted[key] = {**truth[key]}
        for facet in ("student", "teacher", "staff"):
            if truth[key][facet] is not None:
                names = [name for name in truth[key][facet] if name in FIELDS and name not in seen.granted.get(key, ())]
                wanted[key][facet] = {**truth[key][facet], **dict.fromkeys(names)}
                forbidden |= {(facet, name) for name in names}
    rows = answer.body["data"]["users"]["nodes"]
    assert {row["cleverId"]: row for row in rows} == wanted
    errors = answer.body.get("errors", [])
    assert {error["extensions"]["code"] for error in errors} <= {"FORBIDDEN"}
    paths = [tuple(key for key in error["path"] if isinstance(key, str)) for error in errors]
    assert sorted(paths) == sorted(("users", "nodes", *field) for field in forbidden)
    for error in errors:
        facet = rows[error["path"][2]][error["path"][3]]
        assert facet[error["path"][4]] is None


async def test_both_ways_answer_alike(clients: dict[str, People], ids: dict[str, str]) -> None:
    document = f"{{ viewer {{ user {{ {EVERYTHING} }} }} sections {{ nodes {{ students {{ nodes {{ {EVERYTHING} " + (
        "contacts { nodes { contact { phone } } } } } teachers { name { last } teacher { ext } } } } }"
    )
    for role in ("student", "contact", "teacher"):
        person = ids[role]
        compiled, interpreted = [await one.ask(person, document) for one in clients.values()]
        assert compiled.body["data"] == interpreted.body["data"]

        def told(body: Any) -> list[str]:
            return sorted(str((one["path"], one["message"], one["extensions"])) for one in body.get("errors", ()))

        assert told(compiled.body) == told(interpreted.body)


async def test_permissions_name_what_may_be_read(people: People, ids: dict[str, str]) -> None:
    answer = await people.ask(ids["teacher"], "{ viewer { user { cleverId } roles permissions } }")
    assert answer.data["viewer"] == {
        "user": {"cleverId": ids["teacher"]},
        "roles": ["TEACHER"],
        "permissions": [
            "read:contacts",
            "read:credentials",
            "read:ell",
            "read:home-language",
            "read:iep",
            "read:section-504",
        ],
    }
    answer = await people.ask(ids["district_admin"], "{ viewer { permissions } }")
    assert {"explain", "refresh", "read:dob", "read:frl"} < set(answer.data["viewer"]["permissions"])
