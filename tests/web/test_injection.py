"""Ids and cursors are checked where they enter: none of what a caller makes up reaches a path or a query of Clever's."""

import base64
import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.resilience.faulty import Faulty
from tests.resilience.fixtures import faulty, faulty_server
from tests.resilience.roster import MATH, NORTH, STUDENTS
from tests.servers import running

__all__ = ["faulty", "faulty_server"]

HOSTILE = [
    "last",
    "me",
    "../me",
    "..%2fme",
    "%2e%2e/me",
    "x&limit=1",
    "x?limit=1",
    "x#y",
    f"{NORTH}/users",
    f"{NORTH}?limit=1",
    f"{NORTH}&count=true",
    f"{NORTH}\n",
    f" {NORTH}",
    f"{NORTH[:-1]}g",
    f"{NORTH}0",
    NORTH[:-1],
    "\u0660" * 24,
    "\uff10" * 24,
    "\uff41" * 24,
    "\0",
    f"{NORTH[:-1]}\0",
    "\r\nx-injected: 1",
    "{id}",
    "0" * 10_000,
    "é",
    "🎒",
]
LOOK_UPS = {
    "school": "School",
    "section": "Section",
    "course": "Course",
    "term": "Term",
    "user": "User",
    "resource": "Resource",
    "district": "District",
}
CONNECTIONS = {
    "users": "User",
    "schools": "School",
    "sections": "Section",
    "courses": "Course",
    "terms": "Term",
    "resources": "Resource",
}
# What a gateway may send, whoever asks: ids as Clever makes them, numbers, and words of its own.
SOUND = re.compile(
    r"/[a-z]+(/[0-9a-f]{24}(/[a-z]+)?)?"
    r"(\?(role=[a-z_]+|primary=true|count=true|limit=\d+|starting_after=[0-9a-f]{24}|ending_before=([0-9a-f]{24}|last))"
    r"(&(primary=true|limit=\d+|starting_after=[0-9a-f]{24}|ending_before=([0-9a-f]{24}|last)))*)?"
)


@pytest.fixture(scope="module")
def origin(faulty_server: Faulty) -> Iterator[str]:
    settings = Settings(clever_url=faulty_server.origin, cache=False, log_level="error")
    with running(create_app(settings)) as origin:
        yield origin


@pytest.fixture
async def http(origin: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=origin, headers={"authorization": "Bearer a-token"}, timeout=30) as http:
        yield http


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def refused(http: httpx.AsyncClient, query: str, value: str) -> list[str]:
    """Return the codes of the errors of a query with one value for its variable; no field may have data."""
    answer = await http.post("/graphql", json={"query": query, "variables": {"it": value}})
    body = answer.json()
    assert [one for one in body["data"].values() if one not in (None, [None])] == []
    return [error["extensions"]["code"] for error in body["errors"]]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[:30])
async def test_no_id_that_is_made_up_reaches_clever(http: httpx.AsyncClient, faulty: Faulty, value: str) -> None:
    fields = [f"{name}(id: $it) {{ id }}" for name in ("node", *LOOK_UPS)]
    fields += ["nodes(ids: [$it]) { id }", "usersById(ids: [$it]) { id }"]
    query = f"query ($it: ID!) {{ {' '.join(fields)} }}"
    for spelled in (value, *(encoded(f"{name}:{value}") for name in ("User", "District", "Nothing"))):
        codes = await refused(http, query, spelled)
        assert codes == ["BAD_USER_INPUT"] * len(fields)

    assert faulty.targets == []


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[:30])
@pytest.mark.parametrize("argument", ["after", "before"])
async def test_no_cursor_that_is_made_up_reaches_clever(
    http: httpx.AsyncClient, faulty: Faulty, argument: str, value: str
) -> None:
    count = "first" if argument == "after" else "last"
    fields = [f"{name}({count}: 1, {argument}: $it) {{ nodes {{ id }} }}" for name in CONNECTIONS]
    query = f"query ($it: String) {{ {' '.join(fields)} }}"
    for spelled in (value, encoded(f"after:User:{value}"), encoded(f"after:Nothing:{value}"), encoded(value)):
        codes = await refused(http, query, spelled)
        assert codes == ["BAD_USER_INPUT"] * len(fields)

    assert faulty.targets == []


async def test_below_a_record_neither_and_what_is_sent_is_always_sound(http: httpx.AsyncClient, faulty: Faulty) -> None:
    query = f"""query ($it: String) {{
        school(id: "{NORTH}") {{ cleverId sections(after: $it) {{ totalCount }} students(before: $it, last: 1) {{ totalCount }} }}
        section(id: "{MATH}") {{ students(after: $it) {{ nodes {{ name {{ last }} }} }} }}
        user(id: "{STUDENTS[0]}") {{ contacts(after: $it) {{ totalCount }} }}
    }}"""
    for value in HOSTILE:
        answer = await http.post("/graphql", json={"query": query, "variables": {"it": value}})
        assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {"BAD_USER_INPUT"}
    sound = f"""{{ school(id: "{NORTH}") {{ name students(first: 1) {{ totalCount nodes {{ name {{ last }} }} }} }}
        users(last: 1, role: STUDENT) {{ nodes {{ name {{ last }} }} pageInfo {{ startCursor }} }} }}"""
    assert "errors" not in (await http.post("/graphql", json={"query": sound})).json()

    assert faulty.targets
    assert [target for target in faulty.targets if not SOUND.fullmatch(target)] == []
