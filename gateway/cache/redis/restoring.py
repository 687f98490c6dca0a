"""Restoring: puts into Redis again what is at hand and Redis lacks, after it was emptied or could not be asked.

Only what is fresh is put, and only under the generation that it was read in: where the data of a tenant has been
dropped since, or that is not known, nothing of it. Of several processes each entry is put by one, which marks it; none
of them spends more than half of its time on it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from gateway.cache.freshness import Lifetimes
from gateway.cache.redis import scripts
from gateway.cache.redis.keeping import Keeping, Kept, is_large
from gateway.cache.redis.link import RedisLink, Unreachable
from gateway.cache.redis.tenants import Side, Sides
from gateway.cache.shelf import Entry, Shelf

# Entries that Redis is asked about, and that are put, at once.
_AT_ONCE = 64
# For so long a mark keeps the others from putting an entry.
_MARK_MS = 10_000
# What was to be put before Redis was found to be lost may not be there.
_BEFORE_S = 10.0


class Restoring:
    """Goes over a shelf whenever Redis may lack what is on it."""

    def __init__(
        self,
        shelf: Shelf,
        link: RedisLink,
        sides: Sides,
        keeping: Keeping,
        lifetimes: Lifetimes,
        clock: Callable[[], float],
    ) -> None:
        self._shelf = shelf
        self._link = link
        self._sides = sides
        self._keeping = keeping
        self._lifetimes = lifetimes
        self._clock = clock
        self._since = float("inf")
        self._going: asyncio.Task[None] | None = None
        link.on_lack.append(self._begin)

    @property
    def settled(self) -> bool:
        """Say whether it has come to an end."""
        return self._going is None or self._going.done()

    async def aclose(self) -> None:
        """Stop."""
        if self._going is not None:
            self._going.cancel()
            await asyncio.gather(self._going, return_exceptions=True)

    def _begin(self, since: float) -> None:
        """Put again what was read after a moment on the monotonic clock, beginning anew where that goes on already."""
        # Where it did not come to its end, that is still to be done.
        self._since = min(self._since, since - _BEFORE_S)
        if self._going is not None:
            self._going.cancel()
        self._going = asyncio.create_task(self._go())

    async def _go(self) -> None:
        # The others come back at about the same time, and those that know of drops are to say so first.
        await asyncio.sleep(self._link.beat_s)
        since = self._since + self._clock() - time.monotonic()
        with suppress(Unreachable):
            for side in self._sides.latest():
                await self._restore(side, since)
            self._since = float("inf")

    async def _restore(self, side: Side, since: float) -> None:
        """Put again what Redis lacks of one tenant. Raises Unreachable."""
        generation, batch = side.generation, list[Entry]()
        # A list, as entries come and go; those that are gone or have aged by their turn are left out.
        for entry in [entry for entry in self._fresh(side) if entry.at >= since]:
            if is_large(entry):
                await self._offer(side, [entry])
            else:
                batch.append(entry)
            if len(batch) == _AT_ONCE:
                await self._offer(side, batch)
                batch = []
        if batch:
            await self._offer(side, batch)
        if generation is not None and side.generation == generation and side.taught is not None:
            self._keeping.teach(side)

    def _fresh(self, side: Side) -> Iterator[Entry]:
        for entry in self._shelf.roster(side.tenant).entries.values():
            if self._may_be_put(side, entry):
                yield entry

    def _may_be_put(self, side: Side, entry: Entry) -> bool:
        if side.owed or side.generation is None or entry.generation != side.generation or not entry.standing.known:
            return False
        fresh_s = self._lifetimes.fresh_s(entry.resource, missing=entry.missing)
        return self._clock() - entry.at < fresh_s

    async def _offer(self, side: Side, entries: list[Entry]) -> None:
        """Put those of some entries that Redis lacks, then leave it in peace for a while. Raises Unreachable."""
        if not self._link.has_room:
            raise Unreachable
        started = time.perf_counter()
        entries = [entry for entry in entries if self._may_be_put(side, entry)]
        wanted = await self._lacked(side, entries) if entries else []
        for entry in wanted:
            if self._may_be_put(side, entry):
                self._keeping.add(Kept(side.tenant, entry, entry.generation))
        await self._keeping.settled()
        await asyncio.sleep(time.perf_counter() - started)

    async def _lacked(self, side: Side, entries: list[Entry]) -> list[Entry]:
        """Return the entries that are not in Redis and that no other process is putting there. Raises Unreachable."""
        now = self._clock()
        names = [self._link.names.entry(side.name, entry.key) for entry in entries]
        keys = [f"{side.name}:t", *[key for name in names for key in (name, f"{name}:w")]]
        said = [side.generation, self._sides.life_ms, _MARK_MS]
        said += [max(0, round((now - entry.at) * 1000)) for entry in entries]
        generation, *lacks = await self._link.script("keep", scripts.LACK, keys, said)
        if self._sides.adopt(side, generation):
            self._sides.dropped(side)
        return [entry for entry, lack in zip(entries, lacks[0], strict=True) if lack] if lacks else []
