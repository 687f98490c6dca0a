"""A Redis that comes back empty gets back what is at hand: fresh, once, and nothing of what was dropped."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.cache.freshness import Lifetimes
from gateway.cache.redis.events import RedisDone
from gateway.cache.redis.store import RedisStore
from gateway.cache.shelf import Key, Shelf
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import COURSES
from gateway.identity import Tenant
from tests.redis_server import RedisServer
from tests.sharing.scene import A_RECORD, ALL_COURSES, ANOTHER, LONGEST_S, courses, entry, processes, until

ONE, OTHER = Tenant("one"), Tenant("other")
LIFETIMES = Lifetimes(others_s=100)
RECORDS = [RecordCall(COURSES, f"{number:024x}") for number in range(200)]


@dataclass
class Scene:
    """Some processes' stores over one Redis, and the exchanges that they had with it."""

    stores: Sequence[RedisStore]
    done: list[RedisDone] = field(default_factory=list)

    def put_bytes(self) -> int:
        """Return the bytes that were put."""
        return sum(one.bytes for one in self.done if one.action == "keep")

    async def is_shared(self, tenant: Tenant, keys: Sequence[Key]) -> None:
        """Wait until all stores have these entries at hand."""
        async with asyncio.timeout(LONGEST_S):
            for store in self.stores:
                while not all(has(store, tenant, key) for key in keys):
                    await store.recall(tenant, keys)
                    await asyncio.sleep(0.005)


def has(store: RedisStore, tenant: Tenant, key: Key) -> bool:
    assert store.shelf is not None
    return key in store.shelf.roster(tenant).entries


async def read(store: RedisStore, tenant: Tenant, key: Key, *, age_s: float = 0.0, rows: int = 1) -> None:
    """Let a process read something from Clever, so many seconds ago."""
    claim = await store.claim(tenant, key, 0, 0)
    store.put(tenant, entry(key, time.monotonic() - age_s, courses(rows)), claim)


@asynccontextmanager
async def scene(server: RedisServer, count: int = 2) -> AsyncIterator[Scene]:
    """Open the stores of so many processes that look often whether Redis is there."""
    found, before = Scene([]), listening(server)
    async with processes(server, count, silent_s=0.5, on_redis=found.done.append) as shared:
        found.stores = [one.store(Shelf(100_000_000), LIFETIMES) for one in shared]
        await until(lambda: listening(server) == before + count)
        yield found
        for store in found.stores:
            await store.aclose()


def listening(server: RedisServer) -> int:
    """Return how many processes hear news."""
    with server.client() as client:
        return sum(count for _channel, count in client.pubsub_numsub(*client.pubsub_channels()))


def held(server: RedisServer) -> set[bytes]:
    """Return the names of the entries in Redis."""
    with server.client() as client:
        return {key for key in client.scan_iter(count=1000) if key.rsplit(b":", 2)[1] == b"e"}


def is_taught(server: RedisServer) -> bool:
    """Say whether what was learned of a tenant's Clever is in Redis."""
    with server.client() as client:
        return any(client.hexists(key, "s") for key in client.scan_iter(count=1000) if key.endswith(b":t"))


async def test_all_that_was_there_is_there_again_and_was_put_once(own_server: RedisServer) -> None:
    async with scene(own_server, 3) as found:
        keys: list[Key] = [*RECORDS, ALL_COURSES]
        for key in keys:
            await read(found.stores[0], ONE, key, rows=20_000 if key is ALL_COURSES else 1)
        found.stores[0].teach(ONE, b"what was learned")
        await found.is_shared(ONE, keys)
        await until(lambda: is_taught(own_server))
        before = held(own_server)
        once = found.put_bytes()
        found.done.clear()

        own_server.restart()
        # What was learned is put last.
        await until(lambda: held(own_server) == before and is_taught(own_server))
        # Each of the three has all of it.
        assert found.put_bytes() < 1.3 * once
        async with scene(own_server, 1) as later:
            learned: list[bytes] = []
            later.stores[0].hear(lambda _tenant: None, lambda *_told: None, lambda _tenant, it: learned.append(it))
            await later.is_shared(ONE, keys)
            await until(lambda: learned == [b"what was learned"])


