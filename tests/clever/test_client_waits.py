"""How long CleverClient waits, how often it tries, and what one request may spend."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from gateway.clever.allowance import Allowance
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import SCHOOLS, USERS
from gateway.clever.client import CleverClient
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    QueryTooComplex,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.identity import Tenant
from tests.resilience.faulty import ANY, Faulty, slow, status
from tests.resilience.fixtures import connect
from tests.resilience.roster import NORTH, SOUTH, STUDENTS

TENANT = Tenant("a-token")
SCHOOL = RecordCall(SCHOOLS, NORTH)
SCHOOL_PATH = f"/schools/{NORTH}"


@pytest.fixture
async def client(faulty: Faulty) -> AsyncIterator[CleverClient]:
    async with connect(faulty) as client:
        yield client


def allowance(calls: int = 100, seconds: float = 10.0) -> Allowance:
    return Allowance(seconds, calls)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Check that something takes no longer."""
    started = time.perf_counter()
    yield
    assert time.perf_counter() - started < seconds


def reset_in(seconds: float) -> str:
    return str(time.time() + seconds)


# What one request may spend


async def test_tries_count_against_the_allowance(faulty: Faulty, client: CleverClient) -> None:
    faulty.on(SCHOOL_PATH, status(500), status(503))
    spent = allowance()
    await client.record(TENANT, SCHOOL, spent)
    assert (spent.used, spent.calls_left) == (3, 97)


async def test_no_call_is_sent_beyond_the_allowance(faulty: Faulty, client: CleverClient) -> None:
    spent = allowance(calls=2)
    faulty.always(SCHOOL_PATH, status(500))
    with pytest.raises(QueryTooComplex):
        await client.record(TENANT, SCHOOL, spent)
    assert spent.used == len(faulty.asked) == 2


async def test_calls_side_by_side_share_the_allowance(faulty: Faulty, client: CleverClient) -> None:
    spent = allowance(calls=3)
    calls = [RecordCall(USERS, key) for key in STUDENTS]
    found = await asyncio.gather(*[client.record(TENANT, call, spent) for call in calls], return_exceptions=True)
    assert sum(isinstance(one, QueryTooComplex) for one in found) == 3
    assert len(faulty.asked) == 3


async def test_no_call_is_sent_once_the_time_is_over(faulty: Faulty, client: CleverClient) -> None:
    with pytest.raises(DeadlineExceeded):
        await client.record(TENANT, SCHOOL, allowance(seconds=0))
    assert faulty.asked == []


# Slow answers


async def test_a_call_that_takes_too_long_is_a_timeout_and_tried_again(faulty: Faulty) -> None:
    faulty.on(SCHOOL_PATH, slow(5))
    async with connect(faulty, timeout_s=0.15) as client:
        with within(1):
            assert await client.record(TENANT, SCHOOL, allowance()) is not None
    assert len(faulty.asked) == 2


async def test_a_call_that_always_takes_too_long_is_a_timeout(faulty: Faulty) -> None:
    faulty.always(SCHOOL_PATH, slow(5))
    async with connect(faulty, timeout_s=0.05) as client:
        with within(1), pytest.raises(UpstreamTimeout, match="GATEWAY_UPSTREAM_TIMEOUT"):
            await client.record(TENANT, SCHOOL, allowance())
    assert len(faulty.asked) == 3


async def test_the_deadline_ends_a_call_under_way(faulty: Faulty, client: CleverClient) -> None:
    faulty.always(SCHOOL_PATH, slow(5))
    with within(0.6), pytest.raises(DeadlineExceeded):
        await client.record(TENANT, SCHOOL, allowance(seconds=0.15))
    assert len(faulty.asked) == 1


async def test_the_deadline_ends_the_wait_for_a_free_slot(faulty: Faulty) -> None:
    faulty.on(ANY, slow(0.6))
    async with connect(faulty, concurrency=1) as client:
        first = asyncio.create_task(client.record(TENANT, SCHOOL, allowance()))
        await asyncio.sleep(0.05)
        with within(0.4), pytest.raises(DeadlineExceeded):
            await client.record(Tenant("another"), RecordCall(SCHOOLS, SOUTH), allowance(seconds=0.1))
        assert await first is not None
    assert faulty.targets == [SCHOOL_PATH]


async def test_no_more_calls_are_under_way_than_there_are_slots(faulty: Faulty) -> None:
    faulty.always(ANY, slow(0.05))
    async with connect(faulty, concurrency=2) as client:
        started = time.perf_counter()
        await asyncio.gather(*[client.record(TENANT, RecordCall(USERS, key), allowance()) for key in STUDENTS])
        assert time.perf_counter() - started >= 0.15


async def test_a_cancelled_call_gives_its_slot_back(faulty: Faulty) -> None:
    faulty.on(ANY, slow(5))
    async with connect(faulty, concurrency=1) as client:
        task = asyncio.create_task(client.record(TENANT, SCHOOL, allowance()))
        await asyncio.sleep(0.05)
        task.cancel()
        with within(1):
            assert await client.record(TENANT, SCHOOL, allowance()) is not None


# Rate windows


