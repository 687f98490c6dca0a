"""BatchLoader: the one user of aiodataloader."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from aiodataloader import DataLoader

K = TypeVar("K")
V = TypeVar("V")


class BatchLoader(DataLoader[K, V], Generic[K, V]):
    """A DataLoader whose batches are mappings and whose waiters can neither cancel nor hang one another.

    Belongs to one request: it remembers every key for as long as it lives.
    """

    def __init__(self, fetch: Callable[[Sequence[K]], Awaitable[Mapping[K, V | Exception]]]) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self, key: K) -> "asyncio.Future[V]":
        """Return the key's value to come; an exception in the batch's mapping is raised to this key's waiters.

        Not a coroutine: the key is in the batch as soon as this returns. Shielded, because aiodataloader's future
        is shared, and one waiter's cancellation would otherwise be every waiter's.
        """
        return asyncio.shield(super().load(key))

    async def batch_load_fn(self, keys: list[K]) -> "list[V | Exception]":  # type: ignore[override]
        """Load one batch; every key must be in the mapping that comes back."""
        try:
            found = await self._fetch(keys)
        except asyncio.CancelledError as error:
            # aiodataloader does not catch this one, and its waiters would hang for ever.
            raise ConnectionAbortedError("the batch was cancelled") from error
        return [found[key] for key in keys]
