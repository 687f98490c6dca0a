"""How often one caller may ask."""

import httpx
import pytest

from gateway.app import create_app
from gateway.errors import TryLater
from gateway.settings import Settings
from gateway.web import rates
from gateway.web.rates import Rates
from tests.conftest import Upstream
from tests.servers import running


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def taken(limit: Rates, caller: str, times: int) -> int:
    """Return how many of so many requests a caller may send."""
    count = 0
    for _ in range(times):
        try:
            limit.take(caller)
        except TryLater:
            continue
        count += 1
    return count


def test_a_caller_may_send_a_burst_and_then_so_many_a_second() -> None:
    clock = Clock()
    limit = Rates(rate=2, burst=5, clock=clock)

    assert taken(limit, "a", 20) == 5
    with pytest.raises(TryLater) as refused:
        limit.take("a")
    assert refused.value.extensions == {"code": "RATE_LIMITED", "retryAfter": 1}
    clock.now += 0.5
    assert taken(limit, "a", 20) == 1
    clock.now += 1
    assert taken(limit, "a", 20) == 2
    clock.now += 100
    assert taken(limit, "a", 20) == 5


def test_callers_share_nothing() -> None:
    limit = Rates(rate=1, burst=1, clock=Clock())

    assert [taken(limit, caller, 3) for caller in "abc"] == [1, 1, 1]


def test_whoever_comes_slowly_is_never_refused() -> None:
    clock = Clock()
    limit = Rates(rate=3, burst=1, clock=clock)
    for _ in range(1_000):
        limit.take("a")
        clock.now += 1 / 3


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    limit = Rates(rate=1, burst=2, clock=clock)
    for number in range(100):
        limit.take(number)
        clock.now += 2
    assert len(limit) == 1
    monkeypatch.setattr(rates, "_MOST_CALLERS", 10)
    for number in range(1_000):
        limit.take(number)
    assert len(limit) == 10


async def test_too_many_get_429_and_are_told_when_to_come_again(upstream: Upstream) -> None:
    settings = Settings(
        clever_url=upstream.origin, client_rate=0.01, client_burst=2, public_introspection=True, log_level="error"
    )
    body = {"query": "{ __typename }"}
    with running(create_app(settings)) as origin:
        async with httpx.AsyncClient(base_url=origin) as http:
            mine = {"authorization": "Bearer TEST_TOKEN"}
            statuses = [(await http.post("/graphql", json=body, headers=mine)).status_code for _ in range(2)]
            refused = await http.post("/graphql", json=body, headers=mine)
            another = await http.post("/graphql", json=body, headers={"authorization": "Bearer TEST_TOKEN_2"})
            nobody = [(await http.post("/graphql", json=body)).status_code for _ in range(3)]
            alive = [(await http.get("/healthz")).status_code for _ in range(5)]

    assert statuses == [200, 200]
    assert refused.status_code == 429
    assert 50 < int(refused.headers["retry-after"]) <= 100
    (error,) = refused.json()["errors"]
    assert error["extensions"] == {"code": "RATE_LIMITED", "retryAfter": int(refused.headers["retry-after"])}
    assert another.status_code == 200
    assert nobody == [200, 200, 429]
    assert alive == [200] * 5
