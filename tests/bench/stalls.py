"""The longest time that a large answer, or a large district, keeps the event loop from everybody else.

    python -m tests.bench.stalls [--objects 100000]
    python -m tests.bench.stalls --users 500000

Others' work is a task that does nothing but ask for its turn; the longest wait for it is printed, with the answer's size
and the time it took. Nothing goes upstream.

With `--users`, so many people are remembered packed, and each line is a question that is answered from them: windows,
sizes, look-ups by id, and relations, of which the first asked for has to be indexed.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx

from gateway.access.executor import Access
from gateway.access.source import Source
from gateway.access.wants import Window, want
from gateway.cache.rows import DecodedRows
from gateway.cache.shelf import Entry, Shelf
from gateway.cache.view import collection_key
from gateway.clever.allowance import Allowance
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import DISTRICT_USERS, SCHOOL_USERS, SCHOOLS, USER_CONTACTS, USERS, Selection
from gateway.clever.client import CleverClient
from gateway.cli.serving import settle
from gateway.engine.executor import Engine, Request
from gateway.sandbox import create_app
from gateway.schema.build import build_schema
from tests.bench.engine import Memory, context
from tests.bench.memory import STUDENT, TENANT, Crowd, read

FIELDS = "nodes { id cleverId email name { first last } student { grade gender sisId } }"


class Turns:
    """Waits for its turn over and over; `longest` is in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            self.longest = max(self.longest, now - last)
            last = now

    def stop(self) -> None:
        self._task.cancel()


async def measure(objects: int) -> None:
    """Answer a few times and print each."""
    memory, engine = Memory(), Engine(build_schema()._schema)
    parts = " ".join(f"a{number}: users(first: 2000) {{ {FIELDS} }}" for number in range(max(1, objects // 2_000)))
    prepared = engine.prepare(Request(f"{{ {parts} }}"))
    for _ in range(5):
        turns = Turns()
        await asyncio.sleep(0)
        started = time.perf_counter()
        answer = await engine.execute(prepared, context(memory))
        size = sum(map(len, answer.chunks()))
        took = time.perf_counter() - started
        del answer
        await asyncio.sleep(0)
        turns.stop()
        print(
            f"{objects} objects, {size / 1e6:.1f} MB, {took * 1000:.0f} ms, longest stall {turns.longest * 1000:.1f} ms"
        )


Question = Callable[[Access], Awaitable[object]]


def questions(crowd: Crowd) -> dict[str, Question]:
    """Return what is asked about a district, each in a request of its own."""
    schools, students = crowd.schools, Selection("student")
    people = RecordCall(USERS, STUDENT.id)
    anybody = [RecordCall(USERS, key) for key in crowd.ids[:: max(1, len(crowd) // 2_000)]]
    whole = Window(10_000)
    return {
        "first 10 users": lambda a: a.rows([want(DISTRICT_USERS, None, Window(10))]),
        "last 10 users": lambda a: a.rows([want(DISTRICT_USERS, None, Window(10, backward=True))]),
        "first 10,000 users": lambda a: a.rows([want(DISTRICT_USERS, None, whole)]),
        "how many users": lambda a: a.totals([want(DISTRICT_USERS, None, Window(10))]),
        "one user by id": lambda a: a.records([people]),
        f"{len(anybody):,} users by id": lambda a: a.records(anybody),
        "10 users of a school, to be indexed": lambda a: a.rows([want(SCHOOL_USERS, schools[0], Window(10))]),
        "10 users of a school": lambda a: a.rows([want(SCHOOL_USERS, schools[1], Window(10))]),
        "10 students of a school, to be indexed": lambda a: a.rows(
            [want(SCHOOL_USERS, schools[2], Window(10), students)]
        ),
        "contacts of a student, to be indexed": lambda a: a.rows([want(USER_CONTACTS, STUDENT, Window(10))]),
        "all students of a school": lambda a: a.rows([want(SCHOOL_USERS, schools[3], whole, students)]),
        "how many students in each school": lambda a: a.totals(
            [want(SCHOOL_USERS, school, Window(10), students) for school in schools]
        ),
        "10 students of each school, and how many": lambda a: a.rows(
            [want(SCHOOL_USERS, school, Window(10), students, whole=True) for school in schools]
        ),
    }


async def measure_district(users: int) -> None:
    """Remember a district, ask about it and print."""
    crowd, shelf = Crowd(users), Shelf(2**40)
    shelf.put(TENANT, read(crowd, -1))
    shelf.put(TENANT, Entry(collection_key(SCHOOLS, None), SCHOOLS, time.monotonic(), DecodedRows(crowd.schools)))
    asked = questions(crowd)
    settle()
    transport = httpx.ASGITransport(create_app("tiny", districts=1, rate_limit=None))
    async with CleverClient("http://sandbox", "v3.1", transport=transport) as client:
        source = Source(client, shelf)
        await source.check(TENANT, Allowance(60, 10))
        print(f"{users:,} users".ljust(44), f"{'took ms':>10} {'longest stall ms':>17} {'calls':>6}")
        for what, ask in asked.items():
            allowance = Allowance(600, 1_000)
            access = Access(source, TENANT, allowance)
            turns = Turns()
            await asyncio.sleep(0)
            began = time.perf_counter()
            await ask(access)
            took = time.perf_counter() - began
            await asyncio.sleep(0)
            turns.stop()
            access.close()
            print(f"{what:<44} {took * 1000:>10.1f} {turns.longest * 1000:>17.1f} {allowance.used:>6}", flush=True)
        turns = Turns()
        await asyncio.sleep(0)
        shelf.drop_tenant(TENANT)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        turns.stop()
        print(f"{'all of it dropped':<44} {'':>10} {turns.longest * 1000:>17.1f}")
        await source.aclose()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--users", type=int, help="ask about a district of so many people instead")
    options = parser.parse_args()
    asyncio.run(measure_district(options.users) if options.users else measure(options.objects))


if __name__ == "__main__":
    main()
