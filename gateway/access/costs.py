"""What reading costs, in calls; bytes count as the calls that they weigh as much as. All guesses are here."""

import math
from dataclasses import dataclass

from gateway.clever.calls import MAX_LIMIT
from gateway.clever.catalogue import Resource

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
# With fewer calls left than this, each weighs more, in proportion.
CALLS_AT_EASE = 300


@dataclass(frozen=True, slots=True)
class Cost:
    """Calls and bytes of a way to read something."""

    calls: int
    bytes: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.calls + other.calls, self.bytes + other.bytes)

    def weigh(self, calls_left: int) -> float:
        """Return the cost in calls; infinite where it needs more than there are left."""
        if self.calls > calls_left:
            return math.inf
        return self.calls * max(1.0, CALLS_AT_EASE / max(1, calls_left)) + self.bytes / BYTES_OF_A_CALL


def of_records(rows: Resource, count: int) -> int:
    """Return the bytes of so many records."""
    return count * BYTES_OF_A_RECORD.get(rows.name, BYTES_OF_ANOTHER)


def of_look_ups(rows: Resource, count: int) -> Cost:
    """Return the cost of looking records up one by one."""
    return Cost(count, of_records(rows, count))


def of_links(rows: Resource, count: int) -> Cost:
    """Return the cost of following so many relative links."""
    return Cost(count, of_records(rows, count * ROWS_OF_A_LINK))


def of_scan(rows: Resource, size: int) -> Cost:
    """Return the cost of reading a collection of so many rows in the largest pages there are."""
    return Cost(max(1, math.ceil(size / MAX_LIMIT)), of_records(rows, size))


def of_lists(rows: Resource, lists: int, wanted: int) -> Cost:
    """Return the cost of reading a list per school and looking the strays up among `wanted` people."""
    strays = math.ceil(wanted * STRAYS)
    return Cost(lists + strays, of_records(rows, wanted + strays))
