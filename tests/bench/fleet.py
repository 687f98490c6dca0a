"""What 1,000 districts of the national size mix take: calls, memory of a replica and of Redis, CPU, and what ends first.

    python -m tests.bench.fleet [--districts 1000] [--replicas 3] [--in-use 1.0] [--users 20000]

Bytes and times of a record are measured: people and classes of generated districts are read, packed, put into a real
Redis by one process and taken out by another. The rest is arithmetic over the sizes of US districts (NCES Digest of
Education Statistics, tables 85 and 86: share of districts and of pupils by size; mean district 3,659 pupils). All
districts in use read all people and classes anew every five minutes, the worst there is: rosters change once a day.
"""

import argparse
import asyncio
import math
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from gateway.cache.freshness import Lifetimes
from gateway.cache.indexes import IndexBuilder
from gateway.cache.rows import DecodedRows, RowsBuilder, packed, weight
from gateway.cache.shelf import Entry, Shelf
from gateway.cache.view import collection_key
from gateway.clever.calls import MAX_LIMIT
from gateway.clever.catalogue import SECTIONS, USERS, Resource
from gateway.clever.decode import decode_page
from gateway.clever.records import Record
from gateway.identity import Tenant
from gateway.sandbox import create_app
from tests.bench.memory import INDEXES, TOKEN, Crowd
from tests.redis_server import RedisServer, redis_server
from tests.sharing.scene import processes

# Share of districts, share of pupils, by size.
BANDS = {
    "25,000 and more": (0.017, 0.330),
    "10,000 to 24,999": (0.041, 0.189),
    "5,000 to 9,999": (0.073, 0.155),
    "2,500 to 4,999": (0.141, 0.151),
    "1,000 to 2,499": (0.236, 0.117),
    "600 to 999": (0.121, 0.029),
    "fewer than 600": (0.371, 0.029),
}
MEAN_PUPILS = 3_659
# People and classes for each pupil: pupils, contacts, teachers and staff; see the sandbox's presets.
ROLES = {"student": 1.0, "contact": 1.3, "teacher": 1 / 15, "staff": 1 / 170}
SECTIONS_OF_A_PUPIL = 0.3
TTL_MINUTES, CALLS_A_MINUTE, CACHE_BYTES = 5, 1_200, 512 * 1024 * 1024


@dataclass(frozen=True)
class Measured:
    """Of one record: bytes as sent by Clever, at hand decoded and packed with indexes, in Redis; CPU microseconds of
    reading it from Clever, of putting it into Redis and of taking it out.
    """

    sent: float
    decoded: float
    at_hand: float
    redis: float
    read_us: float
    put_us: float
    take_us: float


def pages_of(rows: Resource, count: int) -> list[bytes]:
    """Return pages as Clever sends them."""
    if rows is USERS:
        return list(Crowd(count).pages())
    app = create_app("median", 1, districts=1, rate_limit=None)
    asked = {"type": "http", "method": "GET", "path": "/v3.1/sections", "query_string": b"limit=10000"}
    headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
    return [app.respond({**asked, "headers": headers})[2]]


async def measure(server: RedisServer, rows: Resource, count: int) -> Measured:
    """Measure one kind of record."""
    pages = pages_of(rows, count)
    began = time.process_time()
    builder = RowsBuilder(rows.record, float("inf"))
    for body in pages:
        builder.add(decode_page(rows, body, rows.path).records)
    records: tuple[Record, ...] = builder.build().open().records
    read = time.process_time() - began
    entry = Entry(collection_key(rows, None), rows, time.monotonic(), DecodedRows(records))
    decoded, small = weight(records), Entry(entry.key, rows, 0.0, packed(rows.record, DecodedRows(records)))
    indexes = _indexes(small) if rows is USERS else 0
    tenant = Tenant(f"{TOKEN}_{rows.name}")
    with server.client() as client:
        async with AsyncExitStack() as stack:
            a, b = await stack.enter_async_context(processes(server, 2))
            before = client.info("memory")["used_memory_dataset"]
            writer, reader = a.store(Shelf(2**40), Lifetimes()), b.store(Shelf(2**40), Lifetimes())
            claim = await writer.claim(tenant, entry.key, 1, 1)
            began = time.process_time()
            writer.put(tenant, entry, claim)
            # It waits until what is being put is there.
            found: Any = await reader.claim(tenant, entry.key, 60, 60)
            both = time.process_time() - began
            assert len(found.rows) == len(records)
            taken = client.info("memory")["used_memory_dataset"] - before
            fresh = b.store(Shelf(2**40), Lifetimes())
            began = time.process_time()
            await fresh.claim(tenant, entry.key, 60, 60)
            take = time.process_time() - began
            for store in (writer, reader, fresh):
                await store.aclose()
    each = len(records)
    sent = sum(map(len, pages)) / each
    times = [1e6 * seconds / each for seconds in (read, both - take, take)]
    return Measured(sent, decoded / each, (small.rows.bytes + indexes) / each, taken / each, *times)


