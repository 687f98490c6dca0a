"""Leases: one process reads something large from Clever, and the others wait for it, or for its lease to run out."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from gateway.cache.redis import scripts
from gateway.cache.redis.link import RedisLink, Unreachable

# A process that is gone keeps the others waiting for so long.
_LIFE_S = 5.0
# Who waits looks so often, whether there was news or not.
_LOOK_S = 0.5
_ENDED = b"l"
_AT_ONCE = 100


class Lease:
    """The right to read one thing for all; kept alive while it is held."""

    def __init__(self, leases: "Leases", name: str) -> None:
        self.name = name
        self.owner = secrets.token_hex(8)
        self._leases = leases
        self._renewing: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Say whether it is held here."""
        return self._renewing is not None

    def hold(self) -> None:
        """Keep it alive until it is ended."""
        self._renewing = self._leases.renew(self._renew())

    def end(self) -> None:
        """Give it back, and tell those who wait."""
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None
            self._leases.end(self)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_LIFE_S / 3)
            with suppress(Unreachable):
                said = [self.owner, self._leases.life_ms]
                if not await self._leases.link.script("claim", scripts.RENEW, [self.name], said):
                    return


class Leases:
    """The leases of one process, and its waiting for those of others."""

    life_ms = round(_LIFE_S * 1000)

    def __init__(self, link: RedisLink) -> None:
        self.link = link
        self._waiting: defaultdict[bytes, set[asyncio.Future[None]]] = defaultdict(set)
        self._tasks: set[asyncio.Task[None]] = set()
        self._renewing: set[asyncio.Task[None]] = set()
        self._ending: list[Lease] = []
        link.on_news.append(self._hear)

    def named(self, name: str) -> Lease:
        """Return a lease that is still to be taken."""
        return Lease(self, name)

    @contextmanager
    def listening(self, lease: Lease) -> Iterator["asyncio.Future[None]"]:
        """Yield what is done as soon as whoever has the lease ends it."""
        name = lease.name.encode()
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[name].add(ended)
        try:
            yield ended
        finally:
            self._waiting[name].discard(ended)
            if not self._waiting[name]:
                del self._waiting[name]

    async def wait(self, ended: "asyncio.Future[None]") -> None:
        """Wait until a lease has ended, or it is time to look again."""
        await asyncio.wait((ended,), timeout=_LOOK_S)

    def renew(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Keep a lease alive beside requests."""
        return _started(work, self._renewing)

    def end(self, lease: Lease) -> None:
        """Give a lease back, with all others that end at this moment."""
        self._ending.append(lease)
        if len(self._ending) == 1:
            _started(self._end(), self._tasks)

    async def _end(self) -> None:
        while self._ending:
            # Those of one tenant lie in one slot of a cluster.
            scope = _scope(self._ending[0])
            ending = [lease for lease in self._ending if _scope(lease) == scope][:_AT_ONCE]
            names, owners = [lease.name for lease in ending], [lease.owner for lease in ending]
            with suppress(Unreachable):
                said = [self.link.names.channel, _ENDED, *owners]
                await self.link.script("claim", scripts.RELEASE, names, said)
            self._ending = [lease for lease in self._ending if lease not in ending]

    async def aclose(self) -> None:
        """Stop renewing; leases that are being given back are given back, which is bounded."""
        for task in tuple(self._renewing):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._renewing, return_exceptions=True)

    def _hear(self, message: bytes | None) -> None:
        if message is not None and message.startswith(_ENDED):
            for ended in tuple(self._waiting.get(message[1:], ())):
                if not ended.done():
                    ended.set_result(None)


def _started(work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> "asyncio.Task[None]":
    task = asyncio.create_task(work)
    among.add(task)
    task.add_done_callback(among.discard)
    return task


def _scope(lease: Lease) -> str:
    return lease.name.partition(":e:")[0]
