"""Requests a second, the slowest hundredth and the CPU of one worker, beside ASGI that merely sends the same bytes.

    python -m tests.bench.serving [--seconds 4] [--rounds 3]

Every variant is a server of its own process, asked in turn, several times over; the middle round is shown. The load comes
from `wrk` where it is on PATH, else from a process with an asyncio client, which is the slower of the two.
"""

import shutil
import statistics
from typing import Any

from gateway.app import create_app
from gateway.settings import Settings
from tests.bench.load import answering, by_asyncio, by_wrk, cpu_s, measure, process, serve_quietly

# Name, query, and how many are asked at once.
QUERIES = {
    "no call": ("{ __typename }", 32),
    "one call": ("{ district { name } }", 32),
    "rosters": (
        "{ district { schools(first: 1) { nodes { sections(first: 5) { nodes { students { nodes { name { last } } } } } } } } }",
        2,
    ),
}


VARIANTS = ("raw ASGI", "gateway, untuned", "gateway")


def _raw() -> Any:
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

    return answering(lambda _asked: (headers, body))


def _serve(variant: str, clever: str) -> None:
    app = _raw() if variant == "raw ASGI" else create_app(Settings(clever_url=clever, calls_per_minute=10**9))
    serve_quietly(app, settled=variant != "gateway, untuned")


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
    measure(__doc__, _run, _serve, seconds=4, rounds=3)


if __name__ == "__main__":
    main()
