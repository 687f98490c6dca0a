"""Flights: what is under way for somebody is not done a second time for the next one who wants it."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

from gateway.clever.allowance import Allowance, out_of_time
from gateway.errors import DeadlineExceeded, QueryTooComplex, UpstreamRateLimited
from gateway.identity import Tenant

V = TypeVar("V")

# These tell of the one who began, not of Clever: another may well get an answer.
_OWN_FAILURES = (DeadlineExceeded, QueryTooComplex, UpstreamRateLimited)


class Flights:
    """Work under way by tenant and name."""

    def __init__(self) -> None:
        self._tasks: dict[tuple[Tenant, Hashable], asyncio.Task[Any]] = {}

    def under_way(self, tenant: Tenant, name: Hashable) -> bool:
        """Say whether there is such work under way."""
        task = self._tasks.get((tenant, name))
        return task is not None and not task.done()

    async def share(
        self, tenant: Tenant, name: Hashable, work: Callable[[], Coroutine[Any, Any, V]], allowance: Allowance
    ) -> V:
        """Do something once for all who want it at the same time, whoever of them leaves.

        Raises what the work raises, DeadlineExceeded where the allowance ends first.
        """
        while True:
            task = self._tasks.get((tenant, name))
            # What is done stays in the table until the loop comes round: its failure must not be met for ever.
            own = task is None or task.done()
            if task is None or own:
                task = self.start(tenant, name, work())
            try:
                async with asyncio.timeout(allowance.seconds_left):
                    found: V = await asyncio.shield(task)
                    return found
            except TimeoutError:
                raise out_of_time() from None
            except _OWN_FAILURES:
                if own:
                    raise

    def start(self, tenant: Tenant, name: Hashable, work: Coroutine[Any, Any, V]) -> "asyncio.Task[V]":
        """Begin something that is not under way; nobody needs to wait for it."""
        task = self._tasks[tenant, name] = asyncio.create_task(work)

        def landed(done: "asyncio.Task[V]") -> None:
            if self._tasks.get((tenant, name)) is done:
                del self._tasks[tenant, name]
            if not done.cancelled():
                # Where nobody waited for it, a failure is nobody's.
                done.exception()

        task.add_done_callback(landed)
        return task

    async def aclose(self) -> None:
        """Stop everything."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
