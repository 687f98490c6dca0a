"""Stores keep one contract: what one process puts another finds, one reads for all, and what is dropped is gone for all."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.access.sharing import Store
from gateway.cache.embedded import EmbeddedStore
from gateway.cache.freshness import Lifetimes
from gateway.cache.shelf import Entry, Key, Shelf
from gateway.identity import Tenant
from tests.redis_server import RedisServer
from tests.sharing.scene import A_RECORD, ALL_COURSES, ANOTHER, LONGEST_S, courses, entry, processes, until

ONE, OTHER = Tenant("one"), Tenant("other")
FRESH_S, MISSING_S = 100.0, 10.0


@dataclass
class Heard:
    """What a store has told of others."""

    dropped: list[Tenant] = field(default_factory=list)
    accepted: list[tuple[Tenant, float]] = field(default_factory=list)
    learned: list[bytes] = field(default_factory=list)


@dataclass
class Pair:
    """Two processes' stores, or twice that of one."""

    a: Store
    b: Store
    heard: Heard

    async def found(self, tenant: Tenant, key: Key) -> Entry | None:
        """Return what the second one has at hand once it has asked for it."""
        await self.b.recall(tenant, [key])
        return at_hand(self.b, tenant, key)

    async def comes(self, tenant: Tenant, key: Key) -> Entry:
        """Return what the second one has as soon as it has it."""
        async with asyncio.timeout(LONGEST_S):
            while (entry := await self.found(tenant, key)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return entry


def at_hand(store: Store, tenant: Tenant, key: Key) -> Entry | None:
    assert store.shelf is not None
    return store.shelf.roster(tenant).entries.get(key)


@asynccontextmanager
async def embedded() -> AsyncIterator[Pair]:
    store = EmbeddedStore(Shelf(10_000_000))
    yield Pair(store, store, Heard())
    await store.aclose()


@asynccontextmanager
async def over_redis(server: RedisServer, **options: Any) -> AsyncIterator[Pair]:
    async with processes(server, 2, **options) as shared:
        a, b = (one.store(Shelf(10_000_000), Lifetimes()) for one in shared)
        pair = Pair(a, b, Heard())
        assert b.shelf

        def dropped(tenant: Tenant) -> None:
            pair.heard.dropped.append(tenant)
            b.shelf.drop_tenant(tenant)  # type: ignore[union-attr]

        b.hear(
            dropped, lambda *told: pair.heard.accepted.append(told), lambda _tenant, it: pair.heard.learned.append(it)
        )
        with server.client() as client:
            await until(lambda: client.pubsub_numsub(shared[0].link.names.channel)[0][1] == 2)
        yield pair
        await a.aclose()
        await b.aclose()


@pytest.fixture(params=["embedded", "redis", "redis, not encrypted"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """Return a pair of stores of each kind."""
    if request.param == "embedded":
        async with embedded() as pair:
            yield pair
    else:
        async with over_redis(request.getfixturevalue("server"), encrypt="not" not in request.param) as pair:
            yield pair


@pytest.mark.parametrize("rows", [0, 1, 300, 20_000])
async def test_what_one_puts_another_finds(stores: Pair, rows: int) -> None:
    at = time.monotonic() - 20
    stores.a.put(ONE, entry(ALL_COURSES, at, courses(rows)))
    claim = await stores.a.claim(ONE, A_RECORD, 0, 0)
    stores.a.put(ONE, entry(ALL_COURSES, at, courses(rows)), claim)
    found = await stores.comes(ONE, ALL_COURSES)
    assert found.rows.open().records == courses(rows)
    assert found.at == pytest.approx(at, abs=0.05)
    assert found.resource is ALL_COURSES[0].rows
    assert not found.missing


async def claimed(store: Store, tenant: Tenant, key: Key) -> Any:
    """Return a claim to read something that nobody has read."""
    claim = await store.claim(tenant, key, FRESH_S, MISSING_S)
    assert not isinstance(claim, Entry)
    return claim


async def test_counts_cursors_and_nothing_are_found_as_they_were(stores: Pair) -> None:
    now = time.monotonic()
    odd = {
        A_RECORD: entry(A_RECORD, now, missing=True),
        ANOTHER: entry(ANOTHER, now, count=7, onward=f"{9:024x}"),
    }
    for key, one in odd.items():
        stores.a.put(ONE, one, await claimed(stores.a, ONE, key))
    for key, one in odd.items():
        found = await stores.comes(ONE, key)
        assert (found.missing, found.count, found.onward) == (one.missing, one.count, one.onward)


async def test_tenants_find_nothing_of_each_other(stores: Pair) -> None:
    stores.a.put(ONE, entry(A_RECORD, time.monotonic(), courses(1)), await claimed(stores.a, ONE, A_RECORD))
    await stores.comes(ONE, A_RECORD)
    assert await stores.found(OTHER, A_RECORD) is None
    stores.b.release(await claimed(stores.b, OTHER, A_RECORD))


async def test_one_reads_and_the_others_get_it(stores: Pair) -> None:
    claim = await claimed(stores.a, ONE, ALL_COURSES)
    waiting = [asyncio.create_task(stores.b.claim(ONE, ALL_COURSES, FRESH_S, MISSING_S)) for _ in range(3)]
    _, still = await asyncio.wait(waiting, timeout=0.1)
    assert len(still) == 3
    stores.a.put(ONE, entry(ALL_COURSES, time.monotonic(), courses(5)), claim)
    for found in await asyncio.gather(*waiting):
        assert isinstance(found, Entry)
        assert len(found.rows) == 5


async def test_a_claim_given_up_goes_to_the_next_at_once(stores: Pair) -> None:
    claim = await claimed(stores.a, ONE, ALL_COURSES)
    waiting = asyncio.create_task(stores.b.claim(ONE, ALL_COURSES, FRESH_S, MISSING_S))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    stores.a.release(claim)
    found = await waiting
    assert time.monotonic() - began < 0.3
    assert not isinstance(found, Entry)
    stores.b.release(found)


async def test_what_is_past_its_time_is_claimed_and_still_found(stores: Pair) -> None:
    stores.a.put(ONE, entry(A_RECORD, time.monotonic() - 50, courses(1)), await claimed(stores.a, ONE, A_RECORD))
    assert len((await stores.comes(ONE, A_RECORD)).rows) == 1
    assert isinstance(await stores.b.claim(ONE, A_RECORD, 60, MISSING_S), Entry)
    claim = await stores.b.claim(ONE, A_RECORD, 40, MISSING_S)
    assert not isinstance(claim, Entry)
    stores.b.release(claim)


async def test_nothing_is_believed_for_a_time_of_its_own(stores: Pair) -> None:
    missing = entry(A_RECORD, time.monotonic() - 50, missing=True)
    stores.a.put(ONE, missing, await claimed(stores.a, ONE, A_RECORD))
    await stores.comes(ONE, A_RECORD)
    assert isinstance(await stores.b.claim(ONE, A_RECORD, FRESH_S, 60), Entry)
    stores.b.release(await claimed(stores.b, ONE, A_RECORD))


async def test_what_is_newer_takes_the_place_of_what_is_older(stores: Pair) -> None:
    now = time.monotonic()
    stores.a.put(ONE, entry(ALL_COURSES, now - 9, courses(20_000)), await claimed(stores.a, ONE, ALL_COURSES))
    await stores.comes(ONE, ALL_COURSES)
    claim = await stores.a.claim(ONE, ALL_COURSES, 1, 1)
    stores.a.put(ONE, entry(ALL_COURSES, now, courses(3, "New")), claim)
    found = await stores.b.claim(ONE, ALL_COURSES, 5, 5)
    assert isinstance(found, Entry)
    assert found.rows.open().records == courses(3, "New")
    assert at_hand(stores.b, ONE, ALL_COURSES) is found


async def test_a_list_takes_the_place_of_its_pages(stores: Pair) -> None:
    page = entry(ANOTHER, time.monotonic())
    stores.a.put(ONE, page, await claimed(stores.a, ONE, ANOTHER))
    await stores.comes(ONE, ANOTHER)
    stores.a.replace(ONE, entry(ALL_COURSES, time.monotonic(), courses(2)), [page])
    assert len((await stores.comes(ONE, ALL_COURSES)).rows) == 2
    assert at_hand(stores.a, ONE, ANOTHER) is None


async def test_what_is_dropped_is_gone_for_all(stores: Pair) -> None:
    for tenant in (ONE, OTHER):
        stores.a.put(tenant, entry(A_RECORD, time.monotonic(), courses(1)), await claimed(stores.a, tenant, A_RECORD))
        await stores.comes(tenant, A_RECORD)
    late = await claimed(stores.b, ONE, ANOTHER)
    stores.a.drop_tenant(ONE)
    await until(lambda: at_hand(stores.b, ONE, A_RECORD) is None)
    assert await stores.found(ONE, A_RECORD) is None
    assert await stores.found(OTHER, A_RECORD) is not None
    stores.b.release(late)


# What only processes that share something have


@pytest.fixture
async def pair(server: RedisServer) -> AsyncIterator[Pair]:
    """Return the stores of two processes."""
    async with over_redis(server) as found:
        yield found


async def test_what_was_asked_for_before_a_drop_is_not_put_after_it(pair: Pair) -> None:
    late = await claimed(pair.b, ONE, A_RECORD)
    pair.a.drop_tenant(ONE)
    await until(lambda: pair.heard.dropped == [ONE])
    pair.b.put(ONE, entry(A_RECORD, time.monotonic(), courses(1)), late)
    claim = await pair.a.claim(ONE, A_RECORD, FRESH_S, MISSING_S)
    assert not isinstance(claim, Entry)
    pair.a.release(claim)


async def test_a_drop_leaves_nothing_of_the_tenant_in_redis(pair: Pair, server: RedisServer) -> None:
    for key, rows in ((ALL_COURSES, 20_000), (A_RECORD, 1)):
        pair.a.put(ONE, entry(key, time.monotonic(), courses(rows)), await claimed(pair.a, ONE, key))
        await pair.comes(ONE, key)
    assert sum(map(len, server.dump().values())) > 100_000
    pair.a.drop_tenant(ONE)
    await until(lambda: pair.heard.dropped == [ONE])
    kept = [key for key in server.dump() if not key.endswith((b":t", b":replicas"))]
    assert kept == []


async def test_acceptance_and_what_was_learned_reach_the_others(pair: Pair) -> None:
    pair.a.put(ONE, entry(A_RECORD, time.monotonic() - 30, courses(1)), await claimed(pair.a, ONE, A_RECORD))
    await pair.comes(ONE, A_RECORD)
    tenant, at = pair.heard.accepted[-1]
    assert tenant == ONE
    assert at == pytest.approx(time.monotonic() - 30, abs=0.5)
    pair.a.accept(ONE)
    pair.a.teach(OTHER, b"nothing is known of this one in Redis, so that nothing is noted")
    while pair.heard.accepted[-1][1] < time.monotonic() - 10:
        await pair.b.recall(ONE, [ANOTHER])
    assert pair.heard.learned == []


async def test_a_lease_outlives_its_time_while_it_is_held_and_lapses_when_its_owner_is_gone(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.cache.redis import leases

    monkeypatch.setattr(leases, "_LIFE_S", 0.3)
    monkeypatch.setattr(leases.Leases, "life_ms", 300)
    async with over_redis(server) as pair:
        claim = await claimed(pair.a, ONE, ALL_COURSES)
        waiting = asyncio.create_task(pair.b.claim(ONE, ALL_COURSES, FRESH_S, MISSING_S))
        _, still = await asyncio.wait([waiting], timeout=1.0)
        assert still
        # As if its process had been killed: nobody renews it, and nobody ends it.
        claim.lease._renewing.cancel()
        found = await asyncio.wait_for(waiting, 2)
        assert not isinstance(found, Entry)
        pair.b.release(found)


async def test_values_under_other_names_keys_or_settings_are_not_there(server: RedisServer) -> None:
    async with over_redis(server) as pair:
        for key in (A_RECORD, ANOTHER):
            pair.a.put(ONE, entry(key, time.monotonic(), courses(1)), await claimed(pair.a, ONE, key))
            await pair.comes(ONE, key)
    with server.client() as client:
        one, other = [key for key in client.scan_iter() if b":e:" in key]
        client.hset(one, "b", client.hget(other, "b"))
        client.hset(other, "b", b"\x01" + b"0" * 40)
    async with over_redis(server) as pair:
        for key in (A_RECORD, ANOTHER):
            assert await pair.found(ONE, key) is None
    for options in ({"key": "another-secret-of-the-same-length!"}, {"encrypt": False}):
        async with over_redis(server, **options) as pair:
            assert await pair.found(ONE, A_RECORD) is None
