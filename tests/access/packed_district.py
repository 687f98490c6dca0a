"""A generated district whose people are remembered packed, and what it has."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar

import httpx

from gateway.access.executor import Access
from gateway.access.source import Source
from gateway.access.wants import Rows, Want
from gateway.cache.rows import OpenedRows
from gateway.cache.shelf import Entry, Shelf
from gateway.cache.view import collection_key
from gateway.clever.allowance import Allowance
from gateway.clever.catalogue import EVERYTHING, USERS, Relation, Scan, Selection, roles_at_schools
from gateway.clever.client import CleverClient
from gateway.clever.decode import tolerant
from gateway.clever.events import CallSent
from gateway.clever.records import Record, School, User
from gateway.identity import Tenant
from gateway.sandbox import SandboxApp, create_app

TOKEN = "TEST_TOKEN"
TENANT = Tenant(TOKEN)
STUDENTS = Selection("student")
V = TypeVar("V")


@cache
def upstream() -> SandboxApp:
    return create_app("sandbox", 5, districts=1, rate_limit=None)


@cache
def records(name: str, kind: type[Record]) -> list[Any]:
    """Return what the district has, as far as a single call shows it; ascending."""
    found = upstream().records(TOKEN)[name]
    return [tolerant(kind, found[key]) for key in sorted(found)]


@cache
def people() -> list[str]:
    return [user.id for user in records("users", User)]


def school() -> School:
    """Return the school with the most students."""
    found: list[School] = records("schools", School)
    return max(found, key=lambda one: len(of_school(one, STUDENTS)))


def of_school(one: School, selection: Selection = EVERYTHING) -> list[str]:
    return [user.id for user in records("users", User) if one.id in roles_at_schools(user, selection)]


class District:
    """A district whose people are remembered packed, with the calls that are made to it."""

    def __init__(self, source: Source, shelf: Shelf, calls: list[CallSent]) -> None:
        self.source = source
        self.shelf = shelf
        self.calls = calls
        self.users = collection_key(USERS, None)

    @property
    def entry(self) -> Entry:
        return self.shelf.roster(TENANT).entries[self.users]

    def access(self, allowance: Allowance | None = None) -> Access:
        return Access(self.source, TENANT, allowance or Allowance(60, 100))

    async def ask(self, *wants: Want) -> list[Rows]:
        found = await self.access().rows(wants)
        return [rows for one in wants if isinstance(rows := found[one], Rows)]


@asynccontextmanager
async def district(role: str | None = None, slice_s: float = 0.0) -> AsyncIterator[District]:
    """Remember the people of a district, or those of a role; others have their turn after each step."""
    calls: list[CallSent] = []
    # So small that whole collections are packed from the start.
    shelf = Shelf(4_000_000)
    transport = httpx.ASGITransport(upstream())
    async with CleverClient("http://sandbox", "v3.1", transport=transport, on_call=calls.append) as client:
        source = Source(client, shelf, slice_s=slice_s)
        await source.read(TENANT, collection_key(USERS, role), Allowance(60, 100))
        play = District(source, shelf, calls)
        calls.clear()
        try:
            yield play
        finally:
            await source.aclose()


async def turns_during(work: Awaitable[V]) -> tuple[V, int]:
    """Return what came of work, and how often others had their turn meanwhile."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(others())
    try:
        return await work, turns
    finally:
        beside.cancel()


def unpacked(access: Access, entry: Entry) -> int:
    """Return how many blocks a request has unpacked of an entry."""
    opened = access.reading.view.open(entry)
    assert isinstance(opened, OpenedRows)
    return sum(block is not None for block in opened._records)


def names(rows: Rows) -> list[str]:
    return [record.id for record in rows.records]


class Counting:
    """A school's users, told by a scan that counts the rows that it looks at."""

    def __init__(self) -> None:
        self.looked_at = 0
        self.begun = asyncio.Event()
        self.relation = Relation(
            "school.users", USERS, "/schools/{id}/users", takes_role=True, scan=Scan(USERS, self._schools)
        )

    def _schools(self, user: User, selection: Selection) -> Any:
        self.looked_at += 1
        self.begun.set()
        return roles_at_schools(user, selection)
