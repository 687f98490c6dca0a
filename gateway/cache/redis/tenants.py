"""Sides: of each tenant the names of its data in Redis, and its generation, which changes when the data is dropped.

Generations that drops begin are ordered by when, so that a Redis which was emptied and lost the latest cannot bring an
earlier one back: whoever knows of the drop says so again. Those that only begin are in no order.
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.cache.redis import scripts
from gateway.cache.redis.link import RedisLink, Unreachable
from gateway.identity import Tenant

_MOST_TENANTS = 4096
# The table of a tenant outlives its entries by so much.
_LONGER_S = 3600.0
_DROPPED = b"d"
# A generation begins with when it was begun in unix ms, in hexadecimal digits: 0 where it was by no drop. Scripts know.
_WHEN_DIGITS = 12
_NO_DROP = b"0" * _WHEN_DIGITS
_AT_ONCE = 8
# Others may be dropping the same tenant.
_TRIES = 3


def first_generation() -> bytes:
    """Return a generation for data of which no drop is known."""
    return _NO_DROP + secrets.token_hex(6).encode()


def _after(known: bytes | None) -> bytes:
    """Return the generation that a drop begins where `known` has been."""
    last = int(known[:_WHEN_DIGITS], 16) if known else 0
    when = max(time.time_ns() // 1_000_000, last + 1)
    return f"{when:0{_WHEN_DIGITS}x}{secrets.token_hex(6)}".encode()


@dataclass(slots=True, eq=False)
class Side:
    """A tenant's side of Redis: what its names begin with; the generation that what is here belongs to, if it is known.

    `owed`: its data has been dropped here, and Redis is still to be told. `taught` is what was learned of its Clever.
    """

    tenant: Tenant
    name: str
    generation: bytes | None = None
    owed: bool = False
    learned: bool = False
    taught: bytes | None = None

    @property
    def was_dropped(self) -> bool:
        """Say whether its generation was begun by a drop."""
        return self.generation is not None and not self.generation.startswith(_NO_DROP)


class Sides:
    """The sides of the tenants seen last. `on_dropped` hears of a tenant whose data another process has dropped."""

    def __init__(self, link: RedisLink, spare_s: float, on_dropped: Callable[[Tenant], None]) -> None:
        self._link = link
        self._on_dropped = on_dropped
        self.life_ms = round((spare_s + _LONGER_S) * 1000)
        self._sides: OrderedDict[Tenant, Side] = OrderedDict()
        self._by_name: dict[bytes, Side] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        link.on_up.append(self._settle)
        link.on_lack.append(self._remind)
        link.on_news.append(self._hear)

    def known(self, tenant: Tenant) -> Side:
        """Return a tenant's side as far as it is known here."""
        side = self._sides.get(tenant)
        if side is None:
            side = self._sides[tenant] = Side(tenant, self._link.names.tenant(tenant))
            self._by_name[side.name.encode()] = side
            if len(self._sides) > _MOST_TENANTS:
                self._make_room()
        self._sides.move_to_end(tenant)
        return side

    def latest(self) -> list[Side]:
        """Return all sides, those used last first."""
        return list(reversed(self._sides.values()))

    async def of(self, tenant: Tenant) -> Side:
        """Return a tenant's side, with nothing owed to Redis. Raises Unreachable."""
        side = self.known(tenant)
        if side.owed:
            await self._tell(side)
        return side

    def adopt(self, side: Side, generation: bytes | None) -> bool:
        """Go by Redis' generation; say whether what is here belonged to another one."""
        if generation is None or side.owed or generation == side.generation:
            return False
        if side.was_dropped and side.generation is not None and generation < side.generation:
            # News of an earlier drop.
            return False
        before, side.generation = side.generation, generation
        return before is not None

    def drop(self, tenant: Tenant) -> None:
        """Begin a new generation of a tenant's data, and tell Redis as soon as that can be."""
        side = self.known(tenant)
        side.generation, side.owed, side.learned, side.taught = _after(side.generation), True, False, None
        self._start(self._tell(side))

    def dropped(self, side: Side) -> None:
        """Say that a tenant's data has been dropped elsewhere."""
        side.learned, side.taught = False, None
        self._on_dropped(side.tenant)

    async def aclose(self) -> None:
        """Wait for Redis to be told, which is bounded."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._try(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try(self, work: Coroutine[Any, Any, None]) -> None:
        with suppress(Unreachable):
            await work

    async def _tell(self, side: Side) -> None:
        """Drop a tenant's data in Redis and tell the other processes. Raises Unreachable."""
        for _ in range(_TRIES):
            generation = side.generation or b""
            held = await self._drop(side, generation)
            if side.generation != generation or not side.owed:
                # Dropped once more meanwhile, or somebody else has told.
                return
            if held == generation:
                side.owed = False
                return
            # Somebody has dropped it by a clock that is ahead of ours; what came after that is to go, too.
            side.generation = _after(held)
        raise Unreachable

    async def _drop(self, side: Side, generation: bytes) -> bytes:
        """Have Redis drop what is of an earlier generation; return the one that it has. Raises Unreachable."""
        said = [generation, self.life_ms, self._link.names.channel, _DROPPED + side.name.encode() + b" " + generation]
        keys = [f"{side.name}:t", f"{side.name}:i"]
        held: bytes = await self._link.script("drop", scripts.DROP, keys, said, slow=4.0)
        return held

    def _settle(self) -> None:
        self._start(self._with_each(self._tell, [side for side in self._sides.values() if side.owed]))

    def _remind(self, since: float) -> None:
        """Tell an emptied Redis, and those who may not have heard, of the drops that are known here."""
        if since == float("-inf"):
            dropped = [side for side in self._sides.values() if side.was_dropped and not side.owed]
            self._start(self._with_each(self._tell_again, dropped))

    async def _with_each(self, work: Callable[[Side], Coroutine[Any, Any, None]], sides: Sequence[Side]) -> None:
        """Do something with sides, a few at a time: of thousands the last would wait too long for a connection."""
        for start in range(0, len(sides), _AT_ONCE):
            await asyncio.gather(*[self._try(work(side)) for side in sides[start : start + _AT_ONCE]])

    async def _tell_again(self, side: Side) -> None:
        """Tell Redis of a drop that it knew of once. Raises Unreachable."""
        if side.generation is not None and self.adopt(side, await self._drop(side, side.generation)):
            self.dropped(side)

    def _hear(self, message: bytes | None) -> None:
        if message is None:
            # Something may have been missed.
            known = [side for side in self._sides.values() if side.generation is not None and not side.owed]
            self._start(self._with_each(self._compare, known))
        elif message.startswith(_DROPPED):
            name, _, generation = message[1:].partition(b" ")
            side_of = self._by_name.get(name)
            if side_of is not None and self.adopt(side_of, generation):
                self.dropped(side_of)

    async def _compare(self, side: Side) -> None:
        """Look whether a tenant's data has been dropped elsewhere. Raises Unreachable."""
        found = await self._link.command("find", "HGET", f"{side.name}:t", "g")
        if side.was_dropped and not side.owed and (found is None or found < (side.generation or b"")):
            await self._tell_again(side)
        elif self.adopt(side, found):
            self.dropped(side)

    def _make_room(self) -> None:
        """Forget the one not used for longest that owes nothing; what is at hand of it must go with it."""
        for tenant, side in self._sides.items():
            if not side.owed:
                del self._sides[tenant]
                self._by_name.pop(side.name.encode(), None)
                self._on_dropped(tenant)
                return
