"""Three gateways on one Redis over one sandbox with its limit on, while one is killed and Redis is restarted.

    python -m tests.bench.replicas [--minutes 10] [--preset median] [--districts 6] [--pressure 5]

Each replica is a `clever-gateway serve` of its own process. Callers ask the canonical queries for all districts of any
replica, and for the first district look people up who are not remembered (`--pressure` a second). After a third of the
time one replica is killed, and another takes its place 15 s later; after half of it Redis is killed and started
again, empty. The sandbox notes every call. Prints the most calls of a token in any 60 s, how often whole collections
were read, answers that were lost or wrong, errors by cause, and how long answers took.
"""

import argparse
import asyncio
import itertools
import json
import math
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx

from gateway.cli.serving import listen, run
from gateway.sandbox import create_app
from gateway.sandbox.tokens import bearer, token_of
from tests.bench.calls import QUESTIONS
from tests.redis_server import KEY, RedisServer, redis_server

REPLICAS, CALLERS = 3, 6
TTL_S = 120
WINDOW_S = 60.0
_PORT = re.compile(r"http://127\.0\.0\.1:\d+")


class Noted:
    """A sandbox that notes when each call came, of which token, and what for."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._calls: list[tuple[float, str, str]] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/__bench/calls":
            body = json.dumps(self._calls).encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})
            return
        if scope["type"] == "http" and not scope["path"].startswith("/__"):
            token = bearer(dict(scope["headers"]).get(b"authorization")) or ""
            what = f"{scope['path'].split('/', 2)[2]}?{scope['query_string'].decode()}"
            self._calls.append((time.time(), token, what))
        await self._app(scope, receive, send)


@contextmanager
def process(*command: str, **variables: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a server; yield the origin that it names, and the process."""
    started = subprocess.Popen(
        [sys.executable, "-m", *command],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert started.stdout
        for line in started.stdout:
            if found := _PORT.search(line):
                break
        else:
            raise RuntimeError("the server did not start")
        yield found[0], started
    finally:
        started.terminate()
        try:
            started.wait(timeout=20)
        except subprocess.TimeoutExpired:
            started.kill()


class Load:
    """Asks replicas, and compares every answer with what it must be."""

    def __init__(self, right: dict[tuple[str, str], Any], people: list[str]) -> None:
        self._right = right
        self._people = people
        self.replicas: list[str] = []
        self.dying: set[str] = set()
        self.asked = self.wrong = self.lost = self.elsewhere = 0
        self.errors: Counter[str] = Counter()
        self.took: list[float] = []

    async def canonical(self, http: httpx.AsyncClient, until: float) -> None:
        """Ask canonical queries of any district until the end."""
        while time.monotonic() < until:
            token, query = random.choice(list(self._right))
            body = await self._ask(http, token, query)
            if body is not None and body["data"] != self._right[token, query]:
                self.wrong += 1
            await asyncio.sleep(random.uniform(0, 0.2))

    async def pressure(self, http: httpx.AsyncClient, until: float, a_second: float) -> None:
        """Look people of the first district up that nobody remembers."""
        tasks: set[asyncio.Task[None]] = set()
        while time.monotonic() < until:
            person = random.choice(self._people)
            task = asyncio.create_task(self._look_up(http, person))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            await asyncio.sleep(1 / a_second)
        await asyncio.gather(*tasks)

    async def _look_up(self, http: httpx.AsyncClient, person: str) -> None:
        query = f'{{ user(id: "{person}") {{ cleverId }} }}'
        body = await self._ask(http, token_of(0), query, {"cache-control": "no-cache"})
        if body is not None and body["data"] != {"user": {"cleverId": person}}:
            self.wrong += 1

    async def _ask(
        self, http: httpx.AsyncClient, token: str, query: str, more: dict[str, str] | None = None
    ) -> Any | None:
        """Return a body without errors; a replica that does not take connections is passed over."""
        headers = {"authorization": f"Bearer {token}", **(more or {})}
        self.asked += 1
        began = time.monotonic()
        for _ in range(10):
            replica = random.choice(self.replicas)
            try:
                response = await http.post(f"{replica}/graphql", json={"query": query}, headers=headers)
            except httpx.ConnectError:
                self.elsewhere += 1
                continue
            except httpx.TransportError as error:
                self.errors[
                    f"{type(error).__name__} of the killed replica" if replica in self.dying else repr(error)
                ] += 1
                return None
            body = response.json()
            self.took.append(time.monotonic() - began)
            if "errors" in body:
                self.errors.update(error["extensions"]["code"] for error in body["errors"])
                return None
            return body
        self.lost += 1
        return None


async def play(options: argparse.Namespace, stack: ExitStack, redis: RedisServer, clever: str) -> None:
    """Run the load and the trouble, and print."""
    seconds = options.minutes * 60
    variables = {
        "GATEWAY_CLEVER_URL": clever,
        "GATEWAY_REDIS_URL": redis.url,
        "GATEWAY_REDIS_KEY": KEY,
        "GATEWAY_TTL_USERS": str(TTL_S),
        "GATEWAY_TTL_SECTIONS": str(TTL_S),
        "GATEWAY_LOG_LEVEL": "error",
    }

    def replica() -> tuple[str, subprocess.Popen[str]]:
        return stack.enter_context(process("gateway", "serve", "--port", "0", **variables))

    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_keepalive_connections=50)) as http:
        right, people = await answers(http, options)
        running = [replica() for _ in range(REPLICAS)]
        load = Load(right, people)
        load.replicas = [origin for origin, _ in running]
        began, end = time.time(), time.monotonic() + seconds
        work = [asyncio.create_task(load.canonical(http, end)) for _ in range(CALLERS)]
        work.append(asyncio.create_task(load.pressure(http, end, options.pressure)))
        await asyncio.sleep(seconds / 3)
        load.dying.add(running[0][0])
        running[0][1].kill()
        print(f"{time.time() - began:5.0f} s: a replica is killed", flush=True)
        load.replicas.remove(running[0][0])
        await asyncio.sleep(15)
        load.replicas.append((await asyncio.to_thread(replica))[0])
        await asyncio.sleep(max(0.0, seconds / 2 - (time.time() - began)))
        await asyncio.to_thread(redis.kill)
        print(f"{time.time() - began:5.0f} s: Redis is killed", flush=True)
        await asyncio.sleep(3)
        await asyncio.to_thread(redis.start)
        await asyncio.gather(*work)
        calls = (await http.get(f"{clever}/__bench/calls")).json()
        limited = (await http.get(f"{clever}/__sandbox/stats")).json()["limited"]
    show(load, [tuple(call) for call in calls if call[0] >= began], limited, seconds)


