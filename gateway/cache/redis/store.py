"""The store of many processes: each has a shelf at hand, and behind all of them is Redis.

Redis is asked for what is not at hand or is past its time, and told what was read. An entry is in Redis what it is on
a shelf, with the moment it was read, so that the same rules say what may be done with it. Whatever goes wrong with
Redis is no failure: there is then nothing found, and every claim is granted.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.cache.freshness import Lifetimes
from gateway.cache.redis import scripts, values
from gateway.cache.redis.events import RedisDone
from gateway.cache.redis.keeping import Keeping, Kept
from gateway.cache.redis.leases import Lease, Leases
from gateway.cache.redis.link import RedisLink, Unreachable
from gateway.cache.redis.restoring import Restoring
from gateway.cache.redis.sealing import SealBrokenError, Sealer
from gateway.cache.redis.tenants import Side, Sides, first_generation
from gateway.cache.shelf import Entry, Key, Shelf
from gateway.identity import Tenant

# Entries looked for in one script, and bytes of bodies that it may answer with.
_AT_ONCE = 200
_BODIES_BYTES = 4_000_000
# A larger collection is not worth having for a few records: it takes longer than a call. It is had when it is read.
_WORTH_BYTES, _WORTH_BYTES_OF_A_KEY = 16_000_000, 250_000
# Chunks on their way at once. One takes longer than a question.
_CHUNKS = 4
# Moments that went through Redis are the same moment if they are no further apart.
_SAME_S = 0.01
_SLOW = 8.0


@dataclass(frozen=True, slots=True)
class RedisClaim:
    """A claim: the generation of the tenant's data when it was made, if that was known, and the lease, if any."""

    generation: bytes | None
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry as Redis has it: when it was read, version and number of its chunks, bytes, body."""

    at: float
    version: str
    chunks: int
    size: int
    body: bytes | None


class RedisStore:
    """Remembers on a shelf, and shares what is there through Redis, as long as it is of any use."""

    shared = True

    def __init__(
        self,
        shelf: Shelf,
        link: RedisLink,
        sealer: Sealer,
        lifetimes: Lifetimes,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shelf: Shelf | None = shelf
        self._shelf = shelf
        self._link = link
        self._sealer = sealer
        self._clock = clock
        self._sides = Sides(link, lifetimes.spare_s, self._drop_shelf)
        self._leases = Leases(link)
        self._keeping = Keeping(link, sealer, self._sides, lifetimes.spare_s, clock)
        self._restoring = Restoring(shelf, link, self._sides, self._keeping, lifetimes, clock)
        self._loading: dict[tuple[Tenant, Key], asyncio.Task[Entry | None]] = {}
        self._on_dropped: Callable[[Tenant], None] = shelf.drop_tenant
        self._on_accepted: Callable[[Tenant, float], None] = lambda _tenant, _at: None
        self._on_learned: Callable[[Tenant, bytes], None] = lambda _tenant, _learned: None

    def hear(
        self,
        on_dropped: Callable[[Tenant], None],
        on_accepted: Callable[[Tenant, float], None],
        on_learned: Callable[[Tenant, bytes], None],
    ) -> None:
        """Set who hears of others."""
        self._on_dropped, self._on_accepted, self._on_learned = on_dropped, on_accepted, on_learned

    async def recall(self, tenant: Tenant, keys: Collection[Key]) -> bool:
        """Put on the shelf what Redis has under these keys, if it is newer; say whether there was anything."""
        left = list(keys)
        most = _WORTH_BYTES + _WORTH_BYTES_OF_A_KEY * len(left)
        brought = False
        with suppress(Unreachable):
            while left:
                batch, left = left[:_AT_ONCE], left[_AT_ONCE:]
                found = await self._find(tenant, batch)
                # Where there was no room for a body in the answer, it is asked for again.
                again = [key for key, one in found.items() if one.body is None]
                # The first of a batch has room in any case.
                left = [key for key in again if key != batch[0]] + left
                wanted = {key: one for key, one in found.items() if one.body is not None and one.size <= most}
                wanted = {key: one for key, one in wanted.items() if self._newer(tenant, key, one)}
                loaded = await asyncio.gather(*[self._load_once(tenant, key, one) for key, one in wanted.items()])
                brought = brought or any(entry is not None for entry in loaded)
        return brought

    async def claim(self, tenant: Tenant, key: Key, within_s: float, missing_s: float) -> Entry | RedisClaim:
        """Return what Redis has and is young enough, else a claim; waits while another process has it."""
        try:
            while True:
                side = await self._sides.of(tenant)
                name = self._link.names.entry(side.name, key)
                lease = self._leases.named(f"{name}:l")
                with self._leases.listening(lease) as ended:
                    entry, taken = await self._ask(side, key, lease, within_s, missing_s)
                    if entry is not None:
                        return entry
                    if taken:
                        return RedisClaim(side.generation, lease if lease.held else None)
                    await self._leases.wait(ended)
        except Unreachable:
            return RedisClaim(self._sides.known(tenant).generation)

    async def _ask(
        self, side: Side, key: Key, lease: Lease, within_s: float, missing_s: float
    ) -> tuple[Entry | None, bool]:
        """Ask for an entry, or else its lease; return the entry, or whether it may be read. Raises Unreachable."""
        said = [side.generation or first_generation(), self._sides.life_ms, lease.owner, self._leases.life_ms]
        limits = [_ms(within_s), _ms(missing_s)]
        keys = [f"{side.name}:t", self._link.names.entry(side.name, key), lease.name]
        generation, there, taken, accepted = await self._link.script("claim", scripts.CLAIM, keys, [*said, *limits])
        self._adopt(side, generation)
        self._note_accepted(side, accepted)
        if there:
            # What cannot be opened is read from Clever, by whoever comes.
            return await self._load_once(side.tenant, key, self._found(there)), True
        if taken:
            lease.hold()
        return None, bool(taken)

    def put(self, tenant: Tenant, entry: Entry, claim: Any = None) -> None:
        """Remember an entry here at once and in Redis soon; the claim ends when it is there."""
        generation = self._sides.known(tenant).generation if claim is None else claim.generation
        entry.generation = generation
        self._shelf.put(tenant, entry)
        self._keeping.add(Kept(tenant, entry, generation, None if claim is None else claim.lease))

    def release(self, claim: Any) -> None:
        """End a claim; who waits for it learns of it."""
        if claim.lease is not None:
            claim.lease.end()

    def replace(self, tenant: Tenant, entry: Entry, parts: Sequence[Entry]) -> None:
        """Remember an entry in place of its parts."""
        generation, retired = self._sides.known(tenant).generation, tuple(part.key for part in parts)
        entry.generation = generation if all(part.generation == generation for part in parts) else None
        for part in parts:
            self._shelf.drop(tenant, part.key)
        self._shelf.put(tenant, entry)
        self._keeping.add(Kept(tenant, entry, generation, parts=retired))

    def drop_tenant(self, tenant: Tenant) -> None:
        """Forget everything of a tenant, here at once, elsewhere as soon as Redis can be told."""
        self._shelf.drop_tenant(tenant)
        self._sides.drop(tenant)

    def accept(self, tenant: Tenant) -> None:
        """Tell others that a token has just been accepted."""
        self._keeping.accept(self._sides.known(tenant))

    def teach(self, tenant: Tenant, learned: bytes) -> None:
        """Tell others what was learned of a tenant's Clever."""
        side = self._sides.known(tenant)
        side.taught = learned
        self._keeping.teach(side)

    async def aclose(self) -> None:
        """Stop what goes on beside requests; what waits to be put is put, if that takes no time."""
        for task in list(self._loading.values()):
            task.cancel()
        await self._restoring.aclose()
        await self._keeping.aclose()
        await self._leases.aclose()
        await self._sides.aclose()
        await self._shelf.aclose()

    async def _find(self, tenant: Tenant, keys: Sequence[Key]) -> dict[Key, _Found]:
        """Look for entries. Raises Unreachable."""
        side = await self._sides.of(tenant)
        names = [self._link.names.entry(side.name, key) for key in keys]
        said = [side.generation or first_generation(), self._sides.life_ms, _BODIES_BYTES]
        answer = await self._link.script("find", scripts.FIND, [f"{side.name}:t", *names], said)
        generation, accepted, learned, there = answer
        self._adopt(side, generation)
        self._note_accepted(side, accepted)
        if learned is not None and not side.learned:
            side.learned = True
            with suppress(SealBrokenError):
                side.taught = self._sealer.open(side.name, f"{side.name}:s", learned)
                self._on_learned(tenant, side.taught)
        found = {key: self._found(one) for key, one in zip(keys, there, strict=False) if one}
        self._count("miss", len(keys) - len(found))
        return found

    def _adopt(self, side: Side, generation: bytes | None) -> None:
        """Go by Redis' generation of a tenant's data; what is here of another one has been dropped elsewhere."""
        if self._sides.adopt(side, generation):
            self._sides.dropped(side)

    def _note_accepted(self, side: Side, ms: int | None) -> None:
        if ms is not None and not side.owed:
            self._on_accepted(side.tenant, self._clock() - ms / 1000)

    def _drop_shelf(self, tenant: Tenant) -> None:
        self._on_dropped(tenant)

    def _newer(self, tenant: Tenant, key: Key, found: _Found) -> bool:
        known = self._shelf.roster(tenant).entries.get(key)
        return known is None or known.at < found.at - _SAME_S

    async def _load_once(self, tenant: Tenant, key: Key, found: _Found) -> Entry | None:
        """Load an entry onto the shelf, once for all who want it at the same time; None where it cannot be."""
        if not found.chunks:
            return await self._load(tenant, key, found)
        task = self._loading.get((tenant, key))
        if task is None:
            task = self._loading[tenant, key] = asyncio.create_task(self._load(tenant, key, found))
            task.add_done_callback(lambda _done: self._loading.pop((tenant, key), None))
        return await asyncio.shield(task)

    async def _load(self, tenant: Tenant, key: Key, found: _Found) -> Entry | None:
        side = self._sides.known(tenant)
        generation = side.generation
        name = self._link.names.entry(side.name, key)
        started = time.perf_counter()
        try:
            chunks = await self._chunks(name, found)
            if found.size > values.IN_THREAD_BYTES:
                entry = await asyncio.to_thread(self._opened, side.name, name, key, found, chunks)
            else:
                entry = self._opened(side.name, name, key, found, chunks)
        except (Unreachable, SealBrokenError, msgspec.DecodeError):
            self._count("miss", 1)
            return None
        if side.generation != generation:
            # Dropped elsewhere while it was on its way.
            return None
        self._link.on_redis(RedisDone("find", "hit", time.perf_counter() - started, found.size))
        entry.generation = generation
        if self._newer(tenant, key, found):
            self._shelf.put(tenant, entry)
        return entry

    async def _chunks(self, name: str, found: _Found) -> list[bytes]:
        """Read the chunks of an entry, a few at a time. Raises Unreachable, SealBrokenError where one is gone."""
        names = [values.chunk_name(name, found.version, number) for number in range(found.chunks)]
        chunks: list[bytes] = []
        for start in range(0, len(names), _CHUNKS):
            some = names[start : start + _CHUNKS]
            chunks += await asyncio.gather(*[self._chunk(one) for one in some])
        return chunks

    async def _chunk(self, name: str) -> bytes:
        found: bytes | None = await self._link.command("find", "GET", name, slow=_SLOW)
        if found is None:
            raise SealBrokenError
        return found

    def _opened(self, scope: str, name: str, key: Key, found: _Found, chunks: list[bytes]) -> Entry:
        body = self._sealer.open(scope, f"{name}:{found.version}", found.body or b"")
        opened = [
            self._sealer.open(scope, values.chunk_name(name, found.version, number), chunk)
            for number, chunk in enumerate(chunks)
        ]
        return values.read(key, found.at, body, opened, self._shelf.most_decoded)

    def _found(self, said: Any) -> _Found:
        age_ms, version, chunks, size, _missing, body = said
        return _Found(self._clock() - age_ms / 1000, version.decode(), chunks, size, body)

    def _count(self, outcome: Any, times: int) -> None:
        for _ in range(times):
            self._link.on_redis(RedisDone("find", outcome))


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
