"""Which failures are worth another try, and how long to wait before it. Every Data API call is a GET."""

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

RETRYABLE = frozenset({429, 500, 502, 503})

# A rate window is a minute long (https://dev.clever.com/reference/responses-errors): a reset further away is a
# clock that differs from ours.
WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between tries, in seconds, with full jitter so that callers do not come back together."""

    tries: int = 4
    first_s: float = 0.1
    longest_s: float = 5.0
    pick: Callable[[float, float], float] = random.uniform

    def after_failure(self, attempt: int) -> float:
        """Return the wait after the `attempt`-th failure (from 1)."""
        return self.pick(0, min(self.longest_s, self.first_s * 4 ** (attempt - 1)))

    def after_limit(self, headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float:
        """Return the wait a 429 asks for: until `x-ratelimit-reset`, or 0.25-5 s where it names none."""
        reset = latest_reset(headers.get("x-ratelimit-reset", ""))
        if reset is None:
            return self.pick(0.25, self.longest_s)
        return min(max(reset - now(), 0.0), WINDOW_S) + self.pick(0.05, 0.5)


def latest_reset(value: str) -> float | None:
    """Read `x-ratelimit-reset`, unix seconds; of several values joined by commas the latest."""
    try:
        resets = [float(part) for part in value.split(",")]
    except ValueError:
        return None
    return max(resets) if all(map(math.isfinite, resets)) else None


def least_remaining(value: str) -> int | None:
    """Read `x-ratelimit-remaining`, a count of calls; of several values joined by commas the least."""
    try:
        counts = [int(part) for part in value.split(",")]
    except ValueError:
        return None
    return min(counts) if min(counts) >= 0 else None
