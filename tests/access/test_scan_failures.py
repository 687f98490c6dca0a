"""A scan that Clever refuses or that fails costs calls, never the answer."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

import httpx
import msgspec
import pytest

from gateway.access.executor import Access
from gateway.access.source import Source
from gateway.access.wants import Rows, Want, Window, want
from gateway.clever import catalogue
from gateway.clever.allowance import Allowance
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import SECTIONS, USERS, Selection
from gateway.clever.client import CleverClient, ClientLimits
from gateway.clever.retry import Backoff
from gateway.identity import Tenant
from gateway.sandbox import SandboxApp, create_app
from tests.access.test_paths import ids, parents

TOKEN = "TEST_TOKEN"
Fault = Callable[[str], bool]


@cache
def rosters() -> list[Want]:
    """Return the wish for the students of every section."""
    return [want(catalogue.SECTION_USERS, one, Window(100), Selection("student")) for one in parents(1, SECTIONS)]


class Faulty:
    """A sandbox some of whose lists fail."""

    def __init__(self, sandbox: SandboxApp, fails: Fault, status: int) -> None:
        self.sandbox, self.fails, self.status = sandbox, fails, status
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        self.asked.append(target)
        if self.fails(target):
            await send({"type": "http.response.start", "status": self.status, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self.sandbox(scope, receive, send)


class Hanging(Faulty):
    """A sandbox some of whose lists never come."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.fails(f"{scope['path']}?{scope['query_string'].decode()}"):
            await asyncio.Event().wait()
        await super().__call__(scope, receive, send)


async def rosters_from(upstream: Faulty) -> list[Rows | Exception]:
    limits = ClientLimits(backoff=Backoff(tries=2, first_s=0))
    transport = httpx.ASGITransport(upstream)
    async with CleverClient("http://sandbox", "v3.1", limits=limits, transport=transport) as client:
        found = await Access(Source(client), Tenant(TOKEN), Allowance(30, 500)).rows(rosters())
        return [found[one] for one in rosters()]


def users_list(target: str) -> bool:
    return target.startswith("/v3.1/users?") and "count" not in target


@pytest.mark.parametrize(
    ("fails", "status"),
    [
        (lambda target: False, 200),
        (users_list, 500),
        (users_list, 404),
        (users_list, 413),
        (lambda target: target.startswith("/v3.1/users?"), 500),
        (lambda target: target.startswith(("/v3.1/users?", "/v3.1/schools/")), 500),
    ],
    ids=["nothing fails", "the list fails", "no access", "refused", "the size fails, too", "school lists, too"],
)
async def test_rosters_are_the_same_whatever_list_fails(fails: Fault, status: int) -> None:
    sandbox = create_app("tiny", 1, districts=1, rate_limit=None)
    records = sandbox.records(TOKEN)
    expected = [
        sorted(key for key in set(records["sections"][one.parent_id or ""]["students"]) if key in records["users"])
        for one in rosters()
    ]
    found = await rosters_from(Faulty(sandbox, fails, status))

    assert [ids(rows)[0] for rows in found] == expected


async def test_a_list_that_hangs_leaves_time_for_the_links() -> None:
    upstream = Hanging(create_app("tiny", 1, districts=1, rate_limit=None), users_list, 200)
    transport = httpx.ASGITransport(upstream)
    async with CleverClient("http://sandbox", "v3.1", transport=transport) as client:
        found = await Access(Source(client), Tenant(TOKEN), Allowance(1.5, 500)).rows(rosters())

    assert not [rows for rows in found.values() if isinstance(rows, Exception)]


async def test_where_many_are_not_shared_the_link_is_followed_and_not_one_id_after_another() -> None:
    """Each id that Clever does not show would be a call of its own."""
    sandbox = create_app("tiny", 1, districts=1, rate_limit=None)
    strangers = tuple(f"00000000000000000000{number:04x}" for number in range(40))
    section = parents(1, SECTIONS)[0]
    odd = msgspec.structs.replace(section, students=(*strangers, *(getattr(section, "students", None) or ())))
    upstream = Faulty(sandbox, lambda _target: False, 200)
    async with CleverClient("http://sandbox", "v3.1", transport=httpx.ASGITransport(upstream)) as client:
        one = want(catalogue.SECTION_USERS, odd, Window(0), Selection("student"))
        found = await Access(Source(client), Tenant(TOKEN), Allowance(30, 500)).rows([one])

    assert ids(found[one]) == ([], True, False)
    assert len(upstream.asked) == 2


async def test_what_failed_once_is_not_tried_again_for_the_same_request() -> None:
    upstream = Faulty(create_app("tiny", 1, districts=1, rate_limit=None), users_list, 404)
    async with CleverClient("http://sandbox", "v3.1", transport=httpx.ASGITransport(upstream)) as client:
        access = Access(Source(client), Tenant(TOKEN), Allowance(30, 500))
        for size in (20, 40):
            people = [RecordCall(USERS, record.id) for record in parents(1, USERS)[size - 20 : size]]
            found = await access.records(people)
            assert {record.id for record in found.values() if record and not isinstance(record, Exception)} == {
                call.id for call in people
            }

    assert sum(map(users_list, upstream.asked)) == 1
