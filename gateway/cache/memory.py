"""What one request has learned of its tenant's roster; it dies with the request, so it needs no tenant in its keys."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from gateway.clever.catalogue import COLLECTIONS, Relation, Resource, Selection
from gateway.clever.records import Record

# A list is known whole or not at all: relation, parent's id (None for a whole collection), selection.
ListKey = tuple[Relation, str | None, Selection]
Index = Mapping[str, list[str]]


def collection_key(rows: Resource, role: str | None) -> ListKey:
    """Return the list that is a whole collection, or for a role that part of it."""
    return COLLECTIONS[rows], None, Selection(role)


class RequestMemory:
    """Records by id, with None for those Clever has none to show of, and lists that were read to their end.

    `sizes`: how many rows a collection, or the part of a role, has; None where Clever would not say. `refused`:
    lists that could not be read to their end, or not in time.
    """

    __slots__ = ("_indexes", "_records", "lists", "refused", "sizes")

    def __init__(self) -> None:
        self._records: dict[tuple[Resource, str], Record | None] = {}
        self._indexes: dict[tuple[Relation, Selection], Index] = {}
        self.lists: dict[ListKey, tuple[Record, ...]] = {}
        self.sizes: dict[tuple[Resource, str | None], int | None] = {}
        self.refused: set[ListKey] = set()

    def keep(self, rows: Resource, records: Iterable[Record]) -> None:
        """Remember records that a page or a look-up brought."""
        for record in records:
            self._records[rows, record.id] = record

    def keep_missing(self, rows: Resource, key: str) -> None:
        """Remember that Clever has no such record to show."""
        self._records.setdefault((rows, key), None)

    def knows(self, rows: Resource, key: str, role: str | None = None) -> bool:
        """Say whether a look-up of this id, whose record can only hold `role`, would cost no call."""
        return (rows, key) in self._records or self.has_all(rows, role)

    def find(self, rows: Resource, key: str) -> Record | None:
        """Return a known record; None where it is missing or not known."""
        return self._records.get((rows, key))

    def has_all(self, rows: Resource, role: str | None = None) -> bool:
        """Say whether a collection, or the part of a role, is known whole."""
        if rows not in COLLECTIONS:
            return False
        return collection_key(rows, role) in self.lists or collection_key(rows, None) in self.lists

    def size(self, rows: Resource, role: str | None) -> int | None:
        """Return how many rows a collection, or the part of a role, has, if that is known."""
        held = self.lists.get(collection_key(rows, role))
        return self.sizes.get((rows, role)) if held is None else len(held)

    def ids(self, relation: Relation, parent: Record | None, selection: Selection) -> list[str] | None:
        """Return the ids of a relation's rows, ascending, where the parent's record or a whole collection tells."""
        found = relation.references(parent, selection) if parent else None
        if found is None and parent is not None and relation.scan and relation.scan.covers(parent):
            index = self._index(relation, selection)
            return None if index is None else index.get(parent.id, [])
        return None if found is None else sorted({key for key in found if key})

    def _index(self, relation: Relation, selection: Selection) -> Index | None:
        """Return for every parent the ids of its rows, worked out of a collection that is known whole."""
        scan = relation.scan
        assert scan is not None  # noqa: S101 - for the type checker: asked of scanned relations only
        if (relation, selection) not in self._indexes:
            role = scan.role(selection)
            held = self.lists.get(collection_key(scan.of, role), self.lists.get(collection_key(scan.of, None)))
            if held is None:
                return None
            grouped: defaultdict[str, set[str]] = defaultdict(set)
            for row in held:
                targets = [key for key in scan.to(row) if key]
                for parent in scan.by(row, selection):
                    if parent:
                        grouped[parent].update(targets)
            self._indexes[relation, selection] = {parent: sorted(keys) for parent, keys in grouped.items()}
        return self._indexes[relation, selection]