async def answers(http: httpx.AsyncClient, options: argparse.Namespace) -> tuple[dict[tuple[str, str], Any], list[str]]:
    """Return what every query must be answered, from a gateway by itself over a sandbox of its own, and people's ids."""
    people: list[str] = []
    right: dict[tuple[str, str], Any] = {}
    sandbox = (__spec__.name, "--sandbox", options.preset, str(options.districts), "0")
    with (
        process(*sandbox) as (clever, _),
        process("gateway", "serve", "--port", "0", GATEWAY_CLEVER_URL=clever, GATEWAY_CALLS_PER_MINUTE="1000000") as (
            alone,
            _,
        ),
    ):
        for index in range(options.districts):
            for query in QUESTIONS.values():
                headers = {"authorization": f"Bearer {token_of(index)}"}
                body = (await http.post(f"{alone}/graphql", json={"query": query}, headers=headers)).json()
                assert "errors" not in body, body["errors"]
                right[token_of(index), query] = body["data"]
        body = (
            await http.post(
                f"{alone}/graphql",
                json={"query": "{ users(first: 2000) { nodes { cleverId } } }"},
                headers={"authorization": f"Bearer {token_of(0)}"},
            )
        ).json()
        people = [node["cleverId"] for node in body["data"]["users"]["nodes"]]
    return right, people


def show(load: Load, calls: list[tuple[float, str, str]], limited: int, seconds: float) -> None:
    """Print what came of it."""
    by_token: defaultdict[str, list[float]] = defaultdict(list)
    scans: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for at, token, what in calls:
        by_token[token].append(at)
        path, _, query = what.partition("?")
        if "limit=10000" in query and "/" not in path and "starting_after" not in query and path != "districts":
            scans[token, what].append(at)
    print(f"\n{load.asked} requests in {seconds:.0f} s; {len(calls)} calls to Clever, {limited} answered 429")
    print("most calls in any 60 s, by token:", {token: _most(at) for token, at in sorted(by_token.items())})
    early = sum(later - earlier < 0.9 * TTL_S for at in scans.values() for earlier, later in itertools.pairwise(at))
    first = Counter(sum(one < at[0] + TTL_S * 0.9 for one in at) for at in scans.values())
    print(f"{len(scans)} whole collections were read, {sum(map(len, scans.values()))} times in all")
    print(f"  reads of a collection while it was first fresh: {dict(first)} (reads: collections); {early} read early")
    print(f"lost {load.lost}, wrong {load.wrong}, asked another replica {load.elsewhere} times")
    print(f"errors: {dict(load.errors) or 'none'}")
    took = sorted(load.took)
    marks = {mark: took[min(len(took) - 1, math.floor(len(took) * mark / 100))] * 1000 for mark in (50, 95, 99, 100)}
    print("milliseconds: " + ", ".join(f"p{mark} {ms:.0f}" for mark, ms in marks.items()))


def _most(moments: list[float]) -> int:
    moments, start, most = sorted(moments), 0, 0
    for end, moment in enumerate(moments):
        while moments[start] <= moment - WINDOW_S:
            start += 1
        most = max(most, end - start + 1)
    return most


def serve_sandbox(preset: str, districts: int, limit: int) -> None:
    """Serve a sandbox that notes calls; 0 is no limit."""
    listener = listen("127.0.0.1", 0)
    app = Noted(create_app(preset, districts=districts, rate_limit=limit or None))
    run(app, listener, lambda: print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--preset", default="median")
    parser.add_argument("--districts", type=int, default=6)
    parser.add_argument("--pressure", type=float, default=5)
    parser.add_argument("--sandbox", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sandbox:
        preset, districts, limit = options.sandbox
        serve_sandbox(preset, int(districts), int(limit))
        return
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server())
        sandbox = (__spec__.name, "--sandbox", options.preset, str(options.districts), "1200")
        clever, _ = stack.enter_context(process(*sandbox))
        asyncio.run(play(options, stack, redis, clever))


if __name__ == "__main__":
    main()
