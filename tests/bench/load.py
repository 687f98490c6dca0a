"""Load for servers in processes of their own, and what they take of the processor: `wrk` where it is on PATH, else asyncio."""

import argparse
import asyncio
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from gateway.clever.transport import open_transport
from gateway.cli.serving import configuration, listen, run, settle
from gateway.observability.log import configure_logging

HEADERS = {"authorization": "Bearer TEST_TOKEN", "content-type": "application/json"}


@contextmanager
def process(*command: str, stdin: str = "") -> Iterator[tuple[str, int]]:
    """Run a server; yield the origin that its first line of output names, or the port that it is, and its process."""
    process = subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdin
        assert process.stdout
        process.stdin.write(stdin)
        process.stdin.close()
        line = process.stdout.readline()
        found = re.search(r"http://[\d.:]+", line)
        yield found[0] if found else f"http://127.0.0.1:{int(line)}", process.pid
    finally:
        process.terminate()
        process.wait()


def serve_quietly(app: Any, *, settled: bool = True) -> None:
    """Serve an ASGI application on a free port, and print the port; its log is written, as always, but to nowhere."""
    if settled:
        settle()
    listener = listen("127.0.0.1", 0)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        configure_logging("info", nowhere)
        run(app, listener, lambda: print(listener.getsockname()[1], flush=True))


def serve_as_uvicorn_does(app: Any) -> None:
    """Serve an ASGI application on a free port with uvicorn's own protocol, set as ours is, and print the port."""
    settle()
    listener = listen("127.0.0.1", 0)
    config = configuration(app, 2)
    config.http = "httptools"
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


def answering(answer: Callable[[bytes], tuple[list[tuple[bytes, bytes]], bytes]]) -> Any:
    """Return an ASGI application that sends the headers and the body which `answer` returns for a body."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers, body = answer((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def measure(
    doc: str | None, compare: Callable[[int, int], None], serve: Callable[[str, str], None], seconds: int, rounds: int
) -> None:
    """Run a benchmark as its arguments say: `compare` for so many seconds and rounds, or `serve` one of its variants."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=seconds)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--serve", nargs=2, metavar=("VARIANT", "CLEVER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
    else:
        compare(options.seconds, options.rounds)


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used, 0 where the system does not tell."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def by_wrk(url: str, query: str, at_once: int, seconds: int) -> tuple[float, float]:
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


def by_asyncio(url: str, query: str, at_once: int, seconds: int) -> tuple[float, float]:
    """Return the same, from a process of our own."""
    command = [sys.executable, "-m", __spec__.name, url, query, str(at_once), str(seconds)]
    rate, slowest = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return rate, slowest


async def load(url: str, query: str, at_once: int, seconds: float) -> tuple[float, float]:
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


def main() -> None:
    """Ask as the arguments say, and print what was measured."""
    parser = argparse.ArgumentParser()
    for name in ("url", "query", "at_once", "seconds"):
        parser.add_argument(name)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(load(options.url, options.query, int(options.at_once), float(options.seconds)))))


if __name__ == "__main__":
    main()
