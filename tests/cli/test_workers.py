"""`serve --workers`: several processes on one port that end together and share the calls a minute."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.cli.serving import configuration
from gateway.settings import Settings
from tests.cli.conftest import Invoke
from tests.cli.processes import LONGEST_S, Running, started
from tests.conftest import Upstream
from tests.resilience.faulty import ANY, Faulty, slow
from tests.resilience.fixtures import faulty, faulty_server

__all__ = ["faulty", "faulty_server"]

TWO = ("serve", "--port", "0", "--workers", "2")
STARTED = r"Started server process \[(\d+)\]"


def origin_of(serve: Running) -> str:
    return serve.until(r"GraphQL at (\S+)/graphql, over")


def ask(origin: str) -> Any:
    """Ask something that takes one call, on a connection of its own, so that any worker may answer."""
    query = {"query": "{ district { name } }"}
    return httpx.post(
        f"{origin}/graphql", json=query, headers={"authorization": "Bearer TEST_TOKEN"}, timeout=20
    ).json()


@pytest.mark.slow
class TestTwoWorkers:
    def test_together_they_make_no_more_calls_a_minute_than_are_allowed_and_one_that_dies_is_replaced(
        self, upstream: Upstream
    ) -> None:
        upstream.reset()
        variables = {
            "GATEWAY_CLEVER_URL": upstream.origin,
            "GATEWAY_CALLS_PER_MINUTE": "11",
            "GATEWAY_DEADLINE": "5",
            "GATEWAY_CACHE": "false",
        }
        with started(*TWO, **variables) as serve:
            origin = origin_of(serve)
            answers = [ask(origin) for _ in range(40)]
            calls = sum(upstream.calls().values())
            first = set(re.findall(STARTED, serve.err))
            os.kill(int(min(first)), signal.SIGKILL)
            until = time.monotonic() + LONGEST_S
            while len(set(re.findall(STARTED, serve.err))) < 3 and time.monotonic() < until:
                time.sleep(0.05)
            assert len(set(re.findall(STARTED, serve.err)) - first) == 1
            serve.process.terminate()
            assert serve.end() == 0
        sound = [one for one in answers if one["data"]["district"]]
        refused = {error["extensions"]["code"] for one in answers for error in one.get("errors", ())}

        assert len(first) == 2
        assert refused == {"UPSTREAM_RATE_LIMITED"}
        assert 5 <= len(sound) <= 10
        assert calls == len(sound)

    def test_a_request_under_way_is_answered_before_they_end(self, faulty: Faulty) -> None:
        faulty.always(ANY, slow(1.0))
        answered: list[Any] = []
        with started(*TWO, GATEWAY_CLEVER_URL=faulty.origin) as serve:
            caller = threading.Thread(target=lambda origin: answered.append(ask(origin)), args=(origin_of(serve),))
            caller.start()
            while not faulty.asked:
                time.sleep(0.01)
            serve.process.terminate()

            assert serve.end() == 0
            caller.join()
        assert answered[0]["data"]["district"]["name"]

    def test_they_do_not_outlive_the_process_that_started_them(self, upstream: Upstream) -> None:
        with started(*TWO, GATEWAY_CLEVER_URL=upstream.origin) as serve:
            origin_of(serve)
            serve.process.kill()

            assert serve.end() == -signal.SIGKILL

    # Processes that fail at once are waited for as long as those that are slow to start.
    @pytest.mark.timeout(150)
    def test_a_failure_to_start_is_told_and_not_tried_for_ever(self) -> None:
        code = (
            "import functools, sys\n"
            "from gateway.cli.serving import listen\n"
            "from gateway.cli.terminal import Failure\n"
            "from gateway.cli.workers import run_workers\n"
            "try: run_workers(functools.partial(sys.exit, 3), 2, listen('127.0.0.1', 0), print, 1)\n"
            "except Failure as failure: print(failure)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)

        assert done.stdout == "the server did not start; the lines above say why.\n"


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_a_proxy_that_is_not_spoken_is_a_sentence(
    command: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example:1080")
    said = invoke(command)

    assert said.status == 1
    assert said.err == "clever-gateway: a proxy of the kind socks5 is not supported; name an HTTP proxy.\n"


def test_each_has_an_equal_share_of_the_calls_rounded_down() -> None:
    assert Settings().calls_per_worker == 1200
    assert Settings(workers=7).calls_per_worker == 171
    assert Settings(workers=3, calls_per_minute=3).calls_per_worker == 1


@pytest.mark.parametrize(
    ("workers", "calls", "sentence"),
    [
        ("0", "1200", "must be at least 1."),
        ("9", "8", "must not be more than there are calls a minute."),
    ],
)
def test_a_number_that_cannot_be_is_a_sentence(
    workers: str, calls: str, sentence: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_CALLS_PER_MINUTE", calls)
    said = invoke("serve", "--workers", workers)

    assert (said.status, said.err) == (2, f"clever-gateway: GATEWAY_WORKERS (or its option) {sentence}\n")


def test_parser_and_loop_are_the_fast_ones() -> None:
    config = configuration(None, 1.5)

    assert isinstance(config.http, type)
    assert issubclass(config.http, HttpToolsProtocol)
    assert (config.loop, config.timeout_graceful_shutdown) == ("uvloop", 2)
