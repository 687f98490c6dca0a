"""Keeping: puts into Redis what was read, beside the requests that it was read for."""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.cache.redis import scripts, values
from gateway.cache.redis.leases import Lease
from gateway.cache.redis.link import RedisLink, Unreachable
from gateway.cache.redis.sealing import Sealer
from gateway.cache.redis.tenants import Side, Sides
from gateway.cache.shelf import Entry, Key
from gateway.identity import Tenant

# What waits to be put is bounded, and so is what is put in one script.
_MOST_WAITING = 5_000
_AT_ONCE = 64
# A list of more rows is put by itself, so that what is small does not wait for it; so many at once.
_LARGE_ROWS = 500
_LARGE_AT_ONCE = 2
# That there is nothing is not believed for longer than this.
_MISSING_S = 120.0
# Somebody may still be reading the chunks of what was there before.
_LINGER_MS = 30_000
# What is large takes longer than a question.
_SLOW = 8.0
_END_S = 2.0


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry to be put, the generation of the data when it was read, and the lease that ends once it is there.

    It takes the place of its `parts`.
    """

    tenant: Tenant
    entry: Entry
    generation: bytes | None
    lease: Lease | None = None
    parts: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sealed:
    name: str
    version: str
    body: bytes
    chunks: tuple[bytes, ...]
    bytes: int


class Keeping:
    """Puts entries into Redis; `spare_s` is how long one is of any use, `clock` is what dates them."""

    def __init__(
        self, link: RedisLink, sealer: Sealer, sides: Sides, spare_s: float, clock: Callable[[], float]
    ) -> None:
        self._link = link
        self._sealer = sealer
        self._sides = sides
        self._spare_s = spare_s
        self._clock = clock
        self._waiting: deque[Kept] = deque()
        self._draining: asyncio.Task[None] | None = None
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, kept: Kept) -> None:
        """Put an entry soon. Where that cannot be, its lease ends all the same."""
        if kept.generation is None or not self._link.has_room or len(self._waiting) >= _MOST_WAITING:
            _end([kept])
        elif is_large(kept.entry):
            self._start(self._put_large(kept))
        else:
            self._waiting.append(kept)
            if self._draining is None:
                self._draining = self._start(self._drain())

    def accept(self, side: Side) -> None:
        """Note that a tenant's token has just been accepted."""
        self._note(side, "a", b"")

    def teach(self, side: Side) -> None:
        """Note what was learned of a tenant's Clever."""
        if side.taught is not None:
            self._note(side, "s", self._sealer.seal(side.name, f"{side.name}:s", side.taught))

    async def settled(self) -> None:
        """Wait until what was to be put by now is there, or cannot be."""
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    def _note(self, side: Side, field: str, value: bytes) -> None:
        if side.generation is not None and not side.owed and self._link.has_room:
            self._start(self._script("keep", scripts.NOTE, [f"{side.name}:t"], [field, value]))

    async def aclose(self) -> None:
        """Put what waits if that takes no time, and stop."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_END_S if self._link.up else 0)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _script(self, action: str, script: scripts.Script, keys: list[str], said: list[Any]) -> None:
        with suppress(Unreachable):
            await self._link.script(action, script, keys, said)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                first = self._waiting.popleft()
                batch = [first]
                while self._waiting and len(batch) < _AT_ONCE and _together(first, self._waiting[0]):
                    batch.append(self._waiting.popleft())
                await self._put(batch)
        finally:
            self._draining = None

    async def _retire(self, side: Side, keys: list[Key]) -> None:
        """Let entries run out: somebody may be waiting for one of them. Raises Unreachable."""
        if keys:
            names = [self._link.names.entry(side.name, key) for key in keys]
            said = [_LINGER_MS]
            await self._link.script("keep", scripts.RETIRE, [f"{side.name}:t", f"{side.name}:i", *names], said)

    async def _put_large(self, kept: Kept) -> None:
        async with self._large:
            await self._put([kept])

    async def _put(self, batch: list[Kept]) -> None:
        """Put entries of one tenant and generation, and end their leases."""
        tenant, generation = batch[0].tenant, batch[0].generation
        try:
            with suppress(Unreachable):
                side = await self._sides.of(tenant)
                if side.generation == generation:
                    await self._put_sealed(side, [kept.entry for kept in batch])
                    await self._retire(side, [key for kept in batch for key in kept.parts])
        finally:
            _end(batch)

    async def _put_sealed(self, side: Side, entries: list[Entry]) -> None:
        """Put entries. Raises Unreachable."""
        now = self._clock()
        entries = [entry for entry in entries if now - entry.at < self._spare_s]
        if not entries:
            return
        rows = sum(len(entry.rows) for entry in entries)
        if rows > values.IN_THREAD_ROWS:
            sealed = await asyncio.to_thread(self._seal_all, side.name, entries)
        else:
            sealed = self._seal_all(side.name, entries)
        for one in sealed:
            for number, chunk in enumerate(one.chunks):
                name = values.chunk_name(one.name, one.version, number)
                await self._put_chunk(name, chunk, max(1, round(self._spare_s * 1000)))
        said = self._said(side, entries, sealed)
        names = [one.name for one in sealed]
        keys = [f"{side.name}:t", f"{side.name}:i", *names]
        answer = await self._link.script("keep", scripts.KEEP, keys, said, slow=_SLOW)
        if self._sides.adopt(side, answer[0]):
            self._sides.dropped(side)
        elif len(answer) > 1:
            await self._let_go(names, answer[1])

    def _said(self, side: Side, entries: Sequence[Entry], sealed: Sequence[_Sealed]) -> list[Any]:
        """Return what the script is told: of moments, how long ago they are."""
        now = self._clock()
        youngest = min(now - entry.at for entry in entries)
        said: list[Any] = [side.generation, self._sides.life_ms, max(0, round(youngest * 1000))]
        for entry, one in zip(entries, sealed, strict=True):
            age = max(0.0, now - entry.at)
            life = min(self._spare_s - age, _MISSING_S if entry.missing else self._spare_s)
            missing = int(entry.missing)
            said += [round(age * 1000), max(1, round(life * 1000)), one.version, len(one.chunks), one.bytes]
            said += [missing, one.body]
        return said

    async def _put_chunk(self, name: str, chunk: bytes, life_ms: int) -> None:
        await self._link.command("keep", "SET", name, chunk, "PX", life_ms, size=len(chunk), slow=_SLOW)

    async def _let_go(self, names: list[str], before: list[Any]) -> None:
        """Let the chunks run out that nobody finds any more."""
        for name, (version, chunks) in zip(names, before, strict=True):
            for number in range(int(chunks or 0)):
                old = values.chunk_name(name, version.decode(), number)
                await self._link.command("keep", "PEXPIRE", old, _LINGER_MS)

    def _seal_all(self, scope: str, entries: Sequence[Entry]) -> list[_Sealed]:
        return [self._seal(scope, self._link.names.entry(scope, entry.key), entry) for entry in entries]

    def _seal(self, scope: str, name: str, entry: Entry) -> _Sealed:
        written, version = values.write(entry), secrets.token_hex(6)
        chunks = tuple(
            self._sealer.seal(scope, values.chunk_name(name, version, number), chunk)
            for number, chunk in enumerate(written.chunks)
        )
        body = self._sealer.seal(scope, f"{name}:{version}", written.body)
        return _Sealed(name, version, body, chunks, written.bytes)


def is_large(entry: Entry) -> bool:
    """Say whether an entry is put by itself."""
    return len(entry.rows) > _LARGE_ROWS


def _together(one: Kept, other: Kept) -> bool:
    return one.tenant == other.tenant and one.generation == other.generation


def _end(batch: Sequence[Kept]) -> None:
    for kept in batch:
        if kept.lease is not None:
            kept.lease.end()
