"""Requests a second, the slowest hundredth and the CPU of one worker, beside ASGI that merely sends the same bytes.

    python -m tests.bench.serving [--seconds 4] [--rounds 3]

Every variant is a server of its own process, asked in turn, several times over; the middle round is shown. The load comes
from `wrk` where it is on PATH, else from a process with an asyncio client, which is the slower of the two.
"""

import argparse
import asyncio
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from gateway.app import create_app
from gateway.clever.transport import open_transport
from gateway.cli.serving import listen, run, settle
from gateway.observability.log import configure_logging
from gateway.settings import Settings

# Name, query, and how many are asked at once.
QUERIES = {
    "no call": ("{ __typename }", 32),
    "one call": ("{ district { name } }", 32),
    "rosters": (
        "{ district { schools(first: 1) { nodes { sections(first: 5) { nodes { students { nodes { name { last } } } } } } } } }",
        2,
    ),
}
HEADERS = {"authorization": "Bearer TEST_TOKEN", "content-type": "application/json"}


def _raw(_settings: Settings) -> Any:
    """Return an application that sends what the gateway answers to the first query."""
    body = b'{"data":{"__typename":"Query"}}'
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"private, no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"vary", b"Accept, Authorization"),
        (b"x-request-id", b"0" * 32),
    ]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _plain(settings: Settings) -> Any:
    return create_app(settings)


def _settled(settings: Settings) -> Any:
    app = create_app(settings)
    settle()
    return app


VARIANTS: dict[str, Callable[[Settings], Any]] = {
    "raw ASGI": _raw,
    "gateway, untuned": _plain,
    "gateway": _settled,
}


def _serve(variant: str, clever: str) -> None:
    settings = Settings(clever_url=clever, calls_per_minute=10**9)
    listener = listen("127.0.0.1", 0)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        configure_logging("info", nowhere)
        run(VARIANTS[variant](settings), listener, lambda: print(listener.getsockname()[1], flush=True))


@contextmanager
def _process(*command: str) -> Iterator[tuple[str, int]]:
    """Run a server; yield the origin that its first line of output names, or the port that it is, and its process."""
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        line = process.stdout.readline()
        found = re.search(r"http://[\d.:]+", line)
        yield found[0] if found else f"http://127.0.0.1:{int(line)}", process.pid
    finally:
        process.terminate()
        process.wait()


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used, 0 where the system does not tell."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _by_wrk(url: str, query: str, at_once: int, seconds: int) -> tuple[float, float]:
    """Return requests a second and the 99th percentile in milliseconds."""
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in HEADERS.items()]
    body = json.dumps({"query": query})
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join(['wrk.method = "POST"', f"wrk.body = [[{body}]]", *lines]))
        script.flush()
        command = ["wrk", "-t1", f"-c{at_once}", f"-d{seconds}s", "--latency", "-s", script.name, url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert slowest
    assert rate
    return float(rate[1]), float(slowest[1]) * {"us": 0.001, "ms": 1, "s": 1000}[slowest[2]]


def _by_asyncio(url: str, query: str, at_once: int, seconds: int) -> tuple[float, float]:
    """Return the same, from a process of our own."""
    command = [sys.executable, "-m", __spec__.name, "--load", url, query, str(at_once), str(seconds)]
    rate, slowest = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return rate, slowest


async def _load(url: str, query: str, at_once: int, seconds: float) -> tuple[float, float]:
    took: list[float] = []
    body = json.dumps({"query": query})
    ends = time.perf_counter() + seconds
    async with open_transport(url, at_once) as transport:

        async def one() -> None:
            while (started := time.perf_counter()) < ends:
                request = httpx.Request("POST", url, content=body, headers=HEADERS)
                response = await transport.handle_async_request(request)
                await response.aread()
                await response.aclose()
                assert response.status_code == 200
                took.append(time.perf_counter() - started)

        await asyncio.gather(*(one() for _ in range(at_once)))
    return len(took) / seconds, sorted(took)[math.floor(len(took) * 0.99)] * 1000


def _run(seconds: int, rounds: int) -> None:
    ask = _by_wrk if shutil.which("wrk") else _by_asyncio
    print(f"load by {'wrk' if ask is _by_wrk else 'asyncio'}")
    heard: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    with _process("gateway", "sandbox", "--preset", "tiny", "--port", "0", "--no-rate-limit") as (clever, _):
        for _ in range(rounds):
            for variant in VARIANTS:
                with _process(__spec__.name, "--serve", variant, clever) as (origin, pid):
                    for case, asked in QUERIES.items():
                        ask(f"{origin}/graphql", *asked, 1)
                        before = _cpu_s(pid)
                        rate, slowest = ask(f"{origin}/graphql", *asked, seconds)
                        cpu = (_cpu_s(pid) - before) / (rate * seconds) * 1e6
                        heard.setdefault((variant, case), []).append((rate, slowest, cpu))
    print(f"{'server':<20}" + "".join(f"{case + ', req/s':>18}{'p99 ms':>9}{'us CPU':>9}" for case in QUERIES))
    for variant in VARIANTS:
        cells = ""
        for case in QUERIES:
            rate, slowest, cpu = map(statistics.median, zip(*heard[variant, case], strict=True))
            cells += f"{rate:>18.0f}{slowest:>9.1f}{cpu:>9.0f}"
        print(f"{variant:<20}{cells}")


def main() -> None:
    """Measure every variant and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", nargs=2, metavar=("VARIANT", "CLEVER"), help=argparse.SUPPRESS)
    parser.add_argument("--load", nargs=4, metavar=("URL", "QUERY", "AT_ONCE", "SECONDS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve(*options.serve)
    elif options.load:
        url, query, at_once, seconds = options.load
        print(json.dumps(asyncio.run(_load(url, query, int(at_once), float(seconds)))))
    else:
        _run(options.seconds, options.rounds)


if __name__ == "__main__":
    main()
