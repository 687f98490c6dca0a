"""View: what one request may use of its tenant's roster; what it has used once stays the same until its end."""

from collections.abc import Callable, Iterable, Sequence

from gateway.cache.freshness import Age, Lifetimes
from gateway.cache.indexes import INDEXED_AT_ONCE, Index, IndexBuilder, IndexKind
from gateway.cache.rows import DecodedRows, OpenedRows, OpenRows
from gateway.cache.shelf import Entry, Key, ListKey, Roster
from gateway.clever.calls import CountCall, RecordCall
from gateway.clever.catalogue import COLLECTIONS, ROLES, USERS, Relation, Resource, Selection
from gateway.clever.records import Record

# What is younger than this is not read again, whatever the caller asks for.
NEWEST_S = 5.0


def collection_key(rows: Resource, role: str | None) -> ListKey:
    """Return the list that is a whole collection, or for a role that part of it."""
    return COLLECTIONS[rows], None, Selection(role)


class View:
    """One request's view of a roster: entries that are fresh enough, records by id, and indexes over collections.

    `refresh`: the caller asks for data not older than a few seconds. `on_used` hears once of every entry used that
    the request did not read itself, `on_grown` of entries that have got an index. `worst`: the worst age that may be
    used. `refused`: lists that could not be read to their end, or not in time. `unindexed`: indexes that were looked
    for, with the collections over which they are still to be built: until then it is as if nothing told.
    """

    def __init__(
        self,
        roster: Roster,
        lifetimes: Lifetimes,
        now: float,
        *,
        refresh: bool = False,
        worst: Age = Age.USABLE,
        on_used: Callable[[Entry, Age], None] = lambda _entry, _age: None,
        on_grown: Callable[[Entry], None] = lambda _entry: None,
    ) -> None:
        self._roster = roster
        self._lifetimes = lifetimes
        self.began = now
        self._refresh = refresh
        self._worst = worst
        self._on_used = on_used
        self._on_grown = on_grown
        self._entries: dict[Key, Entry] = {}
        self._places: dict[tuple[Resource, str], Entry] = {}
        self._opened: dict[Entry, OpenRows] = {}
        self._indexes: dict[IndexKind, tuple[Entry, Index]] = {}
        self.unindexed: dict[IndexKind, Entry] = {}
        self._wholes: dict[tuple[Resource, str | None], tuple[bool, list[OpenRows]]] = {}
        self._put_together: set[Key] = set()
        self.refused: set[Key] = set()

    def age(self, entry: Entry) -> Age:
        """Return what this request may do with an entry."""
        seconds = self.began - entry.at
        age = self._lifetimes.age(entry.resource, seconds, missing=entry.missing)
        return Age.SPARE if self._refresh and age < Age.SPARE and seconds >= NEWEST_S else age

    def held(self, key: Key) -> Entry | None:
        """Return what is known under a key, if it may be used."""
        pinned = self._entries.get(key)
        if pinned is not None:
            return pinned
        entry = self._roster.entries.get(key)
        if entry is None or (age := self.age(entry)) > self._worst:
            return None
        self._entries[key] = entry
        self._on_used(entry, age)
        return entry

    def usable(self, key: Key) -> bool:
        """Say whether something may be used under a key, without using it."""
        entry = self._roster.entries.get(key)
        return key in self._entries or (entry is not None and self.age(entry) <= self._worst)

    def renew(self) -> None:
        """Look again at what is known: it has grown."""
        self._wholes.clear()

    def spare(self, key: Key) -> Entry | None:
        """Return what was known under a key, for want of anything newer."""
        entry = self._roster.entries.get(key)
        return None if entry is None or self.age(entry) is Age.GONE else entry

    def pin(self, entry: Entry, parts: Iterable[Entry] = ()) -> None:
        """Use an entry from now on, whatever becomes of it elsewhere; it takes the place of its parts."""
        self._put_together.update(part.key for part in parts)
        self._entries[entry.key] = entry
        if entry.is_collection:
            self._wholes.clear()
        else:
            for key in entry.rows.ids():
                self._places[entry.resource, key] = entry

    def remember(self, key: ListKey, records: tuple[Record, ...]) -> None:
        """Use a list for the rest of this request that was put together of what is known."""
        self._entries[key] = Entry(key, key[0].rows, self.began, DecodedRows(records))
        self._put_together.add(key)

    def kinds(self) -> set[Resource]:
        """Return the kinds of records of which anything is known, however old."""
        return {entry.resource for entry in self._roster.entries.values()}

    def used(self) -> list[Entry]:
        """Return all entries that the request has used, but those it put together itself, and parts of others."""
        return [entry for key, entry in self._entries.items() if key not in self._put_together]

    def close(self) -> None:
        """Let go of everything at the end of the request: what was unpacked for it can be a district."""
        self._on_used = lambda _entry, _age: None
        self._on_grown = lambda _entry: None
        for held in (self._entries, self._places, self._opened, self._indexes, self._wholes, self.unindexed):
            held.clear()

    def open(self, entry: Entry) -> OpenRows:
        """Return an entry's rows; what has to be unpacked is unpacked once."""
        opened = self._opened.get(entry)
        if opened is None:
            opened = self._opened[entry] = entry.rows.open()
        return opened

    def whole(self, key: ListKey) -> OpenRows | None:
        """Return the rows of a list that is known whole."""
        entry = self.held(key)
        return None if entry is None else self.open(entry)

    def has_list(self, key: ListKey) -> bool:
        """Say whether a list is known whole."""
        return self.held(key) is not None

    def find(self, rows: Resource, key: str, role: str | None = None) -> tuple[bool, Record | None]:
        """Return whether a look-up of this id, whose record can only hold `role`, needs no call; and the record."""
        complete, wholes = self._collections(rows, role)
        for whole in wholes:
            found = whole.find(key)
            if found is not None:
                return True, found
        if complete and role is None:
            return True, None
        placed = self._placed(rows, key)
        if placed is not None and (found := self.open(placed).find(key)) is not None:
            return True, found
        single = self.held(RecordCall(rows, key))
        if single is not None:
            return True, self.open(single).find(key)
        return complete, None

    def first_finder(self, rows: Resource, role: str | None) -> Callable[[str], Record | None] | None:
        """Return what looks where `find` looks first, if there is such a place; what it does not find, `find` may."""
        wholes = self._collections(rows, role)[1]
        return wholes[0].finder if wholes else None

    def knows(self, rows: Resource, key: str, role: str | None = None) -> bool:
        """Say whether a look-up of this id, whose record can only hold `role`, would cost no call."""
        # Where everything is known, there is nothing to look for, and nothing to unpack.
        return self._collections(rows, role)[0] or self.find(rows, key, role)[0]

    def has_all(self, rows: Resource, role: str | None = None) -> bool:
        """Say whether a collection, or the part of a role, is known whole."""
        return self._collections(rows, role)[0]

    def unpacks(self, rows: Resource, role: str | None = None) -> bool:
        """Say whether looking for a record that is not known for certain may take unpacking."""
        complete, wholes = self._collections(rows, role)
        return not complete and any(isinstance(whole, OpenedRows) for whole in wholes)

    def size(self, rows: Resource, role: str | None) -> int | None:
        """Return how many rows a collection, or the part of a role, has, if that is known."""
        if rows not in COLLECTIONS:
            return None
        whole = self.whole(collection_key(rows, role))
        if whole is not None:
            return len(whole)
        counted = self.held(CountCall(rows, role))
        return None if counted is None else counted.count

    def ids(self, relation: Relation, parent: Record | None, selection: Selection) -> Sequence[str] | None:
        """Return the ids of a relation's rows, ascending, where the parent's record or a whole collection tells."""
        found = relation.references(parent, selection) if parent else None
        if found is None and parent is not None and relation.scan and relation.scan.covers(parent):
            indexed = self._indexed(relation, selection)
            return None if indexed is None else indexed[1].ids(parent.id)
        return None if found is None else sorted({key for key in found if key})

    def count(self, relation: Relation, parent: Record | None, selection: Selection) -> int | None:
        """Return how many rows a relation has, where that is certain without a look at them."""
        scan = relation.scan
        if parent is None or scan is None or relation.rows is not scan.of or not relation.applies(parent, selection):
            return None
        if not scan.covers(parent) or relation.references(parent, selection) is not None:
            return None
        indexed = self._indexed(relation, selection)
        if indexed is None:
            return None
        # The rows of an index are there where they are looked for in the same collection.
        complete, wholes = self._collections(relation.rows, selection.role or relation.role_of_rows)
        opened = self._opened.get(indexed[0])
        is_there = complete and any(whole is opened for whole in wholes)
        return len(indexed[1].ids(parent.id)) if is_there else None

    def _collections(self, rows: Resource, role: str | None) -> tuple[bool, list[OpenRows]]:
        """Return whether what is known holds all rows of a role, and the collections to find them in."""
        known = self._wholes.get((rows, role))
        if known is None:
            known = self._wholes[rows, role] = self._known_collections(rows, role)
        return known

    def _known_collections(self, rows: Resource, role: str | None) -> tuple[bool, list[OpenRows]]:
        if rows not in COLLECTIONS:
            return False, []
        everything = self.whole(collection_key(rows, None))
        if everything is not None:
            return True, [everything]
        parts = {part: self.whole(collection_key(rows, part)) for part in ROLES} if rows is USERS else {}
        return parts.get(role or "") is not None, [part for part in parts.values() if part is not None]

    def _placed(self, rows: Resource, key: str) -> Entry | None:
        """Return a list, page or look-up that brought the record and may be used. The request may use an older one."""
        pinned = self._places.get((rows, key))
        if pinned is not None:
            return pinned
        entry = self._roster.place(rows, key)
        return None if entry is None else self.held(entry.key)

    def _indexed(self, relation: Relation, selection: Selection) -> tuple[Entry, Index] | None:
        """Return for every parent the ids of its rows, worked out of a collection that is known whole, and that one."""
        kind = relation, selection
        indexed = self._indexes.get(kind)
        if indexed is not None:
            return indexed
        scan = relation.scan
        assert scan is not None  # noqa: S101 - for the type checker: asked of scanned relations only
        role = scan.role(selection)
        for key in dict.fromkeys((collection_key(scan.of, role), collection_key(scan.of, None))):
            entry = self.held(key)
            if entry is not None:
                if kind not in entry.indexes:
                    if len(entry.rows) > INDEXED_AT_ONCE:
                        self.unindexed[kind] = entry
                        return None
                    self._build(kind, entry)
                indexed = self._indexes[kind] = entry, entry.indexes[kind]
                return indexed
        return None

    def _build(self, kind: IndexKind, entry: Entry) -> None:
        builder = IndexBuilder(*kind)
        for _ in builder.steps(self.open(entry)):
            pass
        entry.add_index(kind, builder.index)
        self._on_grown(entry)
