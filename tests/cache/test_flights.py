"""What is under way for one is shared by all who want it, whoever of them leaves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from gateway.cache.flights import Flights
from gateway.clever.allowance import Allowance
from gateway.errors import DeadlineExceeded, GatewayError, QueryTooComplex, UpstreamUnavailable
from gateway.identity import Tenant
from tests.clever.virtual import simulate

TENANT, OTHER = Tenant("a-token"), Tenant("another")


@pytest.fixture
async def flights() -> AsyncIterator[Flights]:
    flights = Flights()
    yield flights
    await flights.aclose()


class Work:
    """Work that waits for `gate`, and how often it was begun."""

    def __init__(self, outcome: int | Exception = 1) -> None:
        self.begun = 0
        self.gate = asyncio.Event()
        self.outcome = outcome

    async def __call__(self) -> int:
        self.begun += 1
        await self.gate.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def share(
    flights: Flights, work: Callable[[], Coroutine[Any, Any, int]], seconds: float = 5, tenant: Tenant = TENANT
) -> "asyncio.Task[int]":
    return asyncio.create_task(flights.share(tenant, "name", work, Allowance(seconds, 10)))


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def raises(kind: type[BaseException], waiter: Awaitable[Any]) -> None:
    with pytest.raises(kind):
        await waiter


async def test_work_is_done_once_for_all_and_again_for_the_next(flights: Flights) -> None:
    work = Work()
    waiters = [share(flights, work) for _ in range(3)]
    await turns()
    assert flights.under_way(TENANT, "name")
    work.gate.set()
    assert await asyncio.gather(*waiters) == [1, 1, 1]
    assert work.begun == 1
    assert await share(flights, work) == 1
    assert work.begun == 2
    await turns()
    assert not flights.under_way(TENANT, "name")


async def test_tenants_share_nothing(flights: Flights) -> None:
    mine, theirs = Work(1), Work(2)
    waiters = [share(flights, mine), share(flights, theirs, tenant=OTHER)]
    mine.gate.set()
    theirs.gate.set()
    assert await asyncio.gather(*waiters) == [1, 2]


@pytest.mark.parametrize("leaver", [0, 1])
async def test_whoever_leaves_stops_nobody_else(flights: Flights, leaver: int) -> None:
    work = Work()
    waiters = [share(flights, work) for _ in range(3)]
    await turns()
    waiters[leaver].cancel()
    await raises(asyncio.CancelledError, waiters[leaver])
    work.gate.set()
    assert await asyncio.gather(*[waiter for waiter in waiters if waiter is not waiters[leaver]]) == [1, 1]
    assert work.begun == 1


async def test_work_that_all_have_left_goes_on(flights: Flights) -> None:
    work = Work()
    only = share(flights, work)
    await turns()
    only.cancel()
    await raises(asyncio.CancelledError, only)
    late = share(flights, work)
    await turns()
    work.gate.set()
    assert await late == 1
    assert work.begun == 1


@pytest.mark.parametrize("who", ["first", "second", "both"])
async def test_work_that_all_have_hung_up_on_is_cancelled_and_begun_anew(flights: Flights, who: str) -> None:
    work = Work()
    allowances = [Allowance(5, 10) for _ in range(2)]
    waiters = [asyncio.create_task(flights.share(TENANT, "name", work, one)) for one in allowances]
    await turns()
    for place, name in enumerate(("first", "second")):
        if who in (name, "both"):
            allowances[place].abandon()
            waiters[place].cancel()
    await turns()
    assert flights.under_way(TENANT, "name") is (who != "both")
    late = share(flights, work)
    await turns()
    work.gate.set()
    assert await late == 1
    assert work.begun == (2 if who == "both" else 1)


async def test_one_whose_part_of_a_request_hung_up_counts_as_well(flights: Flights) -> None:
    work, whole = Work(), Allowance(5, 10)
    part = asyncio.create_task(flights.share(TENANT, "name", work, whole.part(seconds=3).part()))
    await turns()
    whole.abandon()
    part.cancel()
    # One who comes in the very moment does not get what is being cancelled.
    late = share(flights, work)
    await turns()
    work.gate.set()
    assert await late == 1


async def test_what_is_done_for_later_goes_on_whoever_hangs_up(flights: Flights) -> None:
    work, allowance = Work(), Allowance(5, 10)
    task = flights.start(TENANT, "name", work())
    waiter = asyncio.create_task(flights.share(TENANT, "name", work, allowance))
    await turns()
    allowance.abandon()
    waiter.cancel()
    await turns()
    work.gate.set()
    assert await task == 1
    assert work.begun == 1


def test_what_somebody_had_no_more_time_for_goes_on_for_the_next() -> None:
    async def scene() -> None:
        flights, work = Flights(), Work()
        await raises(DeadlineExceeded, share(flights, work, 1))
        gone = Allowance(5, 10)
        waiter = asyncio.create_task(flights.share(TENANT, "name", work, gone))
        await turns()
        gone.abandon()
        waiter.cancel()
        await turns()
        late = share(flights, work)
        await turns()
        work.gate.set()
        assert await late == 1
        assert work.begun == 1

    simulate(scene)


def test_the_time_of_one_who_waits_ends_for_that_one_alone() -> None:
    async def scene() -> None:
        flights, work = Flights(), Work()
        hurried, patient = share(flights, work, 1), share(flights, work, 10)
        await raises(DeadlineExceeded, hurried)
        assert asyncio.get_running_loop().time() == pytest.approx(1)
        work.gate.set()
        assert await patient == 1
        assert work.begun == 1

    simulate(scene)


async def test_a_failure_of_clever_reaches_all(flights: Flights) -> None:
    work = Work(UpstreamUnavailable("down"))
    waiters = [share(flights, work) for _ in range(3)]
    work.gate.set()
    for waiter in waiters:
        await raises(UpstreamUnavailable, waiter)
    assert work.begun == 1


@pytest.mark.parametrize("at_once", [True, False])
async def test_the_allowance_of_the_one_who_began_is_no_failure_of_the_others(flights: Flights, at_once: bool) -> None:
    poor, rich = Work(QueryTooComplex("no call left")), Work()
    rich.gate.set()
    if at_once:
        poor.gate.set()
    first = share(flights, poor)
    # Those that come while the failure is in the making, and in the very turn of the loop in which it happens.
    waiters = []
    for _ in range(4):
        waiters.append(share(flights, rich))
        await asyncio.sleep(0)
    poor.gate.set()
    await raises(QueryTooComplex, first)
    assert set(await asyncio.wait_for(asyncio.gather(*waiters), 1)) == {1}


async def test_what_nobody_waits_for_may_fail(flights: Flights) -> None:
    work = Work(GatewayError("nobody hears it"))
    task = flights.start(TENANT, "name", work())
    work.gate.set()
    await asyncio.wait([task])
    await turns()
    assert not flights.under_way(TENANT, "name")


async def test_closing_stops_everything(flights: Flights) -> None:
    work = Work()
    waiters = [share(flights, work) for _ in range(2)]
    await turns()
    await flights.aclose()
    for waiter in waiters:
        await raises(asyncio.CancelledError, waiter)
    assert not flights.under_way(TENANT, "name")