async def test_a_limit_within_the_allowance_is_waited_out(faulty: Faulty, client: CleverClient) -> None:
    faulty.on(SCHOOL_PATH, status(429, x_ratelimit_reset=reset_in(0.15)))
    started = time.perf_counter()
    spent = allowance()
    assert await client.record(TENANT, SCHOOL, spent) is not None
    assert 0.15 <= time.perf_counter() - started < 1
    assert spent.used == 2


@pytest.mark.parametrize("reset", ["1", "1, 2"])
async def test_a_reset_that_is_past_is_tried_again_at_once(faulty: Faulty, client: CleverClient, reset: str) -> None:
    faulty.on(SCHOOL_PATH, status(429, x_ratelimit_reset=reset))
    with within(0.5):
        assert await client.record(TENANT, SCHOOL, allowance()) is not None


async def test_a_limit_without_a_reset_is_waited_out_for_a_moment(faulty: Faulty, client: CleverClient) -> None:
    faulty.on(SCHOOL_PATH, status(429))
    started = time.perf_counter()
    assert await client.record(TENANT, SCHOOL, allowance()) is not None
    assert 0.25 <= time.perf_counter() - started < 1


@pytest.mark.parametrize("names", ["{}", "1, {}", "{}, 1"])
async def test_a_limit_beyond_the_allowance_is_refused_at_once_with_the_time_to_wait(
    faulty: Faulty, client: CleverClient, names: str
) -> None:
    faulty.on(SCHOOL_PATH, status(429, x_ratelimit_reset=names.format(reset_in(30))))
    with within(0.5), pytest.raises(UpstreamRateLimited) as caught:
        await client.record(TENANT, SCHOOL, allowance(seconds=5))
    assert 29 <= caught.value.retry_after <= 31
    assert len(faulty.asked) == 1


async def test_while_the_window_is_closed_no_call_of_the_tenant_is_sent(faulty: Faulty, client: CleverClient) -> None:
    faulty.on(SCHOOL_PATH, status(429, x_ratelimit_reset=reset_in(30)))
    for _ in range(3):
        with pytest.raises(UpstreamRateLimited) as caught:
            await client.record(TENANT, SCHOOL, allowance(seconds=5))
        assert 28 <= caught.value.retry_after <= 31
    assert len(faulty.asked) == 1


async def test_other_tenants_are_not_held_back(faulty: Faulty, client: CleverClient) -> None:
    faulty.on(SCHOOL_PATH, status(429, x_ratelimit_reset=reset_in(30)))
    with pytest.raises(UpstreamRateLimited):
        await client.record(TENANT, SCHOOL, allowance(seconds=5))
    with within(0.5):
        assert await client.record(Tenant("another"), SCHOOL, allowance()) is not None


async def test_a_limit_that_does_not_end_is_refused_after_the_last_try(faulty: Faulty, client: CleverClient) -> None:
    faulty.always(SCHOOL_PATH, status(429, x_ratelimit_reset="1"))
    with within(1), pytest.raises(UpstreamRateLimited):
        await client.record(TENANT, SCHOOL, allowance())
    assert len(faulty.asked) == 3


async def test_calls_that_wait_for_a_slot_see_that_the_window_has_closed(faulty: Faulty) -> None:
    faulty.on(ANY, lambda _sound: slow(0.1)(status(429, x_ratelimit_reset=reset_in(30))(_sound)))
    async with connect(faulty, concurrency=1) as client:
        calls = [RecordCall(USERS, key) for key in STUDENTS]
        found = await asyncio.gather(
            *[client.record(TENANT, call, allowance(seconds=5)) for call in calls], return_exceptions=True
        )
    assert all(isinstance(one, UpstreamRateLimited) for one in found)
    assert len(faulty.asked) == 1


async def test_a_later_limit_without_a_reset_does_not_open_a_closed_window(
    faulty: Faulty, client: CleverClient
) -> None:
    other = RecordCall(SCHOOLS, SOUTH)
    faulty.on(SCHOOL_PATH, status(429, x_ratelimit_reset=reset_in(30)))
    faulty.on(f"/schools/{SOUTH}", lambda sound: slow(0.1)(status(429)(sound)))
    calls = [client.record(TENANT, one, allowance(seconds=5)) for one in (SCHOOL, other)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, UpstreamRateLimited) for one in found)
    with pytest.raises(UpstreamRateLimited) as caught:
        await client.record(TENANT, SCHOOL, allowance(seconds=5))
    assert caught.value.retry_after > 20


async def test_errors_name_no_id_and_no_token(faulty: Faulty) -> None:
    errors: list[GatewayError] = []
    async with connect(faulty, timeout_s=0.05) as client:
        for fault in (status(500, b"a secret body"), status(418), status(401), slow(1), status(302)):
            faulty.always(SCHOOL_PATH, fault)
            with pytest.raises(GatewayError) as caught:
                await client.record(Tenant("a-secret-token"), SCHOOL, allowance())
            errors.append(caught.value)
    assert isinstance(errors[0], UpstreamUnavailable)
    assert not any(text in f"{error!r}{error}" for error in errors for text in (NORTH, "secret"))