def _indexes(entry: Entry) -> int:
    """Return the bytes of the indexes that relations use."""
    for kind in INDEXES:
        builder = IndexBuilder(*kind)
        for _ in builder.steps(entry.rows.open()):
            pass
        entry.add_index(kind, builder.index)
    return entry.index_bytes


def show(people: Measured, classes: Measured, options: argparse.Namespace) -> None:
    """Print the arithmetic."""
    print(f"{'measured, of one':<18}{'sent':>8}{'decoded':>9}{'at hand':>9}{'Redis':>7} bytes", end="")
    print(f"{'read':>9}{'put':>7}{'take':>7} us of CPU")
    for name, one in (("person", people), ("class", classes)):
        print(f"{name:<18}{one.sent:>8.0f}{one.decoded:>9.0f}{one.at_hand:>9.0f}{one.redis:>7.0f}", end="")
        print(f"{one.read_us:>15.1f}{one.put_us:>7.1f}{one.take_us:>7.1f}")
    print(f"\n{'pupils':<18}{'districts':>10}{'each':>9}{'people':>12}{'calls a cycle':>15}{'of 1200 a minute':>18}")
    everybody = everything = calls = 0.0
    for name, (share, pupils_share) in BANDS.items():
        districts = options.districts * share
        pupils = MEAN_PUPILS * pupils_share / share
        users, sections = pupils * sum(ROLES.values()), pupils * SECTIONS_OF_A_PUPIL
        cycle = _cycle(pupils)
        everybody += districts * users
        everything += districts * sections
        calls += districts * cycle
        a_minute = cycle / TTL_MINUTES / CALLS_A_MINUTE
        print(f"{name:<18}{districts:>10.0f}{pupils:>9,.0f}{districts * users:>12,.0f}{cycle:>15}{a_minute:>18.2%}")
    largest = 1_000_000
    print(f"{'(New York City)':<18}{'':>10}{largest:>9,}{largest * sum(ROLES.values()):>12,.0f}", end="")
    print(f"{_cycle(largest):>15}{_cycle(largest) / TTL_MINUTES / CALLS_A_MINUTE:>18.2%}")
    _limits(people, classes, everybody * options.in_use, everything * options.in_use, calls * options.in_use, options)


def _limits(
    people: Measured, classes: Measured, users: float, sections: float, calls: float, options: argparse.Namespace
) -> None:
    def both(of_one: str) -> float:
        return float(users * getattr(people, of_one) + sections * getattr(classes, of_one))

    seconds = TTL_MINUTES * 60
    read, put, take = (both(one) / 1e6 / seconds for one in ("read_us", "put_us", "take_us"))
    alone, shared = options.replicas * read, read + put + (options.replicas - 1) * take
    hand, redis = both("at_hand"), both("redis")
    print(f"\n{users:,.0f} people and {sections:,.0f} classes in use, read anew every {TTL_MINUTES} minutes:")
    print(
        f"  calls to Clever: {calls / TTL_MINUTES:,.0f} a minute in all, and {options.replicas} times that without Redis"
    )
    print(
        f"  from Clever: {both('sent') / seconds / 1e6:.1f} MB/s; through Redis {redis / seconds / 1e6:.1f} MB/s a replica"
    )
    print(f"  Redis: {redis / 1e9:.2f} GB; a replica with everything at hand, packed and indexed: {hand / 1e9:.2f} GB")
    print(f"  (GATEWAY_CACHE_BYTES is {CACHE_BYTES / 1e9:.2f} GB by default: {min(1.0, CACHE_BYTES / hand):.0%} of it)")
    print(f"  CPU: {shared:.2f} cores over {options.replicas} replicas with Redis, {alone:.2f} without")
    core = users / (shared / options.replicas) / options.in_use
    print("\nwhere the next limits lie:")
    print(
        f"  a replica's memory: 16 GB hold everything of {options.districts * options.in_use * 16e9 / hand:,.0f} districts"
    )
    print(
        f"  a replica's core: full at {options.districts * core / users * options.in_use:,.0f} districts read anew all the time"
    )
    print(f"  Redis' memory: 64 GB hold {options.districts * options.in_use * 64e9 / redis:,.0f} districts")
    people_of_a_token = CALLS_A_MINUTE * TTL_MINUTES * MAX_LIMIT
    print(f"  a token's calls: a district of {people_of_a_token:,} records takes all of them; there is none")


def _cycle(pupils: float) -> int:
    """Return the calls of reading all people, by role, and all classes of a district."""
    counts = [pupils * share for share in (*ROLES.values(), SECTIONS_OF_A_PUPIL)]
    return sum(max(1, math.ceil(count / MAX_LIMIT)) for count in counts)


async def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    with redis_server() as server:
        people = await measure(server, USERS, options.users)
        classes = await measure(server, SECTIONS, options.users)
    show(people, classes, options)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--districts", type=int, default=1_000)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--in-use", type=float, default=1.0, help="share of the districts that are asked about at once")
    parser.add_argument("--users", type=int, default=20_000, help="people to measure with")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
