"""Callers of budgets in real time: windows of seconds, and all calls noted as an upstream would see them."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from gateway.cache.redis.sharing import Sharing
from gateway.clever.allowance import Allowance
from gateway.clever.budget import Budget, WindowBudget
from gateway.errors import DeadlineExceeded, UpstreamRateLimited
from gateway.identity import Tenant
from tests.redis_server import RedisServer
from tests.sharing.scene import processes

TENANT, OTHER = Tenant("a-token"), Tenant("another")
# A minute in short; what depends on it is in proportion.
WINDOW_S = 2.4
SILENT_S = WINDOW_S / 12
# Who stands still for longer than this is taken for silent: a minute in short is short of patience, too.
_STEADY_S = SILENT_S / 4
_TRIES = 4


def most_in_a_window(moments: list[float], seconds: float = WINDOW_S) -> int:
    """Return the most calls in any window."""
    moments, most, start = sorted(moments), 0, 0
    for end, moment in enumerate(moments):
        while moments[start] <= moment - seconds:
            start += 1
        most = max(most, end - start + 1)
    return most


@dataclass
class Calls:
    """The calls made so far, by who made them."""

    sent: list[tuple[float, int]] = field(default_factory=list)

    @property
    def moments(self) -> list[float]:
        """Return when each call was sent."""
        return [moment for moment, _ in self.sent]

    def by_caller(self) -> Counter[int]:
        """Return how many calls each made."""
        return Counter(caller for _, caller in self.sent)

    async def one(
        self,
        budget: Budget,
        caller: int = 0,
        *,
        tenant: Tenant = TENANT,
        seconds: float = 0.01,
        patience_s: float = 1.0,
        headers: Callable[[], dict[str, str]] = dict,
    ) -> bool:
        """Make a call; say whether there was a place in time."""
        try:
            place = await budget.acquire(tenant, Allowance(patience_s, 10))
        except (UpstreamRateLimited, DeadlineExceeded):
            return False
        try:
            if place.stands:
                place.sent()
                self.sent.append((time.monotonic(), caller))
                await asyncio.sleep(seconds)
                place.report(headers())
        finally:
            place.end()
        return True

    async def hammer(self, budget: Budget, caller: int, until: float, *, at_once: int = 4) -> None:
        """Make as many calls as there are places, and then try for more."""

        async def go_on() -> None:
            while time.monotonic() < until:
                if not await self.one(budget, caller, patience_s=0.3):
                    await asyncio.sleep(0.02)

        await asyncio.gather(*[go_on() for _ in range(at_once)])


@asynccontextmanager
async def budgets(
    server: RedisServer, limit: int, count: int
) -> AsyncIterator[tuple[list[WindowBudget], list[Sharing]]]:
    """Open the budgets of so many processes over one Redis."""
    async with processes(server, count, timeout_s=0.1, silent_s=SILENT_S) as shared:
        yield [budget_of(one, limit) for one in shared], shared


def budget_of(shared: Sharing, limit: int) -> WindowBudget:
    """Return a process's budget."""
    return WindowBudget(limit, seconds=WINDOW_S, shares=shared.shares(limit, WINDOW_S))


def on_a_steady_machine(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Try a test of what is promised to processes that run again where it failed and they stood still meanwhile."""

    @wraps(test)
    async def tried(**given: Any) -> None:
        for _ in range(_TRIES - 1):
            lags: list[float] = [0.0]
            watching = asyncio.create_task(_watch(lags))
            try:
                await test(**given)
            except AssertionError:
                if max(lags) < _STEADY_S:
                    raise
            else:
                return
            finally:
                watching.cancel()
            # Nothing of it is to count the next time.
            if own := given.get("own_server"):
                own.restart()
            await asyncio.sleep(2 * WINDOW_S)
        await test(**given)

    return tried


async def _watch(lags: list[float]) -> None:
    """Note by how much later than it should this loop gets to something."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(_STEADY_S / 4)
        lags.append(time.monotonic() - began - _STEADY_S / 4)
