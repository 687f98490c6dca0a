"""One window of calls for all processes: what one takes the others do not have, whatever becomes of Redis meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gateway.clever.allowance import Allowance
from gateway.clever.budget import Budget, WindowBudget
from gateway.errors import UpstreamRateLimited
from tests.redis_server import RedisServer
from tests.sharing.calls import (
    OTHER,
    SILENT_S,
    TENANT,
    WINDOW_S,
    Calls,
    budget_of,
    budgets,
    most_in_a_window,
    on_a_steady_machine,
)
from tests.sharing.scene import long_there, processes, until

LIMIT = 60


@pytest.fixture(params=["embedded", "redis"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Budget, Budget]]:
    """Return the budgets of two processes, or twice that of one."""
    if request.param == "embedded":
        one = WindowBudget(LIMIT, seconds=WINDOW_S)
        yield one, one
    else:
        server = request.getfixturevalue("server")
        long_there(server)
        async with budgets(server, LIMIT, 2) as ([a, b], _):
            yield a, b


@pytest.mark.slow
@on_a_steady_machine
async def test_no_window_has_more_calls_than_the_limit_and_hardly_fewer(pair: tuple[Budget, Budget]) -> None:
    calls, end = Calls(), time.monotonic() + 2.5 * WINDOW_S
    await asyncio.gather(*[calls.hammer(budget, number, end) for number, budget in enumerate(pair)])
    assert most_in_a_window(calls.moments) <= LIMIT
    assert len(calls.sent) > 2.5 * LIMIT


@on_a_steady_machine
async def test_what_one_has_used_the_other_is_refused_at_once(pair: tuple[Budget, Budget]) -> None:
    a, b = pair
    calls = Calls()
    await asyncio.gather(*[calls.one(a) for _ in range(LIMIT)])
    began = time.monotonic()
    with pytest.raises(UpstreamRateLimited) as refused:
        for _ in range(LIMIT):
            (await b.acquire(TENANT, Allowance(WINDOW_S / 3, 10))).sent()
    assert time.monotonic() - began < WINDOW_S / 4
    assert 0 < refused.value.retry_after <= WINDOW_S + 1
    assert await calls.one(b, tenant=OTHER)


@on_a_steady_machine
async def test_a_place_comes_free_for_whoever_waits(pair: tuple[Budget, Budget]) -> None:
    a, b = pair
    calls = Calls()
    await asyncio.gather(*[calls.one(a) for _ in range(LIMIT)])
    # All that there are, but for what Redis keeps for those that lose it.
    while await calls.one(b, patience_s=0.2):
        pass
    assert await calls.one(b, patience_s=2 * WINDOW_S)
    assert calls.moments[-1] - calls.moments[0] > WINDOW_S
    assert most_in_a_window(calls.moments) <= LIMIT


async def test_what_clever_tells_one_the_other_knows(pair: tuple[Budget, Budget]) -> None:
    a, b = pair
    calls = Calls()
    told = {"x-ratelimit-remaining": "2", "x-ratelimit-reset": str(time.time() + WINDOW_S)}
    assert await calls.one(a, headers=lambda: told)

    async def refused() -> None:
        found = await asyncio.gather(*[calls.one(b, patience_s=0.3, headers=dict) for _ in range(8)])
        assert sum(found) <= 2

    await asyncio.sleep(0.3)
    await refused()


async def test_what_is_left_is_known_without_a_call(pair: tuple[Budget, Budget]) -> None:
    a, b = pair
    calls = Calls()
    await asyncio.gather(*[calls.one(a) for _ in range(LIMIT // 2)])
    await calls.one(b)
    assert LIMIT // 3 <= b.left(TENANT) < LIMIT // 2
    assert b.left(OTHER) == LIMIT


# Only where there is a Redis


async def test_nothing_of_a_token_is_in_redis(server: RedisServer) -> None:
    long_there(server)
    async with budgets(server, LIMIT, 1) as ([a], _):
        await Calls().one(a)
        await until(lambda: any(b":calls:" in key for key in server.dump()))
    assert not any(b"a-token" in key + value for key, value in server.dump().items())


async def test_places_not_used_are_given_back(server: RedisServer) -> None:
    long_there(server)
    async with budgets(server, LIMIT, 2) as ([a, b], _):
        for place in [await a.acquire(TENANT, Allowance(1, 10)) for _ in range(32)]:
            place.end()
        # What Redis has of a process begins with the calls that it has under way.
        await until(
            lambda: any(value.split()[1].startswith(b"0;") for key, value in server.dump().items() if b":calls:" in key)
        )
        calls = Calls()
        assert all(await asyncio.gather(*[calls.one(b, patience_s=WINDOW_S / 2) for _ in range(LIMIT - 10)]))


@on_a_steady_machine
async def test_one_process_may_use_nearly_all(server: RedisServer) -> None:
    long_there(server)
    async with budgets(server, LIMIT, 3) as ([a, *_], _):
        calls = Calls()
        found = await asyncio.gather(*[calls.one(a, patience_s=0.4) for _ in range(LIMIT)])
        # A fiftieth is for nobody; a fifth is kept for all, in equal parts, for when they lose Redis.
        assert sum(found) >= LIMIT * (1 - 1 / 50 - 2 / 15) - 2


async def test_a_fresh_redis_serves_fresh_processes_soon(server: RedisServer) -> None:
    async with budgets(server, LIMIT, 2) as ([a, b], _):
        calls = Calls()
        found = await asyncio.gather(*[calls.one(one, patience_s=3 * SILENT_S) for one in (a, b) for _ in range(20)])
        assert all(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "lasts"),
    [
        ("kill", 0.3),
        ("kill", 1.5 * WINDOW_S),
        ("pause", 0.5 * SILENT_S),
        ("pause", 2.5 * SILENT_S),
        ("pause", WINDOW_S),
    ],
)
@on_a_steady_machine
async def test_no_window_has_more_calls_when_redis_is_in_trouble(
    own_server: RedisServer, trouble: str, lasts: float
) -> None:
    long_there(own_server)
    calls = Calls()
    async with budgets(own_server, LIMIT, 3) as (places, shared):
        await asyncio.sleep(1.3 * WINDOW_S)
        end = time.monotonic() + 3 * WINDOW_S + lasts
        # One of them has used nearly all when it happens, the others want more.
        work = [asyncio.create_task(calls.hammer(places[0], 0, end))]
        await asyncio.sleep(WINDOW_S / 3)
        work += [asyncio.create_task(calls.hammer(one, number, end)) for number, one in enumerate(places[1:], 1)]
        await asyncio.sleep(WINDOW_S / 3)
        begin, stop = _trouble(own_server, trouble)
        await asyncio.to_thread(begin)
        await asyncio.sleep(lasts)
        during = len(calls.sent)
        await asyncio.to_thread(stop)
        await until(lambda: all(one.link.up for one in shared))
        await asyncio.gather(*work)
    assert most_in_a_window(calls.moments) <= LIMIT
    assert len(calls.sent) > during + LIMIT
    assert all(calls.by_caller()[number] > 0 for number in range(3))


def _trouble(server: RedisServer, kind: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    return (server.kill, server.start) if kind == "kill" else (server.pause, server.resume)


@pytest.mark.slow
@on_a_steady_machine
async def test_no_window_has_more_calls_when_a_process_is_killed_and_redis_restarts(own_server: RedisServer) -> None:
    long_there(own_server)
    calls = Calls()
    async with (
        budgets(own_server, LIMIT, 2) as (places, _),
        processes(own_server, 1, timeout_s=0.1, silent_s=SILENT_S) as [doomed],
    ):
        await asyncio.sleep(1.3 * WINDOW_S)
        end = time.monotonic() + 3.5 * WINDOW_S
        killed = asyncio.create_task(calls.hammer(budget_of(doomed, LIMIT), 2, end))
        work = [asyncio.create_task(calls.hammer(one, number, end)) for number, one in enumerate(places)]
        await asyncio.sleep(WINDOW_S / 2)
        # As SIGKILL does: it says nothing any more.
        killed.cancel()
        for task in doomed.link._tasks:
            task.cancel()
        await asyncio.sleep(0.1)
        await asyncio.to_thread(own_server.restart)
        # And another one comes in its place.
        async with processes(own_server, 1, timeout_s=0.1, silent_s=SILENT_S) as [fresh]:
            work.append(asyncio.create_task(calls.hammer(budget_of(fresh, LIMIT), 3, end)))
            await asyncio.gather(*work)
    assert most_in_a_window(calls.moments) <= LIMIT
    assert calls.by_caller()[3] > 0


@pytest.mark.slow
async def test_without_redis_from_the_start_there_is_a_tenth(own_server: RedisServer) -> None:
    own_server.kill()
    calls = Calls()
    async with budgets(own_server, LIMIT, 3) as (places, _):
        end = time.monotonic() + 3 * WINDOW_S
        await asyncio.gather(*[calls.hammer(one, number, end) for number, one in enumerate(places)])
    assert 3 <= most_in_a_window(calls.moments) <= 3 * LIMIT / 10
