"""Documents that clients registered, for all processes: texts by hash, bounded in bytes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gateway.cache.redis import scripts
from gateway.cache.redis.link import RedisLink, Unreachable
from gateway.cache.redis.sealing import SealBrokenError, Sealer

# Clients send a text again where it is not known: keeping it longer spares them little.
_LIFE_MS = 7 * 24 * 3600 * 1000
# A single text may take this share of the room.
_LARGEST_SHARE = 1 / 8


class RedisTexts:
    """Texts by name in Redis, within `most_bytes`. What cannot be had of Redis is not known."""

    def __init__(self, link: Callable[[], RedisLink | None], sealer: Sealer, most_bytes: int) -> None:
        self._link = link
        self._sealer = sealer
        self._most_bytes = most_bytes
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, name: str) -> str | None:
        """Return a text that some process has put."""
        link = self._link()
        if link is None:
            return None
        digest = link.names.text(name)
        keys, scope = self._keys(link, digest)
        with suppress(Unreachable, SealBrokenError):
            sealed = await link.script("text", scripts.READ_TEXT, keys, [digest, _LIFE_MS])
            if sealed is not None:
                return self._sealer.open(scope, keys[0], sealed).decode()
        return None

    def put(self, name: str, text: str) -> None:
        """Put a text, beside the request that brought it."""
        link = self._link()
        if link is None or not link.has_room:
            return
        digest = link.names.text(name)
        keys, scope = self._keys(link, digest)
        sealed = self._sealer.seal(scope, keys[0], text.encode())
        if len(sealed) <= self._most_bytes * _LARGEST_SHARE:
            said: list[Any] = [digest, _LIFE_MS, sealed, self._most_bytes, f"{scope}:"]
            task = asyncio.create_task(self._put(link, keys, said))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until what was put is there, or cannot be."""
        await asyncio.gather(*self._tasks)

    async def _put(self, link: RedisLink, keys: list[str], said: list[Any]) -> None:
        with suppress(Unreachable):
            await link.script("text", scripts.KEEP_TEXT, keys, said)

    @staticmethod
    def _keys(link: RedisLink, digest: str) -> tuple[list[str], str]:
        scope = link.names.texts
        return [f"{scope}:{digest}", f"{scope}.used", f"{scope}.sizes"], scope
