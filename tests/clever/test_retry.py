"""What is tried again, and how long to wait before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clever.retry import RETRYABLE, Backoff, latest_reset

LONGEST = Backoff(first_s=0.1, longest_s=5.0, pick=lambda _low, high: high)
SHORTEST = Backoff(first_s=0.1, longest_s=5.0, pick=lambda low, _high: low)
NOW = 1_700_000_000.0


def after_limit(backoff: Backoff, reset: str | None) -> float:
    return backoff.after_limit({} if reset is None else {"x-ratelimit-reset": reset}, now=lambda: NOW)


def test_failures_that_pass_are_tried_again_and_refusals_are_not() -> None:
    assert {429, 500, 502, 503} == RETRYABLE


def test_waits_after_failures_grow_up_to_the_longest() -> None:
    assert [LONGEST.after_failure(attempt) for attempt in (1, 2, 3, 4, 9)] == pytest.approx([0.1, 0.4, 1.6, 5.0, 5.0])


def test_waits_after_failures_have_full_jitter() -> None:
    assert [SHORTEST.after_failure(attempt) for attempt in (1, 2, 3)] == [0, 0, 0]


def test_a_limit_is_waited_out_until_its_reset_and_a_little_longer() -> None:
    assert after_limit(SHORTEST, str(NOW + 20)) == pytest.approx(20.05)
    assert after_limit(LONGEST, str(NOW + 20)) == pytest.approx(20.5)


def test_of_several_resets_the_latest_counts() -> None:
    assert after_limit(SHORTEST, f"{NOW + 3}, {NOW + 40}, {NOW + 5}") == pytest.approx(40.05)


def test_a_reset_that_is_past_costs_only_the_jitter() -> None:
    assert after_limit(SHORTEST, str(NOW - 1000)) == pytest.approx(0.05)


def test_a_reset_beyond_a_window_is_another_clock_and_costs_one_window() -> None:
    assert after_limit(LONGEST, str(NOW + 100_000)) == pytest.approx(60.5)


@pytest.mark.parametrize("reset", [None, "", "soon", "1,", "nan", "inf", "-inf", f"{NOW}, nan"])
def test_a_limit_without_a_readable_reset_is_waited_out_for_seconds(reset: str | None) -> None:
    assert after_limit(SHORTEST, reset) == 0.25
    assert after_limit(LONGEST, reset) == 5.0


@given(st.text() | st.floats().map(str) | st.integers().map(str))
def test_no_header_makes_a_wait_longer_than_a_window(reset: str) -> None:
    assert 0 < after_limit(LONGEST, reset) <= 60.5


@given(st.lists(st.integers(0, 2**40), min_size=1))
def test_the_latest_of_comma_joined_resets_is_read(resets: list[int]) -> None:
    assert latest_reset(", ".join(map(str, resets))) == max(resets)