async def test_one_that_was_emptied_without_going_away_is_noticed(own_server: RedisServer) -> None:
    async with scene(own_server) as found:
        await read(found.stores[0], ONE, A_RECORD)
        await found.is_shared(ONE, [A_RECORD])
        before = held(own_server)
        with own_server.client() as client:
            client.flushall()
        await until(lambda: held(own_server) == before)


async def test_what_was_read_while_it_was_away_is_put_when_it_is_back(own_server: RedisServer) -> None:
    async with scene(own_server) as found:
        await read(found.stores[0], ONE, A_RECORD)
        await found.is_shared(ONE, [A_RECORD])
        own_server.kill()
        await read(found.stores[0], ONE, ANOTHER)
        own_server.start()
        await found.is_shared(ONE, [A_RECORD, ANOTHER])


async def test_what_is_not_fresh_or_of_an_unknown_time_is_not_put(own_server: RedisServer) -> None:
    async with scene(own_server) as found:
        await read(found.stores[0], ONE, A_RECORD)
        await read(found.stores[0], ONE, ANOTHER, age_s=101)
        await found.is_shared(ONE, [A_RECORD, ANOTHER])
        own_server.kill()
        # Of this tenant nobody has heard: others may have dropped it.
        await read(found.stores[0], OTHER, A_RECORD)
        own_server.start()
        await until(lambda: held(own_server))
        await until(lambda: all(one._restoring.settled for one in found.stores))
        assert len(held(own_server)) == 1


async def test_what_was_dropped_while_it_was_away_is_dropped_by_all(own_server: RedisServer) -> None:
    async with scene(own_server) as found:
        a, b = found.stores
        for tenant in (ONE, OTHER):
            await read(a, tenant, A_RECORD)
            await found.is_shared(tenant, [A_RECORD])
        own_server.kill()
        a.drop_tenant(ONE)
        own_server.start()
        await until(lambda: not has(b, ONE, A_RECORD))
        await until(lambda: len(held(own_server)) == 1)
        assert has(b, OTHER, A_RECORD)
        async with scene(own_server, 1) as later:
            await later.is_shared(OTHER, [A_RECORD])
            assert not await later.stores[0].recall(ONE, [A_RECORD])


async def test_a_drop_that_redis_forgot_before_all_had_heard_of_it_still_holds(own_server: RedisServer) -> None:
    async with scene(own_server) as found:
        a, b = found.stores
        for tenant in (ONE, OTHER):
            await read(a, tenant, A_RECORD)
            await found.is_shared(tenant, [A_RECORD])
        # It hears no news: only what Redis tells it when it asks.
        b._link._tasks[1].cancel()
        a.drop_tenant(ONE)
        await until(lambda: len(held(own_server)) == 1)
        assert has(b, ONE, A_RECORD)
        own_server.restart()
        await until(lambda: not has(b, ONE, A_RECORD))
        await until(lambda: len(held(own_server)) == 1)
        assert has(b, OTHER, A_RECORD)
        assert not await a.recall(ONE, [A_RECORD])


async def test_the_latest_drop_counts_whoevers_clock_is_ahead(own_server: RedisServer) -> None:
    async with scene(own_server) as found:
        a, b = found.stores
        await read(a, ONE, A_RECORD)
        await found.is_shared(ONE, [A_RECORD])
        with own_server.client() as client:
            [table] = client.keys("*:t")
            ahead = f"{int(time.time() * 1000) + 3_600_000:012x}{0:012x}".encode()
            client.hset(table, "g", ahead)
            [name] = held(own_server)
            client.hset(name, "g", ahead)
            a.drop_tenant(ONE)
            await until(lambda: held(own_server) == set())
            await until(lambda: not has(b, ONE, A_RECORD))
            assert client.hget(table, "g") > ahead
        await read(b, ONE, ANOTHER)
        await found.is_shared(ONE, [ANOTHER])
