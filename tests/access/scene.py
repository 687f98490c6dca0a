"""A Source over a scripted upstream in the same process: a clock that tests turn, calls that wait until they are let go."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from gateway.access.executor import Access
from gateway.access.source import Source
from gateway.access.wants import Rows, Want, Window, want
from gateway.cache.freshness import Lifetimes
from gateway.cache.shelf import Shelf
from gateway.clever.allowance import Allowance
from gateway.clever.budget import WindowBudget
from gateway.clever.catalogue import DISTRICT_SCHOOLS, DISTRICT_USERS, SCHOOL_USERS, Selection
from gateway.clever.client import CleverClient, ClientLimits
from gateway.clever.records import School
from gateway.identity import Tenant
from tests.resilience.faulty import Faulty
from tests.resilience.fixtures import QUICK
from tests.resilience.roster import NORTH

TOKEN = "a-token"
# Kept apart, so that a test sees which of them it is about.
FRESH_S, SPARE_S, RECHECK_S = 100.0, 10_000.0, 1_000.0

USERS_LIST = want(DISTRICT_USERS, None, Window(3))
SCHOOLS_LIST = want(DISTRICT_SCHOOLS, None, Window(10))
STUDENTS_LIST = want(SCHOOL_USERS, School(id=NORTH), Window(10), Selection("student"))


class Upstream(httpx.AsyncBaseTransport):
    """The scripted upstream without a socket; `down` refuses connections, `revoked` tokens get 401.

    Calls of a path in `gates` wait for their gate, having been counted.
    """

    def __init__(self) -> None:
        self.faulty = Faulty()
        self.down = False
        self.revoked: set[str] = set()
        self.gates: dict[str, asyncio.Event] = {}
        self.arrived: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.asked: list[str] = []
        self._inner = httpx.ASGITransport(self.faulty)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v3.1")
        self.asked.append(path)
        self.arrived[path].set()
        if path in self.gates:
            await self.gates[path].wait()
        if self.down:
            raise httpx.ConnectError("refused")
        if request.headers["authorization"].removeprefix("Bearer ") in self.revoked:
            return httpx.Response(401, json={"error": "unauthorized"})
        return await self._inner.handle_async_request(request)

    def calls(self) -> dict[str, int]:
        """Return the calls since the last time by path."""
        counted, self.asked = dict(Counter(self.asked)), []
        return counted


class Scene:
    """What a test plays with."""

    def __init__(self, upstream: Upstream, client: CleverClient, shelf: Shelf | None) -> None:
        self.now = 1_000.0
        self.upstream = upstream
        self.shelf = shelf
        lifetimes = Lifetimes(FRESH_S, FRESH_S, FRESH_S, SPARE_S, 30.0)
        self.source = Source(client, shelf, lifetimes, recheck_s=RECHECK_S, clock=lambda: self.now)

    def access(self, token: str = TOKEN, *, refresh: bool = False, seconds: float = 30, calls: int = 100) -> Access:
        """Return the access of a new request."""
        return Access(self.source, Tenant(token), Allowance(seconds, calls), refresh=refresh)

    async def ask(self, one: Want, **options: Any) -> tuple[list[str], Access]:
        """Ask one want in a request of its own, which must be answered; return the ids."""
        access = self.access(**options)
        rows = (await access.rows([one]))[one]
        assert isinstance(rows, Rows), repr(rows)
        return [record.id for record in rows.records], access

    async def fail(self, one: Want, **options: Any) -> Exception:
        """Ask one want in a request of its own, which must fail; return the error."""
        try:
            rows = (await self.access(**options).rows([one]))[one]
        except Exception as error:  # noqa: BLE001 - the test says which
            return error
        assert isinstance(rows, Exception), rows
        return rows


@asynccontextmanager
async def scene(capacity: int | None = 10_000_000, *, calls_per_minute: int = 1200) -> AsyncIterator[Scene]:
    """Open a scene; None as capacity remembers nothing."""
    upstream = Upstream()
    client = CleverClient(
        "http://clever",
        "v3.1",
        limits=ClientLimits(backoff=QUICK),
        budget=WindowBudget(calls_per_minute),
        transport=upstream,
    )
    async with client:
        playing = Scene(upstream, client, None if capacity is None else Shelf(capacity))
        try:
            yield playing
        finally:
            await playing.source.aclose()


async def settle() -> None:
    """Wait for everything that goes on beside the test."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


def stale_reason(access: Access) -> str | None:
    """Return why an answer is stale, None where it is not."""
    stale = access.report().get("stale")
    return None if stale is None else stale["reason"]
