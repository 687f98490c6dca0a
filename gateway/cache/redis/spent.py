"""Spent names, for all processes: digests in one table, each until its time; news of them goes to everybody.

What the table holds is known to every process that has heard it, so that a Redis that was emptied is told again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

from gateway.cache.redis import scripts
from gateway.cache.redis.link import RedisLink, Unreachable
from gateway.cache.redis.names import Names

_SPENT = b"s"
_MOST = 100_000
# Told, or read, at once.
_AT_ONCE = 500
# Told later, once Redis can be asked again; of more than that the last ones are not.
_MOST_UNTOLD = 10_000


class RedisSpent:
    """Names of one purpose in Redis; see `web.spent.Others`. `attach` it to each link before that is entered."""

    def __init__(self, names: Names, purpose: str) -> None:
        self._names = names
        self._purpose = purpose
        self._table = names.spent(purpose)
        self._begins = _SPENT + self._table.encode() + b" "
        self._link: RedisLink | None = None
        self._untold: dict[str, float] = {}
        self._on_spent: Callable[[str, float], object] = lambda _spelled, _until: None
        self._known: Callable[[], Iterable[tuple[str, float]]] = tuple
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, link: RedisLink) -> None:
        """Use this way to Redis from now on."""
        self._link = link
        link.on_up.append(lambda: self._start(self._tell_all(list(self._untold.items()))))
        link.on_lack.append(self._tell_again)
        link.on_news.append(self._hear)

    def spelled(self, name: str) -> str:
        """Return the digest that stands for a name."""
        return self._names.spent_name(self._purpose, name)

    def hear(self, on_spent: Callable[[str, float], object], known: Callable[[], Iterable[tuple[str, float]]]) -> None:
        """Set who hears of names that others have spent, and who knows all that are spent."""
        self._on_spent, self._known = on_spent, known

    def tell(self, spelled: str, until: float) -> None:
        """Tell the others of a name, as soon as that can be."""
        if len(self._untold) < _MOST_UNTOLD:
            self._untold[spelled] = until
        self._start(self._tell_all([(spelled, until)]))

    async def take(self, spelled: str, until: float) -> bool:
        """Say whether no other process has taken a name yet, and take it; that none has where Redis cannot say."""
        try:
            return await self._put([(spelled, until)], b"") > 0
        except Unreachable:
            return True

    async def load(self) -> None:
        """Hear of all names that others have spent so far, if Redis can say."""
        with suppress(Unreachable):
            start = 0
            while found := await self._page(start):
                for spelled, until in zip(found[::2], found[1::2], strict=True):
                    self._on_spent(spelled.decode(), float(until) / 1000)
                start += _AT_ONCE

    async def aclose(self) -> None:
        """Tell what is still to be told, which is bounded."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _page(self, start: int) -> Sequence[bytes]:
        """Return names and their times in turn, those first that stay longest. Raises Unreachable."""
        if self._link is None:
            raise Unreachable
        said = [self._table, start, start + _AT_ONCE - 1, "REV", "WITHSCORES"]
        found: Sequence[bytes] = await self._link.command("spent", "ZRANGE", *said)
        return found

    async def _put(self, names: Sequence[tuple[str, float]], begins: bytes) -> int:
        """Put names into the table, with news that begin so; return how many are new there. Raises Unreachable."""
        if self._link is None:
            raise Unreachable
        said: list[Any] = [_MOST, self._link.names.channel, begins]
        for spelled, until in names:
            said += [spelled, round(until * 1000)]
        new: int = await self._link.script("spent", scripts.SPEND, [self._table], said)
        return new

    async def _tell_all(self, names: Sequence[tuple[str, float]]) -> None:
        with suppress(Unreachable):
            for start in range(0, len(names), _AT_ONCE):
                some = names[start : start + _AT_ONCE]
                await self._put(some, self._begins)
                for spelled, _ in some:
                    self._untold.pop(spelled, None)

    def _tell_again(self, since: float) -> None:
        if since == float("-inf"):
            self._start(self._tell_all(list(self._known())))

    def _hear(self, message: bytes | None) -> None:
        if message is None:
            # Something may have been missed.
            self._start(self.load())
        elif message.startswith(self._begins):
            spelled, _, until = message.removeprefix(self._begins).partition(b" ")
            # What nobody of ours has sent is no news.
            with suppress(ValueError):
                self._on_spent(spelled.decode(), float(until) / 1000)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
