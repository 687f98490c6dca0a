"""What has been learned of one tenant's Clever: how large its collections are, and what calls weigh and take."""

from dataclasses import dataclass, field

import msgspec

from gateway.access import costs
from gateway.clever.catalogue import ALL, RELATIONS, Relation, Resource

# How much a new observation counts against all before it.
_WEIGHT = 0.2
# What two kinds of call are compared by, when their times are known; beyond these bounds a measurement is luck.
_LEAST_BYTES_OF_A_CALL, _MOST_BYTES_OF_A_CALL = 100_000, 1_000_000
# An answer of more bytes tells how fast bytes come, a smaller one how long a call takes.
_LARGE_BYTES = 200_000


@dataclass(slots=True)
class Average:
    """A moving average; `value` is None until something has been observed."""

    value: float | None = None

    def observe(self, value: float) -> None:
        """Take in an observation."""
        self.value = value if self.value is None else (1 - _WEIGHT) * self.value + _WEIGHT * value

    def otherwise(self, guess: float) -> float:
        """Return the average, or the guess where nothing has been observed."""
        return guess if self.value is None else self.value


class _Learned(msgspec.Struct):
    sizes: list[tuple[str, str | None, int]]
    record_bytes: dict[str, float]
    link_rows: dict[str, float]
    call_s: float | None
    bytes_per_s: float | None


@dataclass(slots=True)
class Statistics:
    """Sizes of collections by role as last seen, moving averages, and the calls that the minute has left.

    `reused`: how many requests a list serves that is read whole.
    """

    reused: int = 1
    minute_left: int = costs.CALLS_AT_EASE
    sizes: dict[tuple[Resource, str | None], int] = field(default_factory=dict)
    record_bytes: dict[Resource, Average] = field(default_factory=dict)
    link_rows: dict[Relation, Average] = field(default_factory=dict)
    call_s: Average = field(default_factory=Average)
    bytes_per_s: Average = field(default_factory=Average)

    def written(self) -> bytes:
        """Return what has been learned as bytes, for another process to `take`."""
        return msgspec.json.encode(
            _Learned(
                [(rows.name, role, size) for (rows, role), size in self.sizes.items()],
                {rows.name: one.value for rows, one in self.record_bytes.items() if one.value is not None},
                {relation.name: one.value for relation, one in self.link_rows.items() if one.value is not None},
                self.call_s.value,
                self.bytes_per_s.value,
            )
        )

    def take(self, written: bytes) -> None:
        """Take over what another process has learned, where nothing is known here."""
        try:
            learned = msgspec.json.decode(written, type=_Learned)
        except msgspec.DecodeError:
            # Another version's: what it knows is learned again.
            return
        kinds = {rows.name: rows for rows in ALL}
        relations = {relation.name: relation for relation in RELATIONS}
        for name, role, size in learned.sizes:
            if name in kinds:
                self.sizes.setdefault((kinds[name], role), size)
        for name, value in learned.record_bytes.items():
            if name in kinds:
                self.record_bytes.setdefault(kinds[name], Average(value))
        for name, value in learned.link_rows.items():
            if name in relations:
                self.link_rows.setdefault(relations[name], Average(value))
        for average, known in ((self.call_s, learned.call_s), (self.bytes_per_s, learned.bytes_per_s)):
            if average.value is None:
                average.value = known

    def learn_call(self, rows: Resource, records: int, size: int, seconds: float) -> None:
        """Take in what one call brought, in bytes, and how long it took."""
        if records > 0 and size > 0:
            self.record_bytes.setdefault(rows, Average()).observe(size / records)
        if size < _LARGE_BYTES:
            self.call_s.observe(seconds)
        elif seconds > 0:
            self.bytes_per_s.observe(size / seconds)

    def learn_link(self, relation: Relation, rows: int) -> None:
        """Take in how many rows a relative link had."""
        self.link_rows.setdefault(relation, Average()).observe(rows)

    def bytes_of(self, rows: Resource, count: int) -> int:
        """Return the bytes of so many records."""
        guess = costs.BYTES_OF_A_RECORD.get(rows.name, costs.BYTES_OF_ANOTHER)
        average = self.record_bytes.get(rows)
        return round(count * (guess if average is None else average.otherwise(guess)))

    def rows_of_link(self, relation: Relation) -> float:
        """Return how many rows a link of this relation has."""
        average = self.link_rows.get(relation)
        return costs.ROWS_OF_A_LINK if average is None else average.otherwise(costs.ROWS_OF_A_LINK)

    @property
    def bytes_of_a_call(self) -> float:
        """Return the bytes of a large page that take about as long as a small call."""
        if self.call_s.value is None or self.bytes_per_s.value is None:
            return costs.BYTES_OF_A_CALL
        return min(max(self.call_s.value * self.bytes_per_s.value, _LEAST_BYTES_OF_A_CALL), _MOST_BYTES_OF_A_CALL)

    def weigh(self, cost: costs.Cost, calls_left: int) -> float:
        """Return a cost in calls; infinite where it needs more of them than the request has left.

        The fewer calls the minute has left, the more each weighs.
        """
        if cost.calls > calls_left:
            return float("inf")
        scarcity = max(1.0, costs.CALLS_AT_EASE / max(1, min(calls_left, self.minute_left)))
        return cost.calls * scarcity + cost.bytes / self.bytes_of_a_call
