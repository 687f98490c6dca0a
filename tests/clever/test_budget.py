"""Places in the budget: how many there are, who gets the next, and who is told at once that there is none in time."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clever.allowance import Allowance
from gateway.errors import DeadlineExceeded, UpstreamRateLimited
from gateway.identity import Tenant
from tests.clever.virtual import OTHER, TENANT, budget, call, calls, now, refusals, simulate, told


def most_in_a_window(moments: list[float], seconds: float = 60.0) -> int:
    moments = sorted(moments)
    return max((sum(start <= other < start + seconds for other in moments) for start in moments), default=0)


# How many


class Clever:
    """Clever's own window: fixed, started by the first call; half of each call's time passes on the way to it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.arrivals: list[float] = []
        self.limited = 0
        self._reset, self._used = 0.0, 0

    def take(self) -> dict[str, str]:
        if now() >= self._reset:
            self._reset, self._used = now() + 60, 0
        if self._used >= self.limit:
            self.limited += 1
        self._used += 1
        return told(max(0, self.limit - self._used), self._reset - now())


REQUESTS = st.tuples(
    st.floats(0, 150), st.integers(1, 12), st.floats(0, 90), st.floats(0.1, 100), st.booleans(), st.floats(0.01, 60)
)


@settings(max_examples=150, deadline=None)
@given(limit=st.integers(1, 8), at_once=st.integers(1, 4), requests=st.lists(REQUESTS, max_size=8))
def test_no_minute_ever_has_more_calls_than_the_limit(limit: int, at_once: int, requests: list[Any]) -> None:
    async def scene() -> None:
        places, clever, sent = budget(limit, at_once=at_once), Clever(limit), []

        async def one(allowance: Allowance, seconds: float, answered: bool) -> None:
            place = await places.acquire(TENANT, allowance)
            try:
                if place.stands:
                    place.sent()
                    sent.append(now())
                    await asyncio.sleep(seconds / 2)
                    clever.arrivals.append(now())
                    headers = clever.take()
                    await asyncio.sleep(seconds / 2)
                    if answered:
                        place.report(headers)
            finally:
                place.end()

        async def request(
            start: float, count: int, seconds: float, deadline: float, answered: bool, patience: float
        ) -> None:
            await asyncio.sleep(start)
            allowance = Allowance(deadline, 1000)
            tasks = [asyncio.create_task(one(allowance, seconds, answered)) for _ in range(count)]
            _done, late = await asyncio.wait(tasks, timeout=patience)
            for task in late:
                task.cancel()
            for found in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(found, UpstreamRateLimited | DeadlineExceeded | asyncio.CancelledError | None):
                    raise found

        await asyncio.gather(*[request(*one) for one in requests])
        assert most_in_a_window(sent) <= limit
        assert most_in_a_window(clever.arrivals) <= limit
        assert clever.limited == 0
        # Whatever has happened, places come free again.
        await asyncio.sleep(200)
        assert await call(places, Allowance(1, 1)) == now()

    simulate(scene)


def test_a_full_window_opens_as_its_calls_run_out() -> None:
    async def scene() -> None:
        places, allowance = budget(3), Allowance(500, 100)
        for _ in range(3):
            await call(places, allowance)
            await asyncio.sleep(10)
        assert await calls(places, allowance, 4) == pytest.approx([60, 70, 80, 120])

    simulate(scene)


def test_a_slow_call_counts_until_a_minute_after_its_answer() -> None:
    async def scene() -> None:
        places, allowance = budget(1), Allowance(500, 100)
        assert await call(places, allowance, seconds=20) == 0
        assert await call(places, allowance) == pytest.approx(80)

    simulate(scene)


def test_no_more_calls_are_under_way_than_allowed_at_once() -> None:
    async def scene() -> None:
        assert await calls(budget(100, at_once=2), Allowance(10, 100), 6, seconds=1) == [0, 0, 1, 1, 2, 2]

    simulate(scene)


