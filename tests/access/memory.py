"""What a planner may be told is known."""

from collections.abc import Iterable, Sequence

from gateway.cache.freshness import Lifetimes
from gateway.cache.rows import DecodedRows
from gateway.cache.shelf import Entry, ListKey, Roster
from gateway.cache.view import View
from gateway.clever.calls import CountCall, RecordCall
from gateway.clever.catalogue import Resource
from gateway.clever.records import Record


class Memory(View):
    """A view of a request that has already read something."""

    def __init__(self) -> None:
        super().__init__(Roster(), Lifetimes(), 0.0)

    def size_is(self, rows: Resource, role: str | None, size: int | None) -> None:
        """Know a collection's size, or with None that it is not told."""
        call = CountCall(rows, role)
        if size is None:
            self.refused.add(call)
        else:
            self.pin(Entry(call, rows, 0.0, count=size))

    def keep(self, rows: Resource, records: Iterable[Record]) -> None:
        """Know single records."""
        for record in records:
            self.pin(Entry(RecordCall(rows, record.id), rows, 0.0, DecodedRows((record,))))

    def hold(self, key: ListKey, records: Sequence[Record] = ()) -> None:
        """Know a whole list."""
        self.pin(Entry(key, key[0].rows, 0.0, DecodedRows(tuple(records))))
