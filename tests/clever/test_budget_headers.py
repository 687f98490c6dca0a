"""What the budget makes of Clever's own count in `x-ratelimit-*`: others may use the same token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clever.allowance import Allowance
from gateway.errors import UpstreamRateLimited
from tests.clever.virtual import EPOCH, TENANT, budget, call, calls, refusals, simulate, told


def test_what_others_used_is_believed_until_the_reset() -> None:
    async def scene() -> None:
        places, allowance = budget(100), Allowance(500, 100)
        await call(places, allowance, headers=lambda: told(2, 40))
        found = await calls(places, allowance, 4)
        assert found == pytest.approx([0, 0, 40.05, 40.05])
        with pytest.raises(UpstreamRateLimited) as caught:
            await call(places, allowance, headers=lambda: told(0, 20))
            await call(places, Allowance(5, 9))
        assert caught.value.retry_after == 21

    simulate(scene)


def test_answers_out_of_order_do_not_raise_what_is_left() -> None:
    async def scene() -> None:
        places, allowance = budget(100), Allowance(10, 100)
        reset = {"x-ratelimit-reset": str(EPOCH + 30)}
        for left in ("1", "7", "4"):
            place = await places.acquire(TENANT, allowance)
            place.sent()
            place.report(reset | {"x-ratelimit-remaining": left})
            place.end()
        found = await calls(places, allowance, 3, seconds=1, headers=lambda: reset | {"x-ratelimit-remaining": "0"})
        assert (found[0], len(refusals(found))) == (0, 2)

    simulate(scene)


def test_a_later_window_replaces_an_earlier_one_and_a_late_answer_of_it_is_ignored() -> None:
    async def scene() -> None:
        places, allowance = budget(100), Allowance(10, 100)
        await call(places, allowance, headers=lambda: told(5, 30))
        await call(places, allowance, headers=lambda: told(90, 60))
        await call(places, allowance, headers=lambda: told(0, -1))
        assert await calls(places, allowance, 20) == [0] * 20

    simulate(scene)


def test_calls_without_an_answer_are_taken_to_have_counted() -> None:
    async def scene() -> None:
        places, allowance = budget(100), Allowance(10, 100)
        await call(places, allowance, headers=lambda: told(1, 30))
        place = await places.acquire(TENANT, allowance)
        place.sent()
        place.end()
        with pytest.raises(UpstreamRateLimited):
            await call(places, allowance)

    simulate(scene)


@pytest.mark.parametrize(("reset_in", "opens"), [(100_000, 60.05), (1e300, 60.05), (-5, 0), (-1e300, 0)])
def test_a_clock_that_differs_costs_one_window_at_most(reset_in: float, opens: float) -> None:
    async def scene() -> None:
        places, allowance = budget(100), Allowance(500, 100)
        await call(places, allowance, headers=lambda: told(0, reset_in))
        assert await call(places, allowance) == pytest.approx(opens)

    simulate(scene)


@pytest.mark.parametrize("remaining", ["0, 0", "7, 0", " 0 ,5"])
def test_of_several_buckets_the_scarcest_counts(remaining: str) -> None:
    async def scene() -> None:
        places, allowance = budget(100), Allowance(5, 100)
        reset = f"{EPOCH + 3}, {EPOCH + 30}"
        headers = {"x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}
        await call(places, allowance, headers=lambda: headers)
        with pytest.raises(UpstreamRateLimited) as caught:
            await call(places, allowance)
        assert caught.value.retry_after == 31

    simulate(scene)


NONSENSE = st.one_of(st.text(max_size=12), st.integers().map(str), st.floats().map(str))


@given(remaining=NONSENSE | st.none(), reset=NONSENSE | st.none())
def test_no_header_closes_a_window_for_longer_than_it_lasts(remaining: str | None, reset: str | None) -> None:
    headers = {"x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}

    async def scene() -> None:
        places, allowance = budget(100), Allowance(500, 100)
        await call(places, allowance, headers=lambda: {name: value for name, value in headers.items() if value})
        sent = await call(places, allowance)
        assert sent <= 60.05
        if remaining is None or reset is None:
            assert sent == 0

    simulate(scene)