def test_tenants_have_windows_of_their_own() -> None:
    async def scene() -> None:
        places = budget(2)
        assert await calls(places, Allowance(90, 9), 2) == [0, 0]
        assert await calls(places, Allowance(90, 9), 2, tenant=OTHER) == [0, 0]
        assert await calls(places, Allowance(90, 9), 1, tenant=Tenant("a-token")) == [60]

    simulate(scene)


def test_a_token_that_takes_anothers_place_has_a_window_of_its_own() -> None:
    async def scene() -> None:
        places, old, new = budget(2), Tenant("old", "a district"), Tenant("new", "a district")
        assert await calls(places, Allowance(90, 9), 2, tenant=old) == [0, 0]
        assert (places.left(old), places.left(new)) == (0, 2)
        assert await calls(places, Allowance(90, 9), 2, tenant=new) == [0, 0]

    simulate(scene)


# Whose turn


def test_a_small_request_takes_turns_with_a_big_one() -> None:
    async def scene() -> None:
        places, big, small = budget(10_000, at_once=4), Allowance(500, 1000), Allowance(500, 1000)
        scan = asyncio.create_task(calls(places, big, 500, seconds=1))
        await asyncio.sleep(2.5)
        assert await calls(places, small, 3, seconds=1) == [3, 3, 4]
        assert max(one for one in await scan if isinstance(one, float)) == pytest.approx(125)

    simulate(scene)


def test_a_small_request_takes_turns_when_the_window_is_full_too() -> None:
    async def scene() -> None:
        places, big, small = budget(10), Allowance(5000, 1000), Allowance(500, 1000)
        for _ in range(10):
            await call(places, big)
            await asyncio.sleep(1)
        scan = asyncio.create_task(calls(places, big, 500))
        await asyncio.sleep(1)
        # The window has a place every second from 60 on; every other one is the small request's.
        assert await calls(places, small, 3) == pytest.approx([61, 63, 65])
        scan.cancel()

    simulate(scene)


def test_within_a_request_the_first_comes_first() -> None:
    async def scene() -> None:
        places, allowance, order = budget(100, at_once=1), Allowance(500, 100), []

        async def one(number: int) -> None:
            await call(places, allowance, seconds=1)
            order.append(number)

        await asyncio.gather(*[one(number) for number in range(9)])
        assert order == list(range(9))

    simulate(scene)


# Who is refused


def test_who_would_wait_beyond_the_deadline_is_refused_at_once_with_the_wait() -> None:
    async def scene() -> None:
        places = budget(2)
        await call(places, Allowance(5, 9))
        await asyncio.sleep(20)
        found = await calls(places, Allowance(5, 9), 3)
        assert now() == 20
        assert found[0] == 20
        assert [one.retry_after for one in refusals(found)] == [40, 40]

    simulate(scene)


def test_the_place_in_the_queue_is_part_of_what_is_known() -> None:
    async def scene() -> None:
        places = budget(2)
        await call(places, Allowance(5, 9))
        await asyncio.sleep(30)
        await call(places, Allowance(5, 9))
        waiting = asyncio.create_task(call(places, Allowance(50, 9)))
        await asyncio.sleep(0)
        with pytest.raises(UpstreamRateLimited) as caught:
            await call(places, Allowance(50, 9))
        assert (now(), caught.value.retry_after) == (30, 60)
        assert await waiting == 60

    simulate(scene)


def test_who_is_overtaken_is_refused_at_the_deadline_at_the_latest() -> None:
    async def scene() -> None:
        places = budget(1)
        first = Allowance(1, 9)
        assert await call(places, first) == 0
        line = asyncio.gather(*[call(places, Allowance(61, 9)) for _ in range(2)], return_exceptions=True)
        found = await line
        assert found[0] == 60
        assert isinstance(found[1], UpstreamRateLimited)

    simulate(scene)


def test_who_waits_for_calls_under_way_only_runs_out_of_time() -> None:
    async def scene() -> None:
        places = budget(100, at_once=1)
        slow = asyncio.create_task(call(places, Allowance(50, 9), seconds=20))
        await asyncio.sleep(0)
        with pytest.raises(DeadlineExceeded):
            await call(places, Allowance(5, 9))
        assert now() == 5
        await slow

    simulate(scene)


