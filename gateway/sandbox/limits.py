"""Rate windows per token, and the count of calls. Knows neither HTTP nor records.

Clever's docs, responses-errors: 1,200 calls a minute and token. The window is fixed and starts with the token's
first call, not with the clock's minute.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

WINDOW_SECONDS = 60


class Allowance(NamedTuple):
    """What one call found: `reset` in unix seconds."""

    limit: int
    remaining: int
    reset: int
    granted: bool


class RateWindows:
    """A fixed window for each token."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        if limit < 1:
            raise ValueError("rate_limit must be at least 1, or None for no limit")
        self._limit = limit
        self._clock = clock
        self._windows: dict[str, tuple[int, int]] = {}  # token -> (reset, used)

    def take(self, token: str) -> Allowance:
        """Spend one call of a known token."""
        now = self._clock()
        reset, used = self._windows.get(token, (0, 0))
        if now >= reset:
            reset, used = int(now) + WINDOW_SECONDS, 0
        granted = used < self._limit
        if granted:
            used += 1
        self._windows[token] = (reset, used)
        return Allowance(self._limit, self._limit - used, reset, granted)

    def untouched(self) -> Allowance:
        """Return what a caller without a known token is told; strangers have no window to keep."""
        return Allowance(self._limit, self._limit, int(self._clock()) + WINDOW_SECONDS, True)

    def forget(self) -> None:
        """Start every token afresh."""
        self._windows.clear()


class Stats:
    """Data API calls per path template since the start or the last reset."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.limited = 0

    def forget(self) -> None:
        """Set every count to zero."""
        self.calls.clear()
        self.limited = 0
