"""What one request may still spend: time, upstream calls, and rows of its answer."""

import asyncio

from gateway.errors import DeadlineExceeded, QueryTooComplex


class Allowance:
    """The deadline, the calls and the rows of one request; `used` counts every call sent, retries included.

    A part of it, made by `part`, spends from the whole and has a tally of its own: `used`, the `bytes` of the answers
    and the `seconds` that calls took. `line` is what takes turns with others: the request, or a part with a deadline
    of its own, whose work may outlive the request.
    """

    __slots__ = (
        "_abandoned",
        "_clock",
        "_deadline",
        "_own_time",
        "_rows",
        "_whole",
        "bytes",
        "limit",
        "most_rows",
        "seconds",
        "used",
    )

    def __init__(self, seconds: float, calls: int, rows: int = 1_000_000) -> None:
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + seconds
        self._whole: Allowance | None = None
        self._own_time = True
        self._abandoned = False
        self._rows = 0
        self.limit = calls
        self.most_rows = rows
        self.used = 0
        self.bytes = 0
        self.seconds = 0.0

    def part(self, seconds: float | None = None) -> "Allowance":
        """Return a part with a tally of its own; with `seconds` it has a deadline of its own, too."""
        left = self._deadline - self._clock() if seconds is None else seconds
        part = Allowance(left, self.limit, self.most_rows)
        part._whole, part._own_time = self, seconds is not None
        return part

    @property
    def line(self) -> "Allowance":
        """Return what takes turns with others."""
        return self if self._own_time or self._whole is None else self._whole.line

    @property
    def abandoned(self) -> bool:
        """Say whether nobody waits for the request any more: its caller has hung up."""
        return self._abandoned or (self._whole is not None and self._whole.abandoned)

    def abandon(self) -> None:
        """Note that nobody waits for the request any more."""
        self._abandoned = True

    @property
    def seconds_left(self) -> float:
        """Return the seconds until the deadline, never below zero."""
        return max(0.0, self._deadline - self._clock())

    @property
    def calls_left(self) -> int:
        """Return how many calls may still be sent."""
        whole = self
        while whole._whole is not None:
            whole = whole._whole
        return whole.limit - whole.used

    def spend_call(self) -> None:
        """Count one call.

        Raises QueryTooComplex when the request has no call left, DeadlineExceeded when it has no time left.
        """
        self.check_time()
        if self.calls_left <= 0:
            raise QueryTooComplex(
                f"Answering this needs more than {self.limit} calls to Clever, which is what one request may make. "
                "Ask for fewer rows or fewer levels."
            )
        one: Allowance | None = self
        while one is not None:
            one.used += 1
            one = one._whole

    def hear(self, size: int, seconds: float) -> None:
        """Add the bytes of an answer and the seconds that it took to the tally."""
        one: Allowance | None = self
        while one is not None:
            one.bytes += size
            one.seconds += seconds
            one = one._whole

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
        if self._clock() >= self._deadline:
            raise DeadlineExceeded("The request's time ran out. Ask for fewer rows, or page through them.")


def out_of_time() -> DeadlineExceeded:
    """Return the error of a request whose time ends while calls are waiting or under way."""
    return DeadlineExceeded(
        "The request's time ran out while Clever was being asked. Ask for fewer rows, or try again."
    )
