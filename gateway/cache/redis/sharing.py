"""Sharing: everything that the processes of a deployment share through one Redis, put together."""

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gateway.cache.freshness import Lifetimes
from gateway.cache.redis.budget import RedisShares, ShareRules
from gateway.cache.redis.events import RedisDone
from gateway.cache.redis.link import RedisLink
from gateway.cache.redis.names import Names
from gateway.cache.redis.sealing import Sealer
from gateway.cache.redis.spent import RedisSpent
from gateway.cache.redis.store import RedisStore
from gateway.cache.redis.texts import RedisTexts
from gateway.cache.shelf import Shelf
from gateway.clever.retry import WINDOW_S

# Its lines name hosts and ports; what matters is logged by whoever hears of exchanges.
logging.getLogger("redis").addHandler(logging.NullHandler())


class Sharing:
    """One process's part in what is shared. Use as an async context manager; `store` and `shares` need it entered.

    `key` is the deployment's secret, `origin` and `version` are Clever's: what is read of another one stays apart.
    """

    def __init__(
        self,
        url: str,
        key: bytes,
        *,
        origin: str,
        version: str,
        encrypt: bool = True,
        timeout_s: float = 0.25,
        silent_s: float = 5.0,
        on_redis: Callable[[RedisDone], None] = lambda _done: None,
    ) -> None:
        self._url = url
        self._names = Names(key, origin, version)
        self._sealer = Sealer(self._names.seal_key, encrypt=encrypt)
        self._timeout_s = timeout_s
        self._silent_s = silent_s
        self._on_redis = on_redis
        self._link: RedisLink | None = None
        self._shares: list[RedisShares] = []
        self._spent: list[RedisSpent] = []

    async def __aenter__(self) -> Self:
        # Connections belong to the loop that they are made in.
        self._link = RedisLink(
            self._url, self._names, timeout_s=self._timeout_s, on_redis=self._on_redis, silent_s=self._silent_s
        )
        for spent in self._spent:
            spent.attach(self._link)
        await self._link.__aenter__()
        for spent in self._spent:
            await spent.load()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        link, self._link = self._link, None
        for shares in self._shares:
            await shares.aclose()
        for spent in self._spent:
            await spent.aclose()
        if link is not None:
            await link.__aexit__(kind, error, trace)

    @property
    def link(self) -> RedisLink:
        """Return the way to Redis."""
        if self._link is None:
            raise RuntimeError("what is shared has not been entered")
        return self._link

    def store(self, shelf: Shelf, lifetimes: Lifetimes) -> RedisStore:
        """Return the store that keeps on a shelf and shares what is there as long as it is of any use."""
        return RedisStore(shelf, self.link, self._sealer, lifetimes)

    def shares(self, limit: int, seconds: float = WINDOW_S) -> RedisShares:
        """Return this process's shares of each token's `limit` calls in any so many seconds."""
        shares = RedisShares(self.link, ShareRules(limit, seconds))
        self._shares.append(shares)
        return shares

    def spent(self, purpose: str) -> RedisSpent:
        """Return the names of a purpose that must not pass again; to be asked for before this is entered."""
        spent = RedisSpent(self._names, purpose)
        self._spent.append(spent)
        return spent

    def texts(self, most_bytes: int) -> RedisTexts:
        """Return the documents that clients registered, of `most_bytes` in all."""
        return RedisTexts(lambda: self._link, self._sealer, most_bytes)
