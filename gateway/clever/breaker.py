"""Breaker: after many failures in a row Clever is left alone for a while, and whoever asks is told at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import UpstreamTimeout, UpstreamUnavailable

# So many failures in a row, with no answer between them, are no accident of single calls.
FAILURES = 20
_FIRST_S = 1.0
# Once Clever is well again this is the longest that nobody notices.
_LONGEST_S = 8.0


class Breaker:
    """Counts failures in a row: resets, timeouts and statuses of 500 and above; `most` of them open it.

    Closed, it lets every call pass. Open, none for a second, then one to try. The next one tries twice as long after
    that one was sent, whether it has failed by then or hangs; the wait doubles up to eight seconds.
    """

    def __init__(self, most: int = FAILURES, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._failures = 0
        self._wait_s = _FIRST_S
        self._until = 0.0

    @property
    def is_open(self) -> bool:
        """Say whether calls are refused, but for those that try."""
        return self._failures >= self._most

    @contextmanager
    def call(self) -> Iterator[Callable[[int], None]]:
        """Let a call pass; what is yielded takes the status of its answer.

        Raises UpstreamUnavailable where Clever is left alone.
        """
        tries = self._check()
        told = False

        def tell(status: int) -> None:
            nonlocal told
            told = True
            if status < 500:
                self._failures, self._wait_s = 0, _FIRST_S
            else:
                self._fail()

        try:
            yield tell
        except (UpstreamTimeout, UpstreamUnavailable):
            if not told:
                told = True
                self._fail()
            raise
        finally:
            if tries and not told:
                # It was cancelled, or the request's time ended: that tells nothing of Clever.
                self._until = self._clock()

    def _check(self) -> bool:
        """Return whether a call is one that tries."""
        if not self.is_open:
            return False
        now = self._clock()
        if self._until > now:
            raise UpstreamUnavailable(
                f"Clever failed to answer the last {self._failures} calls and is asked again in "
                f"{max(self._until - now, 0.1):.1f} s. Try again later; https://status.clever.com tells of outages."
            )
        self._wait_s = min(2 * self._wait_s, _LONGEST_S)
        self._until = now + self._wait_s
        return True

    def _fail(self) -> None:
        self._failures += 1
        if self._failures == self._most:
            self._until = self._clock() + self._wait_s
