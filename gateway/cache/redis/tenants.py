"""Sides: of each tenant the names of its data in Redis, and its generation, which changes when the data is dropped."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from gateway.cache.redis import scripts
from gateway.cache.redis.link import RedisLink, Unreachable
from gateway.identity import Tenant

_MOST_TENANTS = 4096
# The table of a tenant outlives its entries by so much.
_LONGER_S = 3600.0
_DROPPED = b"d"


@dataclass(slots=True, eq=False)
class Side:
    """A tenant's side of Redis: what its names begin with; the generation that what is here belongs to, if it is known.

    `owed`: its data has been dropped here, and Redis is still to be told.
    """

    tenant: Tenant
    name: str
    generation: bytes | None = None
    owed: bool = False
    learned: bool = False


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
        before, side.generation = side.generation, generation
        return before is not None

    def drop(self, tenant: Tenant) -> None:
        """Begin a new generation of a tenant's data, and tell Redis as soon as that can be."""
        side = self.known(tenant)
        side.generation, side.owed, side.learned = secrets.token_hex(8).encode(), True, False
        self._start(side)

    def dropped(self, side: Side) -> None:
        """Say that a tenant's data has been dropped elsewhere."""
        side.learned = False
        self._on_dropped(side.tenant)

    async def aclose(self) -> None:
        """Wait for Redis to be told, which is bounded."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, side: Side) -> None:
        task = asyncio.create_task(self._try(side))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try(self, side: Side) -> None:
        with suppress(Unreachable):
            await self._tell(side)

    async def _tell(self, side: Side) -> None:
        """Drop a tenant's data in Redis and tell the other processes. Raises Unreachable."""
        generation = side.generation or b""
        said = [generation, self.life_ms, self._link.names.channel, _DROPPED + side.name.encode() + b" " + generation]
        await self._link.script("drop", scripts.DROP, [f"{side.name}:t", f"{side.name}:i"], said, slow=4.0)
        if side.generation == generation:
            side.owed = False

    def _settle(self) -> None:
        for side in list(self._sides.values()):
            if side.owed:
                self._start(side)

    def _hear(self, message: bytes | None) -> None:
        if message is None:
            # Something may have been missed.
            for side in list(self._sides.values()):
                if side.generation is not None and not side.owed:
                    task = asyncio.create_task(self._compare(side))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
        elif message.startswith(_DROPPED):
            name, _, generation = message[1:].partition(b" ")
            side_of = self._by_name.get(name)
            if side_of is not None and self.adopt(side_of, generation):
                self.dropped(side_of)

    async def _compare(self, side: Side) -> None:
        with suppress(Unreachable):
            found = await self._link.command("find", "HGET", f"{side.name}:t", "g")
            if self.adopt(side, found):
                self.dropped(side)

    def _make_room(self) -> None:
        """Forget the one not used for longest that owes nothing; what is at hand of it must go with it."""
        for tenant, side in self._sides.items():
            if not side.owed:
                del self._sides[tenant]
                self._by_name.pop(side.name.encode(), None)
                self._on_dropped(tenant)
                return
