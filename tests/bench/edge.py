"""What the edge costs: requests a second of a small query with a known document, and the slowest hostile documents.

    python -m tests.bench.edge [--seconds 5] [--connections 16]

The gateway runs in a process of its own and asks nobody: the query is about a type's name. The load is wrk's where it is
installed, else an asyncio loop's. Times of documents are of the processor, the best of ten.
"""

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from gateway.engine.documents import DocumentCache
from gateway.errors import GatewayError
from gateway.schema.build import build_schema
from tests.engine.hostile import JUDGED, REFUSED, UNREAD

BODY = '{"query":"query Small($a: Boolean = true) { kind: __typename @include(if: $a) }"}'
HEADERS = {"content-type": "application/json", "authorization": "Bearer nobody"}
TRIES = 10


@contextmanager
def serving() -> Iterator[str]:
    """Run `serve` on a free port and yield its endpoint."""
    command = [sys.executable, "-m", "gateway", "serve", "--port", "0", "--clever-url", "http://127.0.0.1:9"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        found = None
        while not found:
            found = re.search(r"(http://\S+/graphql)", process.stderr.readline())
        # Whoever does not read the log stops the server once the pipe is full.
        subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        yield found[1]
    finally:
        process.terminate()
        process.wait()


def by_wrk(url: str, seconds: int, connections: int) -> float:
    """Return requests a second by wrk."""
    headers = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in HEADERS.items())
    with TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(f"wrk.method = 'POST'\nwrk.body = '{BODY}'\n{headers}", encoding="utf-8")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Non-2xx" not in done.stdout, done.stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


async def by_asyncio(url: str, seconds: int, connections: int) -> float:
    """Return requests a second by a loop in this process."""
    until = time.perf_counter() + seconds
    done = 0

    async def ask(http: httpx.AsyncClient) -> None:
        nonlocal done
        while time.perf_counter() < until:
            (await http.post(url, content=BODY, headers=HEADERS)).raise_for_status()
            done += 1

    async with httpx.AsyncClient(trust_env=False) as http:
        await asyncio.gather(*[ask(http) for _ in range(connections)])
    return done / seconds


def slowest() -> list[tuple[float, str]]:
    """Return the milliseconds that each hostile document takes until it is refused or ready, the slowest first."""
    schema = build_schema()._schema
    texts = {**{name: text for name, (text, _) in (REFUSED | JUDGED).items()}, **UNREAD}
    times = []
    for name, text in texts.items():
        best = float("inf")
        for _ in range(TRIES):
            cache = DocumentCache(schema)
            started = time.process_time()
            with suppress(GatewayError):
                cache.prepare(text)
            best = min(best, time.process_time() - started)
        times.append((best * 1000, name))
    return sorted(times, reverse=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    with serving() as url:
        if shutil.which("wrk"):
            rate = by_wrk(url, options.seconds, options.connections)
        else:
            rate = asyncio.run(by_asyncio(url, options.seconds, options.connections))
    print(f"{rate:,.0f} requests/s of a known document")
    for milliseconds, name in slowest()[:10]:
        print(f"{milliseconds:6.1f} ms  {name}")


if __name__ == "__main__":
    main()
