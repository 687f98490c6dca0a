"""What one request has learned of its tenant's roster; it dies with the request, so it needs no tenant in its keys."""

from collections.abc import Iterable

from gateway.clever.catalogue import Relation, Resource, Selection
from gateway.clever.records import Record

# A list is known whole or not at all: relation, parent's id (None for a whole collection), selection.
ListKey = tuple[Relation, str | None, Selection]


class RequestMemory:
    """Records by id, with None for those Clever has none to show of, and lists that were read to their end."""

    __slots__ = ("_records", "lists")

    def __init__(self) -> None:
        self._records: dict[tuple[Resource, str], Record | None] = {}
        self.lists: dict[ListKey, tuple[Record, ...]] = {}

    def keep(self, rows: Resource, records: Iterable[Record]) -> None:
        """Remember records that a page or a look-up brought."""
        for record in records:
            self._records[rows, record.id] = record

    def keep_missing(self, rows: Resource, key: str) -> None:
        """Remember that Clever has no such record to show."""
        self._records.setdefault((rows, key), None)

    def knows(self, rows: Resource, key: str) -> bool:
        """Say whether a look-up of this id would cost no call."""
        return (rows, key) in self._records

    def find(self, rows: Resource, key: str) -> Record | None:
        """Return a known record; None where it is missing or not known."""
        return self._records.get((rows, key))
