"""Turns: who waits for a place in the budget, and who comes next."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

from gateway.clever.allowance import Allowance

T = TypeVar("T")


class Turns(Generic[T]):
    """Who waits: first come first served within a request, turn and turn about between requests."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: OrderedDict[Allowance, OrderedDict[asyncio.Future[T], None]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __iter__(self) -> Iterator[Allowance]:
        return iter(self._waiting)

    def join(self, request: Allowance, waiter: asyncio.Future[T]) -> None:
        """Wait behind the others of the same request."""
        self._waiting.setdefault(request, OrderedDict())[waiter] = None

    def leave(self, request: Allowance, waiter: asyncio.Future[T]) -> None:
        """Wait no longer."""
        if (line := self._waiting.get(request)) is not None:
            line.pop(waiter, None)
            if not line:
                del self._waiting[request]

    def next(self) -> asyncio.Future[T]:
        """Take out the one whose turn it is."""
        request = next(iter(self._waiting))
        line = self._waiting[request]
        waiter, _ = line.popitem(last=False)
        if line:
            self._waiting.move_to_end(request)
        else:
            del self._waiting[request]
        return waiter

    def dismiss(self, request: Allowance) -> Iterator[asyncio.Future[T]]:
        """Take out all of a request."""
        yield from self._waiting.pop(request, ())

    def ahead_of(self, request: Allowance) -> int:
        """Return how many who wait now have their turn before another call of this request."""
        own = len(self._waiting.get(request, ()))
        ahead, earlier = own, 1
        for other, line in self._waiting.items():
            if other is request:
                earlier = 0
            else:
                ahead += min(len(line), own + earlier)
        return ahead
