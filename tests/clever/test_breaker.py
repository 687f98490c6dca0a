"""After many failures in a row Clever is left alone, and tried again by one call at a time."""

import pytest

from gateway.clever.breaker import FAILURES, Breaker
from gateway.errors import UpstreamTimeout, UpstreamUnavailable


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def breaker(time: Time) -> Breaker:
    return Breaker(clock=time)


def answer(breaker: Breaker, status: int) -> None:
    with breaker.call() as tell:
        tell(status)


def fail(breaker: Breaker, times: int = FAILURES) -> None:
    for _ in range(times):
        with pytest.raises(UpstreamTimeout), breaker.call():
            raise UpstreamTimeout("too slow")


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    assert not breaker.is_open
    answer(breaker, 503)
    with pytest.raises(UpstreamUnavailable, match=r"asked again in 1\.0 s"):
        answer(breaker, 200)


def test_an_answer_between_them_closes_it(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    answer(breaker, 404)
    fail(breaker, FAILURES - 1)
    answer(breaker, 200)


def test_after_a_while_one_call_tries(breaker: Breaker, time: Time) -> None:
    fail(breaker)
    time.now = 1.0
    with breaker.call() as tell:
        with pytest.raises(UpstreamUnavailable):
            answer(breaker, 200)
        tell(200)
    answer(breaker, 200)


def test_a_try_that_hangs_does_not_keep_the_next_one_from_trying(breaker: Breaker, time: Time) -> None:
    fail(breaker)
    time.now = 1.0
    with pytest.raises(UpstreamTimeout), breaker.call():
        time.now = 2.9
        with pytest.raises(UpstreamUnavailable):
            answer(breaker, 200)
        time.now = 3.0
        answer(breaker, 200)
        raise UpstreamTimeout("too slow")
    answer(breaker, 200)


def test_the_wait_doubles_with_each_try_that_fails(breaker: Breaker, time: Time) -> None:
    fail(breaker)
    for wait in (1, 2, 4, 8, 8):
        with pytest.raises(UpstreamUnavailable, match=rf"in {wait}\.0 s"):
            answer(breaker, 200)
        time.now += wait
        fail(breaker, 1)


def test_a_try_that_is_cut_short_tells_nothing(breaker: Breaker, time: Time) -> None:
    fail(breaker)
    time.now = 1.0
    with pytest.raises(RuntimeError), breaker.call():
        raise RuntimeError("cut short")
    answer(breaker, 200)
    assert not breaker.is_open
