"""What callers notice of a Clever that misbehaves: shares of clean answers, time to recover, and load over minutes.

    python -m tests.bench.resilience [--requests 300] [--rate 0.2] [--outage 6] [--minutes 10] [--only share recovery load]

Sandbox and gateways are processes of their own, with their own defaults but for ages of a few seconds, so that what is
warm is read anew all the time. *Clean* is an answer without errors and with the data that Clever has; *lost* is a
request without an answer that is GraphQL. *Cold* keeps nothing (`GATEWAY_CACHE=false`), *warm* keeps what it read.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from gateway.sandbox import KINDS, PRESETS
from tests.cli.processes import Running, started

TOKENS = ("TEST_TOKEN", "TEST_TOKEN_2", "TEST_TOKEN_3")
QUERIES = (
    "{ district { name } schools { nodes { name } totalCount } }",
    "{ sections(first: 20) { nodes { name teacher { name { last } } school { name } "
    "students(first: 5) { nodes { name { last } } } } } }",
    "{ users(role: TEACHER, first: 10) { nodes { name { last } email } totalCount } }",
    "{ courses(first: 5) { nodes { name } } terms { nodes { name startDate } } }",
)
# Ages in seconds: fresh, then usable for as long again.
AGES = {f"GATEWAY_TTL_{name}": "2" for name in ("USERS", "SECTIONS", "OTHERS")}
QUIET = {"GATEWAY_LOG_LEVEL": "error"}
_RECOVERED_S = 3.0
_LONGEST_S = 75.0
_REST_S = 20.0


@dataclass
class Answered:
    """One request: when it was sent and answered, by the clock of `time.monotonic`, and how."""

    sent: float
    done: float
    clean: bool = False
    stale: bool = False
    lost: bool = False
    codes: tuple[str, ...] = ()


@dataclass
class Target:
    """A gateway in a process of its own, and what it must answer."""

    origin: str
    process: Running
    http: httpx.AsyncClient
    truth: dict[tuple[str, str], Any] = field(default_factory=dict)

    async def ask(self, query: str, token: str = TOKENS[0]) -> Answered:
        """Send a query."""
        sent = time.monotonic()
        try:
            headers = {"authorization": f"Bearer {token}"}
            response = await self.http.post(f"{self.origin}/graphql", json={"query": query}, headers=headers)
            body = response.json()
            codes = tuple(error["extensions"]["code"] for error in body.get("errors", ()))
            clean = response.status_code == 200 and not codes and body["data"] == self.truth.get((query, token))
            stale = "stale" in body.get("extensions", {}).get("clever", {})
        except (httpx.HTTPError, ValueError, KeyError) as error:
            return Answered(sent, time.monotonic(), lost=True, codes=(type(error).__name__,))
        return Answered(sent, time.monotonic(), clean, stale, codes=codes or (() if clean else ("OTHER_DATA",)))

    async def learn(self) -> None:
        """Ask everything once while nothing misbehaves; that is the truth, and warm what can be."""
        for token in TOKENS:
            for query in QUERIES:
                headers = {"authorization": f"Bearer {token}"}
                response = await self.http.post(f"{self.origin}/graphql", json={"query": query}, headers=headers)
                body = response.json()
                assert "errors" not in body, body
                self.truth[query, token] = body["data"]

    @property
    def rss(self) -> float:
        """Return the megabytes that the process takes, 0 where the system does not tell."""
        status = Path(f"/proc/{self.process.process.pid}/statm")
        return int(status.read_text(encoding="utf-8").split()[1]) * 4096 / 1e6 if status.exists() else 0.0


class Sandbox:
    """The sandbox's console."""

    def __init__(self, origin: str, http: httpx.AsyncClient) -> None:
        self.origin = origin
        self._http = http

    async def misbehave(self, *rules: dict[str, Any]) -> None:
        """Put rules in force; none ends all faults."""
        response = await self._http.post(f"{self.origin}/__sandbox/faults", json={"faults": rules})
        response.raise_for_status()

    async def stats(self) -> tuple[int, int]:
        """Return calls so far, and how many of them were beyond 1,200 a minute."""
        found = (await self._http.get(f"{self.origin}/__sandbox/stats")).json()
        return sum(found["calls"].values()), found["limited"]


