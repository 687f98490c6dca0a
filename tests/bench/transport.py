"""What one call costs by the HTTP transport under httpx: CPU of the caller, the server being another process.

    python -m tests.bench.transport [--rounds 3]

Each candidate that is installed runs in a process of its own, in turn, several times over; the middle round is shown.
`small` is a 2 KB answer at 20 calls at once, `page` one of 3 MB at 2 at once. A ratio is stock httpx's CPU by this one's.
"""

import argparse
import asyncio
import gzip
import importlib.metadata
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from importlib.util import find_spec
from typing import Any, Self

import httpx
import uvicorn

from gateway.clever.transport import open_transport

RECORD = json.dumps({"data": {"id": "5" * 24, "name": "x" * 1900}, "links": []}).encode()
ROW = {"data": {"id": "5" * 24, "name": {"first": "Ada", "last": "Lovelace"}, "email": "a@example.com"}, "uri": "/v3.1"}
PAGE = json.dumps({"data": [ROW] * 23_000, "links": []}).encode()
BODIES = {"/small": (RECORD, False), "/page": (PAGE, False), "/packed": (gzip.compress(PAGE, 6), True)}
CASES = {"small": (4000, 20), "page": (60, 2), "packed": (60, 2)}
STOCK = "httpx, stock"


def _stock() -> httpx.AsyncBaseTransport:
    # httpcore looks for sniffio at each lock: what a plain `pip install httpx` brings today is without it.
    sys.modules["sniffio"] = None  # type: ignore[assignment]
    return httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=32, max_keepalive_connections=32))


def _with_sniffio() -> httpx.AsyncBaseTransport:
    return httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=32, max_keepalive_connections=32))


def _httpx_aiohttp() -> httpx.AsyncBaseTransport:
    from httpx_aiohttp import AiohttpTransport

    transport: httpx.AsyncBaseTransport = AiohttpTransport(limits=httpx.Limits(max_connections=32))
    return transport


def _pyreqwest() -> httpx.AsyncBaseTransport:
    from pyreqwest.compatibility.httpx import HttpxTransport

    transport: httpx.AsyncBaseTransport = HttpxTransport()
    return transport


def _httpx2(_origin: str) -> Any:
    import httpx2

    return httpx2.AsyncClient(limits=httpx2.Limits(max_connections=32, max_keepalive_connections=32))


def _under(make: Callable[[], httpx.AsyncBaseTransport]) -> Callable[[str], Any]:
    return lambda _origin: httpx.AsyncClient(transport=make(), timeout=20)


class _Bare:
    """A transport called as `CleverClient` does, without httpx's client."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._transport.aclose()

    @asynccontextmanager
    async def stream(self, method: str, url: str, headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
        timeout = {"connect": 20, "read": 20, "write": 20, "pool": 20}
        request = httpx.Request(method, url, headers=headers, extensions={"timeout": timeout})
        async with aclosing(await self._transport.handle_async_request(request)) as response:
            yield response


# Name, distribution that must be there beside httpx, and how to make a client.
CANDIDATES: dict[str, tuple[str, Callable[[str], Any]]] = {
    STOCK: ("httpx", _under(_stock)),
    "httpx + sniffio": ("sniffio", _under(_with_sniffio)),
    "httpx2": ("httpx2", _httpx2),
    "httpx + httpx-aiohttp": ("httpx-aiohttp", _under(_httpx_aiohttp)),
    "httpx + pyreqwest": ("pyreqwest", _under(_pyreqwest)),
    "httpx + the gateway's": ("aiohttp", lambda origin: httpx.AsyncClient(transport=open_transport(origin, 32))),
    "the gateway's alone": ("aiohttp", lambda origin: _Bare(open_transport(origin, 32))),
}


async def _fetch(client: Any, url: str) -> None:
    async with client.stream("GET", url, headers={"authorization": "Bearer a-token"}) as response:
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
    assert response.status_code == 200
    assert size > 1900


async def _shared_out(count: int, at_once: int, call: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Return CPU and wall seconds of `count` calls."""

    async def some() -> None:
        for _ in range(count // at_once):
            await call()

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(some() for _ in range(at_once)))
    return time.process_time() - cpu, time.perf_counter() - wall


async def _measure(name: str, origin: str) -> dict[str, tuple[float, float]]:
    """Return CPU microseconds for a call, and calls a second, by case."""
    found = {}
    async with CANDIDATES[name][1](origin) as client:
        for case, (count, at_once) in CASES.items():
            url = f"{origin}/{case}"
            await _shared_out(2 * at_once, at_once, lambda url=url: _fetch(client, url))  # type: ignore[misc]
            cpu, wall = await _shared_out(count, at_once, lambda url=url: _fetch(client, url))  # type: ignore[misc]
            found[case] = (cpu / count * 1e6, count / wall)
    return found


async def _app(scope: Any, receive: Any, send: Any) -> None:
    body, packed = BODIES[scope["path"]]
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"content-encoding", b"gzip")] if packed else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _serve() -> None:
    config = uvicorn.Config(_app, port=0, http="httptools", lifespan="off", log_level="error", access_log=False)
    listener = config.bind_socket()
    listener.listen(128)
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", __spec__.name, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _run(rounds: int) -> None:
    wanted = []
    for name, (distribution, _) in CANDIDATES.items():
        if _version(distribution) is None:
            print(f"skipped: {name} ({distribution} is not installed)")
        else:
            wanted.append(name)
    heard: dict[str, list[dict[str, list[float]]]] = {name: [] for name in wanted}
    with _server() as origin:
        for _ in range(rounds):
            for name in wanted:
                command = [sys.executable, "-m", __spec__.name, "--measure", name, origin]
                done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
                heard[name].append(json.loads(done.stdout))
    middle = {
        name: {case: statistics.median(one[case][0] for one in rounds) for case in CASES}
        for name, rounds in heard.items()
    }
    print(f"{'transport':<24}" + "".join(f"{case + ', us CPU':>17} {'ratio':>6}" for case in CASES) + f"{'small/s':>9}")
    for name, cpu in middle.items():
        cells = "".join(f"{cpu[case]:>17.0f} {middle[STOCK][case] / cpu[case]:>6.1f}" for case in CASES)
        print(f"{name:<24}{cells}{statistics.median(one['small'][1] for one in heard[name]):>9.0f}")


def main() -> None:
    """Measure every candidate and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "ORIGIN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve()
    elif options.measure:
        if find_spec("uvloop"):
            import uvloop

            uvloop.install()
        print(json.dumps(asyncio.run(_measure(*options.measure))))
    else:
        _run(options.rounds)


if __name__ == "__main__":
    main()
