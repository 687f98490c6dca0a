"""BatchLoader: the one user of aiodataloader."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

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
        self._batches: set[asyncio.Task[Any] | None] = set()
        self._closed = False

    def close(self) -> None:
        """Stop what is under way, and begin nothing more: the request has ended."""
        self._closed = True
        for batch in self._batches:
            if batch is not None:
                batch.cancel()

    def load(self, key: K) -> "asyncio.Future[V]":
        """Return the key's value to come; an exception in the batch's mapping is raised to this key's waiters.

        Not a coroutine: the key is in the batch as soon as this returns. Shielded, because aiodataloader's future
        is shared, and one waiter's cancellation would otherwise be every waiter's.
        """
        shared = super().load(key)
        value = asyncio.shield(shared)
        # A failure of a request that has ended, or was stopped, is nobody's any more: neither of the one who waits, nor
        # of the future behind the shield, which is let go of where the one who waits is cancelled first.
        value.add_done_callback(_look_at)
        if value is not shared:
            shared.add_done_callback(_look_at)
        return value

    async def batch_load_fn(self, keys: list[K]) -> "list[V | Exception]":  # type: ignore[override]
        """Load one batch; every key must be in the mapping that comes back."""
        if self._closed:
            raise ConnectionAbortedError("the request has ended")
        batch = asyncio.current_task()
        self._batches.add(batch)
        try:
            found = await self._fetch(keys)
        except asyncio.CancelledError as error:
            # aiodataloader does not catch this one, and its waiters would hang for ever.
            raise ConnectionAbortedError("the batch was cancelled") from error
        finally:
            self._batches.discard(batch)
        return [found[key] for key in keys]


def _look_at(value: "asyncio.Future[Any]") -> None:
    """Take note of a failure, or asyncio says that nobody did."""
    if not value.cancelled():
        value.exception()
