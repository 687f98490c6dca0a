"""Classmates: with the setting a student sees their names, and nothing else of them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import Gateway, Joins, Upstream
from tests.visibility.conftest import WAYS, district_of, gateway_for_people, jwt_of
from tests.visibility.oracle import Visible

PERSON = (
    "cleverId name { last } roles email created lastModified lmsStatus { syncedInLms } "
    "student { grade dob } schools { nodes { cleverId } } sections { nodes { cleverId } }"
)


@pytest.fixture(scope="module", params=WAYS)
def origin(upstream: Upstream, keys: str, request: pytest.FixtureRequest) -> Iterator[str]:
    with gateway_for_people(upstream, keys, classmates=True, engine=request.param) as origin:
        yield origin


async def ask(origin: str, upstream: Upstream, person: str, document: str) -> Any:
    async with httpx.AsyncClient(base_url=origin, timeout=30) as http:
        return (await Gateway(origin, upstream, http).query(document, token=jwt_of(person, district_of(upstream)))).body


async def test_a_student_sees_the_names_of_classmates_alone(
    origin: str, upstream: Upstream, ids: dict[str, str], joins: Joins
) -> None:
    me = ids["student"]
    seen = Visible(upstream, me, classmates=True)
    assert len(seen.names_only) > 10
    answer = await ask(origin, upstream, me, f"{{ users(first: 10000) {{ totalCount nodes {{ {PERSON} }} }} }}")

    rows = {row["cleverId"]: row for row in answer["data"]["users"]["nodes"]}
    assert sorted(rows) == sorted(seen.users)
    assert answer["data"]["users"]["totalCount"] == len(seen.users)
    for key in seen.names_only:
        assert rows[key] == {
            "cleverId": key,
            "name": {"last": joins.users[key]["name"]["last"]},
            "roles": ["STUDENT"],
            **dict.fromkeys(
                ("email", "created", "lastModified", "lmsStatus", "student", "schools", "sections"),
            ),
        }
    assert rows[me]["student"]["grade"] is not None
    assert rows[me]["email"] == (joins.users[me].get("email") or None)
    forbidden = {tuple(key for key in error["path"] if isinstance(key, str)) for error in answer["errors"]}
    assert forbidden == {
        ("users", "nodes", name)
        for name in ("email", "created", "lastModified", "lmsStatus", "student", "schools", "sections")
    }
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}


async def test_the_students_of_a_section_are_its_classmates(
    origin: str, upstream: Upstream, ids: dict[str, str]
) -> None:
    seen = Visible(upstream, ids["student"], classmates=True)
    document = (
        "{ sections { nodes { cleverId students(first: 1000) { totalCount nodes { cleverId name { first } } } } } }"
    )
    answer = await ask(origin, upstream, ids["student"], document)

    assert "errors" not in answer
    for section in answer["data"]["sections"]["nodes"]:
        wanted = seen.section_users(section["cleverId"], "student")
        assert [row["cleverId"] for row in section["students"]["nodes"]] == wanted
        assert section["students"]["totalCount"] == len(wanted)


async def test_a_teacher_sees_what_a_teacher_sees(origin: str, upstream: Upstream, ids: dict[str, str]) -> None:
    answer = await ask(origin, upstream, ids["teacher"], f"{{ users(first: 10000) {{ nodes {{ {PERSON} }} }} }}")
    assert {row["cleverId"] for row in answer["data"]["users"]["nodes"]} == set(Visible(upstream, ids["teacher"]).users)
    assert [error["path"][-1] for error in answer["errors"]] == ["dob"]
