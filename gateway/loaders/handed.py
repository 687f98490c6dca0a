"""Handed: how many records of each kind a request was given; for the audit log, which names none of them."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from gateway.access.wants import Rows, Want
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import ALL
from gateway.clever.records import Record

_NAMES = {rows.record: rows.name for rows in ALL}

LoadRecords = Callable[[Sequence[RecordCall]], Awaitable[Mapping[RecordCall, Record | Exception | None]]]
LoadRows = Callable[[Sequence[Want]], Awaitable[Mapping[Want, Rows | Exception]]]


class Handed:
    """The distinct records that came out of what it stands in front of."""

    def __init__(self) -> None:
        self._ids: defaultdict[type, set[str]] = defaultdict(set)

    def counts(self) -> dict[str, int]:
        """Return how many records there were of each kind."""
        return {_NAMES[kind]: len(ids) for kind, ids in sorted(self._ids.items(), key=lambda one: _NAMES[one[0]])}

    def records(self, load: LoadRecords) -> LoadRecords:
        """Return a loader of records that counts what `load` finds."""

        async def counted(calls: Sequence[RecordCall]) -> Mapping[RecordCall, Record | Exception | None]:
            found = await load(calls)
            for one in found.values():
                if isinstance(one, Record):
                    self._ids[type(one)].add(one.id)
            return found

        return counted

    def rows(self, load: LoadRows) -> LoadRows:
        """Return a loader of lists that counts what `load` finds."""

        async def counted(wants: Sequence[Want]) -> Mapping[Want, Rows | Exception]:
            found = await load(wants)
            for rows in found.values():
                if isinstance(rows, Rows) and rows.records:
                    self._ids[type(rows.records[0])].update([record.id for record in rows.records])
            return found

        return counted
