"""The rate window of a token, on a clock that only the test moves."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from gateway.sandbox import create_app
from tests.servers import running


@dataclass
class Clock:
    """A clock in unix seconds."""

    now: float = 1_700_000_000.7

    def __call__(self) -> float:
        return self.now


@dataclass
class Limited:
    """A sandbox that allows five calls a minute."""

    client: httpx.Client
    clock: Clock

    def ask(self, path: str = "/v3.1/schools", token: str = "TEST_TOKEN") -> httpx.Response:
        return self.client.get(path, headers={"authorization": f"Bearer {token}"})

    def remaining(self, token: str = "TEST_TOKEN", path: str = "/v3.1/schools") -> int:
        return int(self.ask(path, token).headers["x-ratelimit-remaining"])


@pytest.fixture(scope="module")
def shared() -> Iterator[Limited]:
    clock = Clock()
    app = create_app("tiny", districts=2, rate_limit=5, clock=clock)
    with running(app) as origin, httpx.Client(base_url=origin) as client:
        yield Limited(client, clock)


@pytest.fixture
def limited(shared: Limited) -> Limited:
    shared.clock.now = 1_700_000_000.7
    assert shared.client.post("/__sandbox/reset").status_code == 200
    return shared


def test_the_window_starts_at_the_token_s_first_call(limited: Limited) -> None:
    headers = limited.ask().headers
    assert headers["x-ratelimit-bucket"] == "bearer"
    assert headers["x-ratelimit-limit"] == "5"
    assert headers["x-ratelimit-remaining"] == "4"
    assert headers["x-ratelimit-reset"] == "1700000060"
    limited.clock.now += 59.2
    later = limited.ask().headers
    assert (later["x-ratelimit-remaining"], later["x-ratelimit-reset"]) == ("3", "1700000060")


def test_the_next_window_starts_with_the_first_call_after_the_reset(limited: Limited) -> None:
    limited.ask()
    limited.clock.now = 1_700_000_060.0
    assert limited.ask().headers["x-ratelimit-reset"] == "1700000120"
    limited.clock.now = 1_700_000_500.9
    assert limited.ask().headers["x-ratelimit-reset"] == "1700000560"


def test_a_spent_window_answers_429_with_nothing_in_it(limited: Limited) -> None:
    assert [limited.ask().status_code for _ in range(5)] == [200] * 5
    response = limited.ask()
    assert (response.status_code, response.content) == (429, b"")
    assert "retry-after" not in response.headers
    assert "content-type" not in response.headers
    assert response.headers["x-ratelimit-remaining"] == "0"
    assert response.headers["x-ratelimit-reset"] == "1700000060"
    limited.clock.now = 1_700_000_060.0
    assert limited.ask().status_code == 200


def test_every_kind_of_answer_spends_a_call(limited: Limited) -> None:
    paths = ["/v3.1/schools/x", "/v3.1/nothing", "/v3.1/users?limit=0", "/v3.1/resources", "/v3.1/me"]
    assert [limited.remaining(path=path) for path in paths] == [4, 3, 2, 1, 0]
    assert limited.ask("/v3.1/nothing").status_code == 429


def test_each_token_has_a_window_of_its_own(limited: Limited) -> None:
    for _ in range(6):
        limited.ask()
    assert limited.remaining("TEST_TOKEN_2") == 4
    assert limited.remaining("TEST_TOKEN_NO_SYNC", "/v3.1/districts") == 4
    assert limited.remaining("ilc_DEMO_TEACHER_TOKEN", "/v3.1/me") == 4
    assert limited.ask().status_code == 429


def test_an_unknown_token_has_headers_but_no_window(limited: Limited) -> None:
    for _ in range(7):
        response = limited.ask(token="stranger")
        assert response.status_code == 401
        assert response.headers["x-ratelimit-remaining"] == "5"
        assert response.headers["x-ratelimit-reset"] == "1700000060"


def test_oauth_and_console_are_not_limited_and_have_no_rate_headers(limited: Limited) -> None:
    for _ in range(7):
        for path in ("/__sandbox/stats", "/__sandbox/districts"):
            assert limited.client.get(path).status_code == 200
        response = limited.client.get("/oauth/tokens", auth=("sandbox-client", "sandbox-secret"))
        assert response.status_code == 200
        assert not [name for name in response.headers if name.startswith("x-ratelimit")]


def test_limited_calls_are_counted_and_reset_clears_counts_and_windows(limited: Limited) -> None:
    for _ in range(7):
        limited.ask()
    assert limited.client.get("/__sandbox/stats").json() == {"calls": {"/schools": 7}, "limited": 2}
    limited.client.post("/__sandbox/reset")
    assert limited.client.get("/__sandbox/stats").json() == {"calls": {}, "limited": 0}
    assert limited.remaining() == 4


def test_the_limit_is_clever_s_by_default() -> None:
    app = create_app("tiny", districts=1)
    scope = {"type": "http", "method": "GET", "path": "/v3.1/schools", "query_string": b"", "headers": []}
    headers = dict(app.respond({**scope, "headers": [(b"authorization", b"Bearer TEST_TOKEN")]})[1])
    assert (headers[b"x-ratelimit-limit"], headers[b"x-ratelimit-remaining"]) == (b"1200", b"1199")


@pytest.mark.parametrize("wrong", [0, -5])
def test_a_limit_below_one_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="rate_limit"):
        create_app("tiny", districts=1, rate_limit=wrong)
