"""Callers of a budget on an event loop whose time jumps to the next timer: minutes pass in milliseconds."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from gateway.clever.allowance import Allowance
from gateway.clever.budget import WindowBudget
from gateway.errors import UpstreamRateLimited
from gateway.identity import Tenant

Found = TypeVar("Found")
TENANT, OTHER = Tenant("a-token"), Tenant("another")
# What the wall clock shows at the virtual second 0.
EPOCH = 1_700_000_000.0


class _Jumping(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits and nobody has set a timer")
        self.now += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing in it takes time but `asyncio.sleep` and timers."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def simulate(scene: Callable[[], Coroutine[Any, Any, Found]]) -> Found:
    """Run a coroutine in virtual time, from second 0 on."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scene())


def now() -> float:
    """Return the virtual second."""
    return asyncio.get_running_loop().time()


def budget(limit: int, **options: Any) -> WindowBudget:
    fixed: dict[str, Any] = {"clock": now, "wall": lambda: EPOCH + now(), "pick": lambda low, _high: low}
    return WindowBudget(limit, **fixed | options)


def told(remaining: object, reset_in: float) -> dict[str, str]:
    return {"x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": str(EPOCH + now() + reset_in)}


async def call(
    places: WindowBudget,
    allowance: Allowance,
    *,
    tenant: Tenant = TENANT,
    seconds: float = 0.0,
    headers: Callable[[], dict[str, str]] = dict,
) -> float:
    """Make one call and return the moment it was sent at."""
    while True:
        place = await places.acquire(tenant, allowance)
        try:
            if not place.stands:
                continue
            place.sent()
            sent = now()
            if seconds:
                await asyncio.sleep(seconds)
            place.report(headers())
            return sent
        finally:
            place.end()


async def calls(places: WindowBudget, allowance: Allowance, count: int, **how: Any) -> list[float | BaseException]:
    return await asyncio.gather(*[call(places, allowance, **how) for _ in range(count)], return_exceptions=True)


def refusals(found: list[float | BaseException]) -> list[UpstreamRateLimited]:
    return [one for one in found if isinstance(one, UpstreamRateLimited)]
