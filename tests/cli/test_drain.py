"""SIGTERM: what is under way is answered, nobody new is let in, and the process ends as one that did its work."""

import json
import signal
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.cli.processes import LONGEST_S, Running, started
from tests.resilience.faulty import ANY, Faulty, slow
from tests.resilience.fixtures import faulty, faulty_server

__all__ = ["faulty", "faulty_server"]

SERVE = ("serve", "--port", "0")
QUERY = {"query": "{ district { name } }"}
HEADERS = {"authorization": "Bearer TEST_TOKEN"}


class Callers:
    """Requests in threads of their own, and what they get."""

    def __init__(self, origin: str, count: int) -> None:
        self.answers: list[Any] = []
        self._threads = [threading.Thread(target=self._ask, args=(origin, number)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self, origin: str, number: int) -> None:
        headers = {"authorization": f"Bearer token-{number}"}
        self.answers.append(httpx.post(f"{origin}/graphql", json=QUERY, headers=headers, timeout=LONGEST_S).json())

    def end(self) -> list[Any]:
        for thread in self._threads:
            thread.join()
        return self.answers


def origin_of(serve: Running) -> str:
    return serve.until(r"GraphQL at (\S+)/graphql, over")


def wait_until(condition: Any) -> None:
    ends = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def refuses(origin: str) -> bool:
    """Say whether nobody listens."""
    place = urlsplit(origin)
    try:
        socket.create_connection((place.hostname or "", place.port or 0), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def lines(serve: Running) -> list[Any]:
    """Return the lines of the access log."""
    found = [json.loads(line) for line in serve.err.splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == "request"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_under_way_is_answered_and_nobody_new_is_let_in(faulty: Faulty, workers: int) -> None:
    faulty.always(ANY, slow(3.0))
    with started(*SERVE, "--workers", str(workers), GATEWAY_CLEVER_URL=faulty.origin) as serve:
        origin = origin_of(serve)
        callers = Callers(origin, 6)
        wait_until(lambda: len(faulty.asked) == 6)
        serve.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(origin))
        assert serve.process.poll() is None
        answers = callers.end()

        assert serve.end() == 0
        told = lines(serve)
    assert [answer["data"]["district"]["name"] for answer in answers] == ["Example District"] * 6
    assert [line["status"] for line in told] == [200] * 6


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_delay_says_not_ready_and_goes_on_answering(faulty: Faulty, workers: int) -> None:
    variables = {"GATEWAY_CLEVER_URL": faulty.origin, "GATEWAY_DRAIN_DELAY": "4"}
    with started(*SERVE, "--workers", str(workers), **variables) as serve:
        origin = origin_of(serve)
        assert httpx.get(f"{origin}/readyz").status_code == 200
        serve.process.send_signal(signal.SIGTERM)
        wait_until(lambda: httpx.get(f"{origin}/readyz").status_code == 503)
        answer = httpx.post(f"{origin}/graphql", json=QUERY, headers=HEADERS, timeout=LONGEST_S)
        alive = httpx.get(f"{origin}/healthz").status_code

        assert serve.end() == 0
    assert answer.json()["data"]["district"]["name"]
    assert alive == 200


@pytest.mark.slow
def test_whoever_never_finishes_sending_does_not_hold_it_up(faulty: Faulty) -> None:
    with started(*SERVE, GATEWAY_CLEVER_URL=faulty.origin, GATEWAY_DEADLINE="1") as serve:
        place = urlsplit(origin_of(serve))
        with socket.create_connection((place.hostname or "", place.port or 0)) as caller:
            head = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n"
            caller.sendall(head + b"{")
            assert httpx.get(f"http://{place.netloc}/healthz").status_code == 200
            serve.process.send_signal(signal.SIGTERM)
            assert serve.end() == 0
