"""What a large district's people take in memory, and what it costs to look at them.

    python -m tests.bench.memory [--users 500000] [--decoded] [--process]

Pages of users, varied from a generated district's, are read as Clever would send them and put on a shelf as the whole
collection, with the indexes that relations use. Prints bytes a user by what Python has allocated, or by what the
process takes, and by the shelf's own estimate. Counting allocations slows everything down: times are true with
`--process`.
"""

import argparse
import asyncio
import gc
import random
import re
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gateway.access.source import Source
from gateway.cache.rows import RowsBuilder
from gateway.cache.shelf import Entry, Shelf
from gateway.cache.view import collection_key
from gateway.clever.allowance import Allowance
from gateway.clever.calls import MAX_LIMIT
from gateway.clever.catalogue import EVERYTHING, SCHOOL_USERS, USER_CONTACTS, USERS, Relation, Selection
from gateway.clever.client import CleverClient
from gateway.clever.decode import decode_page
from gateway.clever.records import ContactRole, Roles, School, StudentRole, User
from gateway.identity import Tenant
from gateway.sandbox import create_app

TOKEN = "TEST_TOKEN"
TENANT = Tenant(TOKEN)
USERS_OF_A_SCHOOL = 1_500
_ID = re.compile(r"[0-9a-f]{24}")
_DIGITS = re.compile(r"\d+")

STUDENT = User(id="f" * 24, roles=Roles(student=StudentRole(), contact=ContactRole()))
INDEXES: list[tuple[Relation, Selection]] = [
    (SCHOOL_USERS, EVERYTHING),
    (SCHOOL_USERS, Selection("student")),
    (USER_CONTACTS, EVERYTHING),
]


class Crowd:
    """Varies the people of a small district until there are enough of them."""

    def __init__(self, count: int, seed: int = 1) -> None:
        self._rng = random.Random(seed)
        records = create_app("median", seed, districts=1, rate_limit=None).records(TOKEN)["users"].values()
        self._models = [dict(record) for record in records]
        self._names = [record["name"] for record in self._models if record.get("name")]
        self._schools = [self._id() for _ in range(max(1, count // USERS_OF_A_SCHOOL))]
        self.ids = sorted({self._id() for _ in range(count)})

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def schools(self) -> tuple[School, ...]:
        """Return the schools at which people are."""
        return tuple(School(id=key) for key in sorted(self._schools))

    def pages(self) -> Iterator[bytes]:
        """Return the pages of the collection as Clever would send them."""
        for start in range(0, len(self.ids), MAX_LIMIT):
            data = [{"data": self._person(key)} for key in self.ids[start : start + MAX_LIMIT]]
            yield msgspec.json.encode({"data": data, "links": []})

    def _id(self) -> str:
        return f"5{self._rng.getrandbits(92):023x}"

    def _person(self, key: str) -> Any:
        model = self._rng.choice(self._models)
        homes = self._rng.choices(self._schools, k=2)
        names = {"first": self._rng.choice(self._names), "last": self._rng.choice(self._names)}
        name = {part: names[part].get(part) for part in names} | {"middle": model.get("name", {}).get("middle")}
        return self._varied(model, "", homes) | {"id": key, "name": name}

    def _varied(self, value: Any, field: str, homes: list[str]) -> Any:
        if isinstance(value, dict):
            return {key: self._varied(part, key, homes) for key, part in value.items()}
        if isinstance(value, list):
            return [self._varied(part, field, homes[number % 2 :]) for number, part in enumerate(value)]
        if not isinstance(value, str):
            return value
        if _ID.fullmatch(value):
            if field in ("school", "schools"):
                return homes[0]
            return self._rng.choice(self.ids) if field == "student" else value
        if "@" in value:
            return f"{self._rng.getrandbits(40):x}.{value}"
        return value if field in ("type", "state", "grade") else _DIGITS.sub(self._digits, value)

    def _digits(self, found: re.Match[str]) -> str:
        width = len(found[0])
        return f"{int(self._rng.random() * 10**width):0{width}d}"


def taken() -> int:
    """Return the bytes that Python has allocated where that is traced, else those of the process, if it is told."""
    gc.collect()
    if tracemalloc.is_tracing():
        return tracemalloc.get_traced_memory()[0]
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else 0


class Gauge:
    """Prints how much memory was taken since the beginning, a user."""

    def __init__(self, users: int) -> None:
        self._users = users
        self._before = taken()

    def show(self, what: str, estimate: int) -> None:
        print(f"{what:<44} {(taken() - self._before) / self._users:>10,.0f} {estimate / self._users:>10,.0f}")


def read(crowd: Crowd, most_decoded: float) -> Entry:
    """Read the whole collection."""
    builder = RowsBuilder(USERS.record, most_decoded)
    for body in crowd.pages():
        builder.add(decode_page(USERS, body, "/v3.1/users").records)
    return Entry(collection_key(USERS, None), USERS, time.monotonic(), builder.build())


async def run(crowd: Crowd, most_decoded: float) -> None:
    """Fill a shelf and print."""
    shelf = Shelf(2**40)
    gauge = Gauge(len(crowd))
    print(f"{len(crowd):,} users".ljust(44), f"{'taken':>10} {'estimate':>10}   bytes a user")
    entry = read(crowd, most_decoded)
    shelf.put(TENANT, entry)
    gauge.show("rows", shelf.bytes)
    source = Source(CleverClient("http://nobody", "v3.1"), shelf)
    for relation, selection in INDEXES:
        began = time.perf_counter()
        await source.index(TENANT, entry, (relation, selection), Allowance(600, 0))
        took = time.perf_counter() - began
        gauge.show(f"+ {relation.name} {selection.role or ''} ({took:.1f} s)", shelf.bytes)
    await source.aclose()


def main() -> None:
    """Make up a district and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=500_000)
    parser.add_argument("--decoded", action="store_true", help="hold the rows as records instead of packed")
    parser.add_argument("--process", action="store_true", help="measure the process instead of allocations")
    options = parser.parse_args()
    crowd = Crowd(options.users)
    if not options.process:
        tracemalloc.start()
    asyncio.run(run(crowd, float("inf") if options.decoded else -1))


if __name__ == "__main__":
    main()
