"""What reading costs: calls and bytes. All guesses that stand in for observations are here, each with its name."""

import math
from dataclasses import dataclass

from gateway.clever.calls import MAX_LIMIT

# A small call and this many bytes of a large page take the gateway about as long.
BYTES_OF_A_CALL = 250_000
# Bytes of a record as JSON, from Clever's sandbox; what is not named is small.
BYTES_OF_A_RECORD = {"users": 650, "sections": 1200, "schools": 600}
BYTES_OF_ANOTHER = 200
# Rows of a relative link, when nothing is known of it: a class.
ROWS_OF_A_LINK = 25
# Up to this many calls are made at once without asking for a collection's size first.
WORTH_A_COUNT = 4
# The share of a section's people who are not in the list of its school.
STRAYS = 0.03
# How many requests a list that is read whole serves while it is fresh, where it is remembered.
REUSED = 4
# With fewer calls left than this, each weighs more, in proportion.
CALLS_AT_EASE = 300


@dataclass(frozen=True, slots=True)
class Cost:
    """Calls and bytes of a way to read something."""

    calls: int = 0
    bytes: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.calls + other.calls, self.bytes + other.bytes)

    def __str__(self) -> str:
        return f"{self.calls} call{'' if self.calls == 1 else 's'}, {_in_words(self.bytes)}"


def pages(rows: int) -> int:
    """Return how many of the largest pages there are hold so many rows; an empty list is a page, too."""
    return max(1, math.ceil(rows / MAX_LIMIT))


def _in_words(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{math.ceil(size / 1e3)} kB"
