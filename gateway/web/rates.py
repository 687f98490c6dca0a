"""Rates: how many requests a caller may send in a second, and how many at a stretch."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from gateway.errors import TryLater

_MOST_CALLERS = 20_000


class Rates:
    """A bucket of `burst` tokens for each caller, filled with `rate` of them a second; a request takes one.

    A bucket is kept as the moment at which it will be full again, and is forgotten then: the generic cell rate
    algorithm (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate
        self._depth = (burst - 1) * self._interval
        self._clock = clock
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, caller: Hashable) -> None:
        """Take a token. Raises TryLater where the caller has none left."""
        now = self._clock()
        full_at = max(self._full_at.get(caller, now), now)
        wait = full_at - now - self._depth
        # Sums of intervals are a little off.
        if wait > self._interval * 1e-6:
            raise TryLater.rate_limited(wait)
        self._full_at[caller] = full_at + self._interval
        self._full_at.move_to_end(caller)
        self._make_room(now)

    def _make_room(self, now: float) -> None:
        """Forget those who came longest ago and whose buckets are full; with too many callers others, too."""
        for _ in range(2):
            oldest, full_at = next(iter(self._full_at.items()))
            if full_at > now and len(self._full_at) <= _MOST_CALLERS:
                return
            del self._full_at[oldest]
