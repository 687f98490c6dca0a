"""What answers cost at the edge: one given again, one worked out from memory, and ASGI that merely sends the same bytes.

    python -m tests.bench.again [--seconds 1] [--rounds 9]

Each is a server in a process of its own, with the same settings of uvicorn; they are asked in turn, several times over,
and medians are shown, of the ratios to what sends the same bytes too. `us CPU` is the processor's time of the server for
one request, the figure that other work on the machine disturbs least. `raw ASGI` is served by uvicorn as it is, `raw,
gathered` as the gateway is, whose connections send what is written in one turn together.
"""

import json
import shutil
import statistics
import sys
from contextlib import ExitStack

import httpx

from gateway.app import create_app
from gateway.settings import Settings
from tests.bench.load import (
    HEADERS,
    answering,
    by_asyncio,
    by_wrk,
    cpu_s,
    measure,
    process,
    serve_as_uvicorn_does,
    serve_quietly,
)

QUERIES = {
    "district": "{ district { name } }",
    "20 people": "{ users(first: 20) { nodes { cleverId email name { first last } } } }",
    "200 people": "{ users(first: 200) { nodes { cleverId email name { first last } } } }",
}
AT_ONCE = 32
# Header fields that the server itself adds to every answer.
_SERVERS = {"date", "server"}


def _serve(variant: str, clever: str) -> None:
    if not variant.startswith("raw"):
        given_again = variant == "given again"
        serve_quietly(create_app(Settings(clever_url=clever, calls_per_minute=10**9, response_cache=given_again)))
        return
    answers = {}
    for asked, headers, body in json.load(sys.stdin):
        answers[asked.encode()] = [(name.encode(), value.encode()) for name, value in headers], body.encode()
    (serve_as_uvicorn_does if variant == "raw ASGI" else serve_quietly)(answering(answers.__getitem__))


def _recorded(origin: str) -> str:
    """Return the answers of a gateway as JSON: of each query the body asked, the headers and the body answered."""
    found = []
    with httpx.Client(trust_env=False) as http:
        for query in QUERIES.values():
            body = json.dumps({"query": query})
            for _ in range(2):
                answer = http.post(f"{origin}/graphql", content=body, headers=HEADERS)
            assert answer.json()["data"], answer.text
            headers = [pair for pair in answer.headers.multi_items() if pair[0] not in _SERVERS]
            found.append((body, headers, answer.text))
    return json.dumps(found)


def _run(seconds: int, rounds: int) -> None:
    ask = by_wrk if shutil.which("wrk") else by_asyncio
    heard: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    module = ("-m", __spec__.name, "--serve")
    with ExitStack() as servers:
        sandbox = "-m", "gateway", "sandbox", "--preset", "tiny", "--port", "0", "--no-rate-limit"
        clever, _ = servers.enter_context(process(*sandbox))
        running = {
            variant: servers.enter_context(process(*module, variant, clever))
            for variant in ("given again", "worked out")
        }
        answers = _recorded(running["given again"][0])
        for variant in ("raw, gathered", "raw ASGI"):
            running[variant] = servers.enter_context(process(*module, variant, clever, stdin=answers))
        for _ in range(rounds):
            for case, query in QUERIES.items():
                taken = {}
                for variant, (origin, pid) in running.items():
                    before = cpu_s(pid)
                    rate, _slowest = ask(f"{origin}/graphql", query, AT_ONCE, seconds)
                    taken[variant] = (cpu_s(pid) - before) / (rate * seconds) * 1e6, rate
                for variant, (cpu, rate) in taken.items():
                    raw_cpu, raw_rate = taken["raw ASGI"]
                    heard.setdefault((variant, case), []).append((cpu, raw_cpu / cpu, rate, rate / raw_rate))
    print(f"{'':<12}{'server':<14}{'us CPU':>8}{'of raw':>8}{'req/s':>10}{'of raw':>8}")
    for case in QUERIES:
        for variant in running:
            cpu, of_cpu, rate, of_rate = map(statistics.median, zip(*heard[variant, case], strict=True))
            print(f"{case:<12}{variant:<14}{cpu:>8.1f}{of_cpu:>8.2f}{rate:>10,.0f}{of_rate:>8.2f}")


def main() -> None:
    """Measure and print."""
    measure(__doc__, _run, _serve, seconds=1, rounds=9)


if __name__ == "__main__":
    main()
