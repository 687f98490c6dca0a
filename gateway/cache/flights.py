"""Flights: what is under way for somebody is not done a second time for the next one who wants it."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.clever.allowance import Allowance, out_of_time
from gateway.errors import DeadlineExceeded, QueryTooComplex, UpstreamRateLimited
from gateway.identity import Tenant

V = TypeVar("V")

# These tell of the one who began, not of Clever: another may well get an answer.
_OWN_FAILURES = (DeadlineExceeded, QueryTooComplex, UpstreamRateLimited)


@dataclass(slots=True, eq=False)
class _Flight:
    """Work under way, how many wait for it, and whether it `goes_on` where nobody does."""

    task: asyncio.Task[Any]
    goes_on: bool = False
    waiting: int = 0

    @property
    def ended(self) -> bool:
        return self.task.done() or self.task.cancelling() > 0


class Flights:
    """Work under way by tenant and name."""

    def __init__(self) -> None:
        self._flights: dict[tuple[Tenant, Hashable], _Flight] = {}

    def under_way(self, tenant: Tenant, name: Hashable) -> bool:
        """Say whether there is such work under way."""
        flight = self._flights.get((tenant, name))
        return flight is not None and not flight.ended

    async def share(
        self, tenant: Tenant, name: Hashable, work: Callable[[], Coroutine[Any, Any, V]], allowance: Allowance
    ) -> V:
        """Do something once for all who want it at the same time, whoever of them leaves.

        What has been waited for until somebody's time ended goes on: the next one finds it done. Where all who
        waited have hung up, it is cancelled.
        Raises what the work raises, DeadlineExceeded where the allowance ends first.
        """
        while True:
            flight = self._flights.get((tenant, name))
            # What is done stays in the table until the loop comes round: its failure must not be met for ever.
            own = flight is None or flight.ended
            if flight is None or own:
                flight = self._begin(tenant, name, work())
            flight.waiting += 1
            try:
                async with asyncio.timeout(allowance.seconds_left):
                    found: V = await asyncio.shield(flight.task)
                    return found
            except TimeoutError:
                flight.goes_on = True
                raise out_of_time() from None
            except asyncio.CancelledError:
                flight.goes_on = flight.goes_on or not allowance.abandoned
                raise
            except _OWN_FAILURES:
                if own:
                    raise
            finally:
                flight.waiting -= 1
                if not flight.waiting and not flight.goes_on:
                    flight.task.cancel()

    def start(self, tenant: Tenant, name: Hashable, work: Coroutine[Any, Any, V]) -> "asyncio.Task[V]":
        """Begin something that is not under way; nobody needs to wait for it."""
        flight = self._begin(tenant, name, work)
        flight.goes_on = True
        return flight.task

    def _begin(self, tenant: Tenant, name: Hashable, work: Coroutine[Any, Any, Any]) -> _Flight:
        flight = self._flights[tenant, name] = _Flight(asyncio.create_task(work))

        def landed(done: asyncio.Task[Any]) -> None:
            if self._flights.get((tenant, name)) is flight:
                del self._flights[tenant, name]
            if not done.cancelled():
                # Where nobody waited for it, a failure is nobody's.
                done.exception()

        flight.task.add_done_callback(landed)
        return flight

    async def aclose(self) -> None:
        """Stop everything."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
