"""What one request may still spend: time, upstream calls, and rows of its answer."""

import asyncio

from gateway.errors import DeadlineExceeded, QueryTooComplex


class Allowance:
    """The deadline, the calls and the rows of one request; `used` counts every call sent, retries included."""

    __slots__ = ("_deadline", "_rows", "limit", "most_rows", "used")

    def __init__(self, seconds: float, calls: int, rows: int = 1_000_000) -> None:
        self._deadline = asyncio.get_running_loop().time() + seconds
        self.limit = calls
        self.used = 0
        self.most_rows = rows
        self._rows = 0

    @property
    def seconds_left(self) -> float:
        """Return the seconds until the deadline, never below zero."""
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    @property
    def calls_left(self) -> int:
        """Return how many calls may still be sent."""
        return self.limit - self.used

    def spend_call(self) -> None:
        """Count one call.

        Raises QueryTooComplex when the request has no call left, DeadlineExceeded when it has no time left.
        """
        self.check_time()
        if self.used >= self.limit:
            raise QueryTooComplex(
                f"Answering this needs more than {self.limit} calls to Clever, which is what one request may make. "
                "Ask for fewer rows or fewer levels."
            )
        self.used += 1

    def take_rows(self, count: int) -> None:
        """Count rows that go into the answer: nested lists multiply, though their records are read once.

        Raises QueryTooComplex beyond what one answer may hold, DeadlineExceeded when the request has no time left.
        """
        self.check_time()
        self._rows += count
        if self._rows > self.most_rows:
            raise QueryTooComplex(
                f"The answer would hold more than {self.most_rows} rows, which is what one request may have. "
                "Ask for fewer rows or fewer levels."
            )

    def check_time(self) -> None:
        """Raise DeadlineExceeded when the request has no time left."""
        if self.seconds_left <= 0:
            raise DeadlineExceeded("The request's time ran out. Ask for fewer rows, or page through them.")


def out_of_time() -> DeadlineExceeded:
    """Return the error of a request whose time ends while calls are waiting or under way."""
    return DeadlineExceeded(
        "The request's time ran out while Clever was being asked. Ask for fewer rows, or try again."
    )
