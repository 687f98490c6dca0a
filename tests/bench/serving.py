"""Requests a second, the slowest hundredth and the CPU of one worker, beside ASGI that merely sends the same bytes.

    python -m tests.bench.serving [--seconds 4] [--rounds 3]

Every variant is a server of its own process, asked in turn, several times over; the middle round is shown. The load comes
from `wrk` where it is on PATH, else from a process with an asyncio client, which is the slower of the two.
"""

import argparse
import os
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.app import create_app
from gateway.cli.serving import listen, run, settle
from gateway.observability.log import configure_logging
from gateway.settings import Settings
from tests.bench.load import by_asyncio, by_wrk, cpu_s, process

# Name, query, and how many are asked at once.
QUERIES = {
    "no call": ("{ __typename }", 32),
    "one call": ("{ district { name } }", 32),
    "rosters": (
        "{ district { schools(first: 1) { nodes { sections(first: 5) { nodes { students { nodes { name { last } } } } } } } } }",
        2,
    ),
}


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


def _run(seconds: int, rounds: int) -> None:
    ask = by_wrk if shutil.which("wrk") else by_asyncio
    print(f"load by {'wrk' if ask is by_wrk else 'asyncio'}")
    heard: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    with process("-m", "gateway", "sandbox", "--preset", "tiny", "--port", "0", "--no-rate-limit") as (clever, _):
        for _ in range(rounds):
            for variant in VARIANTS:
                with process("-m", __spec__.name, "--serve", variant, clever) as (origin, pid):
                    for case, asked in QUERIES.items():
                        ask(f"{origin}/graphql", *asked, 1)
                        before = cpu_s(pid)
                        rate, slowest = ask(f"{origin}/graphql", *asked, seconds)
                        cpu = (cpu_s(pid) - before) / (rate * seconds) * 1e6
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
    options = parser.parse_args()
    if options.serve:
        _serve(*options.serve)
    else:
        _run(options.seconds, options.rounds)


if __name__ == "__main__":
    main()