def test_a_429_closes_the_window_and_refuses_those_in_the_queue_who_cannot_outwait_it() -> None:
    async def scene() -> None:
        places = budget(100, at_once=1)
        place = await places.acquire(TENANT, Allowance(50, 9))
        place.sent()
        hasty = asyncio.create_task(calls(places, Allowance(10, 9), 2))
        patient = asyncio.create_task(calls(places, Allowance(50, 9), 2))
        await asyncio.sleep(1)
        place.refused(30)
        place.end()
        assert [one.retry_after for one in refusals(await hasty)] == [30, 30]
        assert now() == 1
        assert await calls(places, Allowance(5, 9), 1, tenant=OTHER) == [1]
        assert await patient == [31, 31]

    simulate(scene)


def test_a_place_given_before_the_window_closed_no_longer_stands() -> None:
    async def scene() -> None:
        places, allowance = budget(100), Allowance(50, 9)
        first, second = await places.acquire(TENANT, allowance), await places.acquire(TENANT, allowance)
        first.refused(1)
        assert not second.stands
        second.end()
        first.end()
        assert await call(places, allowance) == 1

    simulate(scene)


# Who leaves


@pytest.mark.parametrize("sent", [False, True])
def test_only_a_place_that_was_not_used_is_given_back(sent: bool) -> None:
    async def scene() -> None:
        places, allowance = budget(1), Allowance(500, 9)
        place = await places.acquire(TENANT, allowance)
        if sent:
            place.sent()
        waiting = asyncio.create_task(calls(places, allowance, 2))
        await asyncio.sleep(5)
        place.end()
        place.end()
        assert await waiting == ([65, 125] if sent else [5, 65])

    simulate(scene)


def test_those_who_give_up_lose_nothing_for_the_others() -> None:
    async def scene() -> None:
        places, allowance = budget(2), Allowance(500, 100)
        await calls(places, allowance, 2)
        tasks = [asyncio.create_task(call(places, allowance)) for _ in range(6)]
        await asyncio.sleep(1)
        for task in tasks[:4]:
            task.cancel()
        assert await asyncio.gather(*tasks[4:]) == [60, 60]

    simulate(scene)


@pytest.mark.parametrize("given_first", [True, False])
def test_a_place_given_to_someone_who_gives_up_in_that_moment_goes_on(given_first: bool) -> None:
    async def scene() -> None:
        places, allowance = budget(100, at_once=1), Allowance(500, 100)
        place = await places.acquire(TENANT, allowance)
        tasks = [asyncio.create_task(call(places, allowance)) for _ in range(3)]
        await asyncio.sleep(1)
        for step in (place.end, tasks[0].cancel) if given_first else (tasks[0].cancel, place.end):
            step()
        assert await asyncio.gather(*tasks[1:]) == [1, 1]

    simulate(scene)


# What is remembered


def test_tokens_whose_windows_are_empty_are_forgotten() -> None:
    async def scene() -> None:
        places = budget(10)
        for number in range(50):
            await call(places, Allowance(5, 9), tenant=Tenant(str(number)))
        assert places.tenants == 50
        await asyncio.sleep(61)
        await call(places, Allowance(5, 9))
        assert places.tenants == 1

    simulate(scene)


def test_of_too_many_tokens_those_with_the_fewest_calls_go_first() -> None:
    async def scene() -> None:
        places = budget(3, most_tenants=16)
        await calls(places, Allowance(5, 9), 3)
        under_way = await places.acquire(OTHER, Allowance(5, 9))
        for number in range(200):
            await call(places, Allowance(5, 9), tenant=Tenant(str(number)))
            assert places.tenants <= 16
        with pytest.raises(UpstreamRateLimited):
            await call(places, Allowance(5, 9))
        under_way.sent()
        under_way.end()
        assert len(refusals(await calls(places, Allowance(5, 9), 3, tenant=OTHER))) == 1

    simulate(scene)