@contextmanager
def gateway(clever: str, http: httpx.AsyncClient, **settings: str) -> Iterator[Target]:
    """Run a gateway."""
    with started("serve", "--port", "0", GATEWAY_CLEVER_URL=clever, **QUIET, **settings) as process:
        yield Target(process.until(r"GraphQL at (http://[\d.:]+)"), process, http)


def percent(answers: Sequence[Answered]) -> str:
    """Return the share of clean answers."""
    return f"{100 * sum(one.clean for one in answers) / max(1, len(answers)):.2f} %"


def slowest(answers: Sequence[Answered]) -> str:
    """Return the middle and the 99th percentile of the seconds that answers took."""
    took = sorted(one.done - one.sent for one in answers)
    return f"p50 {took[len(took) // 2]:.2f} s, p99 {took[int(len(took) * 0.99)]:.2f} s"


def codes(answers: Sequence[Answered]) -> str:
    """Return how often there was which error code."""
    found = Counter(code for one in answers for code in set(one.codes))
    return ", ".join(f"{code} {number}" for code, number in found.most_common()) or "none"


async def share(sandbox: Sandbox, cold: Target, warm: Target, requests: int, rate: float) -> None:
    """Print the share of clean answers while that share of all calls is struck by one of the mixed faults."""
    for name, target, pause in (("cold", cold, 0.15), ("warm", warm, 0.05)):
        await target.learn()
        calls, limited = await sandbox.stats()
        await sandbox.misbehave({"fault": "mixed", "rate": rate})
        pending = []
        for number in range(requests):
            # At an even pace, whatever becomes of those before: callers do not wait for each other.
            asked = target.ask(QUERIES[number % len(QUERIES)], TOKENS[number // len(QUERIES) % len(TOKENS)])
            pending.append(asyncio.create_task(asked))
            await asyncio.sleep(pause)
        answers = await asyncio.gather(*pending)
        await sandbox.misbehave()
        after, beyond = await sandbox.stats()
        stale = sum(one.stale for one in answers)
        print(
            f"{name}: {percent(answers)} of {requests} requests clean ({stale} stale), {slowest(answers)}; "
            f"{after - calls} calls, {beyond - limited} beyond the limit; errors: {codes(answers)}"
        )


async def recovery(sandbox: Sandbox, cold: Target, warm: Target, outage: float, faults: Sequence[str]) -> None:
    """Print for each fault what is answered while every call is struck, and how soon all is well after its end."""
    print(f"{'fault, on every call':<20}{'cold: clean':>12}{'warm: clean':>12}{'recovers':>10}   errors while cold")
    worst = 0.0
    for name in faults:
        await asyncio.gather(cold.learn(), warm.learn())
        await sandbox.misbehave({"fault": name})
        ends = asyncio.get_running_loop().create_future()
        probes = [asyncio.create_task(probe(target, ends)) for target in (cold, warm)]
        await asyncio.sleep(outage)
        await sandbox.misbehave()
        over = time.monotonic()
        ends.set_result(over)
        found = await asyncio.gather(*probes)
        during = [[one for one in answers if one.sent < over] for answers in found]
        recovered = time_to_recover(found[0], over)
        worst = max(worst, recovered)
        shares = "".join(f"{percent(answers):>12}" for answers in during)
        print(f"{name:<20}{shares}{recovered:>8.1f} s   {codes(during[0])}", flush=True)
    print(f"slowest recovery {worst:.1f} s")


async def probe(target: Target, ends: "asyncio.Future[float]") -> list[Answered]:
    """Ask five times a second until the fault has ended and everything has been clean for a while."""
    tasks: list[asyncio.Task[Answered]] = []
    for number in count():
        tasks.append(asyncio.create_task(target.ask(QUERIES[number % len(QUERIES)])))
        await asyncio.sleep(0.2)
        if ends.done():
            over = ends.result()
            passed = time.monotonic() - over
            late = [one for task in tasks if task.done() and (one := task.result()).sent > over]
            since = max([one.sent for one in late if not one.clean], default=over)
            well = [one for one in late if one.sent > since]
            if (well and time.monotonic() - min(one.done for one in well) > _RECOVERED_S) or passed > _LONGEST_S:
                break
    return await asyncio.gather(*tasks)


def time_to_recover(answers: Sequence[Answered], over: float) -> float:
    """Return the seconds until the first clean answer after which nothing failed that was asked later."""
    late = [one for one in answers if one.sent > over]
    since = max([one.sent for one in late if not one.clean], default=over)
    return min((one.done for one in late if one.sent > since), default=over + _LONGEST_S) - over


async def load(sandbox: Sandbox, warm: Target, minutes: float, workers: int) -> None:
    """Print what becomes of requests while faults flap for minutes."""
    await warm.learn()
    rules = (
        {"fault": "latency", "rate": 0.3, "seconds": 0.05, "jitter": 0.2},
        {"fault": "mixed", "rate": 0.5, "on": 7, "off": 5},
        {"fault": "429-bare+503", "rate": 1.0, "on": 3, "off": 37},
    )
    await sandbox.misbehave(*rules)
    answers: list[Answered] = []
    sent = 0
    ends = time.monotonic() + minutes * 60

    async def work(number: int) -> None:
        nonlocal sent
        for turn in count(number):
            if time.monotonic() >= ends:
                return
            sent += 1
            answers.append(await warm.ask(QUERIES[turn % len(QUERIES)], TOKENS[turn // len(QUERIES) % len(TOKENS)]))
            await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(work(number)) for number in range(workers)]
    calls, _ = await sandbox.stats()
    print(f"{'minute':>6}{'requests':>10}{'clean':>10}{'stale':>8}{'lost':>6}{'calls':>7}{'RSS MB':>8}", flush=True)
    print(f"{0:>6}{'':>41}{warm.rss:>8.0f}", flush=True)
    for minute in range(1, int(minutes) + 1):
        known = len(answers)
        await asyncio.sleep(max(0.0, ends - (minutes - minute) * 60 - time.monotonic()))
        last, now = answers[known:], await sandbox.stats()
        stale, lost = sum(one.stale for one in last), sum(one.lost for one in last)
        row = f"{minute:>6}{len(last):>10}{percent(last):>10}{stale:>8}{lost:>6}{now[0] - calls:>7}{warm.rss:>8.0f}"
        print(row, flush=True)
        calls = now[0]
    await asyncio.gather(*tasks)
    await sandbox.misbehave()
    lost = sum(one.lost for one in answers)
    at_the_end = warm.rss
    await asyncio.sleep(_REST_S)
    print(
        f"sent {sent}, answered {len(answers) - lost}, lost {lost}; clean {percent(answers)}, {slowest(answers)}; "
        f"calls beyond the limit {(await sandbox.stats())[1]}; RSS at the end {at_the_end:.0f} MB, at rest {warm.rss:.0f} MB; "
        f"errors: {codes(answers)}"
    )


async def run(options: argparse.Namespace) -> None:
    """Start everything and measure."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=90, limits=limits, trust_env=False) as http:
        with ExitStack() as stack:
            box = stack.enter_context(started("sandbox", "--port", "0", "--preset", options.preset))
            clever = box.until(r"at (http://[\d.:]+)/v3")
            cold = stack.enter_context(gateway(clever, http, GATEWAY_CACHE="false"))
            warm = stack.enter_context(gateway(clever, http, **AGES))
            sandbox = Sandbox(clever, http)
            if "share" in options.only:
                await share(sandbox, cold, warm, options.requests, options.rate)
            if "recovery" in options.only:
                await recovery(sandbox, cold, warm, options.outage, options.faults)
            if "load" in options.only:
                await load(sandbox, warm, options.minutes, options.workers)
            print(f"after all: {json.dumps((await http.get(f'{warm.origin}/healthz')).status_code)} from /healthz")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="sandbox", choices=PRESETS)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--rate", type=float, default=0.2)
    parser.add_argument("--outage", type=float, default=6.0, help="seconds that each fault lasts")
    parser.add_argument("--faults", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--only", nargs="+", default=["share", "recovery", "load"])
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
