"""Shelf: what all tenants' requests have read, bounded in bytes. Nothing of it passes from one tenant to another.

What is read once waits in the front row; what is used again moves to the back row, which new entries cannot push out.
So a scan that nobody asks for twice makes room for itself among its like. Under pressure, large decoded lists are
packed before anything is given up.
"""

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from gateway.cache.indexes import Index, IndexKind
from gateway.cache.rows import EMPTY, DecodedRows, HeldRows, packed
from gateway.clever.calls import CountCall, ListCall, RecordCall
from gateway.clever.catalogue import COLLECTIONS, Relation, Resource, Selection
from gateway.identity import Tenant

# A list known whole: relation, parent's id (None for a whole collection), selection.
ListKey = tuple[Relation, str | None, Selection]
Key = RecordCall | ListCall | CountCall | ListKey

# The back row may take this share, so that something new always finds room.
_BACK_ROW = 0.8
# A list this small is not worth packing.
_WORTH_PACKING = 64 * 1024
# What an entry and its places in the shelf's dictionaries take besides its rows.
_ENTRY_BYTES = 600
_ROW_PLACE_BYTES = 170


class Standing:
    """Whether an entry is what its roster knows. It may be held for longer than the entry, whose rows take memory."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known = False


@dataclass(slots=True, eq=False)
class Entry:
    """One thing read from Clever at `at`: rows and where their list goes on, or a count, or that there is nothing."""

    key: Key
    resource: Resource
    at: float
    rows: HeldRows = EMPTY
    onward: str | None = None
    count: int | None = None
    missing: bool = False
    indexes: dict[IndexKind, Index] = field(default_factory=dict)
    index_bytes: int = 0
    standing: Standing = field(default_factory=Standing)
    # Of the data that is shared, the generation that it was read in, if that was known.
    generation: bytes | None = None

    def add_index(self, kind: IndexKind, index: Index) -> None:
        """Keep an index over these rows with them."""
        if kind not in self.indexes:
            self.indexes[kind] = index
            self.index_bytes += index.bytes

    @property
    def is_collection(self) -> bool:
        """Say whether this is a whole collection, or the part of a role; the one district is found by its place."""
        return isinstance(self.key, tuple) and self.key[1] is None and self.resource in COLLECTIONS

    @property
    def bytes(self) -> int:
        """Return about how much memory the entry takes."""
        places = 0 if self.is_collection else len(self.rows) * _ROW_PLACE_BYTES
        return _ENTRY_BYTES + self.rows.bytes + self.index_bytes + places


class Roster:
    """What is known of one tenant's district: entries by key, and which entry holds a record."""

    __slots__ = ("__weakref__", "_places", "_rows_of", "entries")

    def __init__(self) -> None:
        self.entries: dict[Key, Entry] = {}
        self._places: dict[tuple[Resource, str], Entry] = {}
        # What each entry has places for: it need not be unpacked to be taken out.
        self._rows_of: dict[Entry, tuple[tuple[Resource, str], ...]] = {}

    def put(self, entry: Entry) -> None:
        """Keep an entry in place of any of the same key."""
        self.remove(entry.key)
        self.entries[entry.key] = entry
        entry.standing.known = True
        if not entry.is_collection:
            rows = self._rows_of[entry] = tuple([(entry.resource, key) for key in entry.rows.ids()])
            self._places.update(dict.fromkeys(rows, entry))

    def remove(self, key: Key) -> Entry | None:
        """Take an entry out."""
        entry = self.entries.pop(key, None)
        if entry is not None:
            entry.standing.known = False
            for row in self._rows_of.pop(entry, ()):
                if self._places.get(row) is entry:
                    del self._places[row]
        return entry

    def place(self, rows: Resource, key: str) -> Entry | None:
        """Return an entry that holds the record of this id, collections left aside."""
        return self._places.get((rows, key))


class Shelf:
    """The rosters of all tenants within `capacity` bytes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._rosters: dict[Tenant, Roster] = {}
        # Rosters in use, those without an entry, too: whoever looks at one sees what comes later.
        self._in_use: WeakValueDictionary[Tenant, Roster] = WeakValueDictionary()
        self._front: OrderedDict[Entry, Tenant] = OrderedDict()
        self._back: OrderedDict[Entry, Tenant] = OrderedDict()
        self._sizes: dict[Entry, int] = {}
        self._back_bytes = 0
        # Those worth packing, and those that are being packed.
        self._large: dict[Entry, None] = {}
        self._packing: dict[Entry, asyncio.Task[None]] = {}
        self.bytes = 0
        self.evicted = 0
        # How many entries there are of each kind of record, and the bytes that they take.
        self.entries_of: Counter[str] = Counter()
        self.bytes_of: Counter[str] = Counter()

    @property
    def most_decoded(self) -> float:
        """Return the bytes above which a list is packed from the start, so that one district cannot fill the shelf."""
        return self._capacity / 8

    @property
    def capacity(self) -> int:
        """Return the bytes that may be taken."""
        return self._capacity

    def roster(self, tenant: Tenant) -> Roster:
        """Return what is known of a tenant's district."""
        roster = self._in_use.get(tenant)
        if roster is None:
            roster = self._in_use[tenant] = Roster()
        return roster

    def put(self, tenant: Tenant, entry: Entry) -> None:
        """Keep an entry, and make room for it."""
        roster = self._rosters[tenant] = self.roster(tenant)
        known = roster.entries.get(entry.key)
        in_back = known in self._back
        if known is not None:
            self._forget(known)
        roster.put(entry)
        self._front[entry] = tenant
        self._sizes[entry] = entry.bytes
        self.bytes += entry.bytes
        self.entries_of[entry.resource.name] += 1
        self.bytes_of[entry.resource.name] += entry.bytes
        if isinstance(entry.rows, DecodedRows) and entry.rows.bytes > _WORTH_PACKING:
            self._large[entry] = None
        if in_back:
            self.touch(entry)
        self._make_room()

    def drop(self, tenant: Tenant, key: Key) -> None:
        """Give an entry up."""
        entry = self.roster(tenant).entries.get(key)
        if entry is not None:
            self._drop(entry)

    def touch(self, entry: Entry) -> None:
        """Note that an entry was used again."""
        if entry in self._back:
            self._back.move_to_end(entry)
        elif entry in self._front:
            self._back[entry] = self._front.pop(entry)
            self._back_bytes += self._sizes[entry]
            self._shorten_back()

    def resize(self, entry: Entry) -> None:
        """Take in that an entry has grown or shrunk."""
        if (before := self._sizes.get(entry)) is not None:
            change = entry.bytes - before
            self._sizes[entry] = entry.bytes
            self.bytes += change
            self.bytes_of[entry.resource.name] += change
            if entry in self._back:
                self._back_bytes += change
            if change > 0:
                self._shorten_back()
                self._make_room()

    def drop_tenant(self, tenant: Tenant) -> None:
        """Forget everything of a tenant."""
        for entry in list(self.roster(tenant).entries.values()):
            self._drop(entry)

    async def aclose(self) -> None:
        """Stop packing."""
        for task in list(self._packing.values()):
            task.cancel()
        await asyncio.gather(*self._packing.values(), return_exceptions=True)

    def _shorten_back(self) -> None:
        """Move what is used least to the front, until the back row keeps to its share."""
        while self._back_bytes > self._capacity * _BACK_ROW:
            least, tenant = self._back.popitem(last=False)
            self._back_bytes -= self._sizes[least]
            self._front[least] = tenant

    def _make_room(self) -> None:
        """Pack what is used least, and where that is not enough give it up; the back row when the front is empty."""
        excess = self.bytes - self._capacity
        dropped: list[Entry] = []
        for row in (self._front, self._back):
            if excess <= 0:
                break
            for entry in [entry for entry in self._large if entry in row]:
                if excess > 0:
                    excess -= self._gain(entry)
                    if entry not in self._packing:
                        self._packing[entry] = asyncio.create_task(self._pack(entry))
            for entry in row:
                if excess <= 0:
                    break
                dropped.append(entry)
                excess -= self._sizes[entry] - (self._gain(entry) if entry in self._packing else 0)
        for entry in dropped:
            self._drop(entry)
        self.evicted += len(dropped)

    def _gain(self, entry: Entry) -> int:
        """Return the bytes that packing an entry sets free: it keeps a twelfth, and a quarter is left to doubt."""
        return self._sizes[entry] * 3 // 4

    async def _pack(self, entry: Entry) -> None:
        """Pack an entry's rows, in a thread because compressing takes a while."""
        try:
            rows = entry.rows
            if isinstance(rows, DecodedRows):
                try:
                    smaller = await asyncio.to_thread(packed, entry.resource.record, rows)
                except Exception:
                    # Its room is counted on.
                    self._drop(entry)
                    raise
                if entry in self._sizes:
                    entry.rows = smaller
                    self._large.pop(entry, None)
                    self.resize(entry)
        finally:
            del self._packing[entry]
        self._make_room()

    def _drop(self, entry: Entry) -> None:
        tenant = self._front.get(entry) or self._back.get(entry)
        if tenant is not None:
            self._forget(entry)
            roster = self._rosters[tenant]
            roster.remove(entry.key)
            if not roster.entries:
                del self._rosters[tenant]

    def _forget(self, entry: Entry) -> None:
        """Take an entry out of the rows of the shelf."""
        self._front.pop(entry, None)
        self._large.pop(entry, None)
        size = self._sizes.pop(entry)
        self.bytes -= size
        self.entries_of[entry.resource.name] -= 1
        self.bytes_of[entry.resource.name] -= size
        if self._back.pop(entry, None) is not None:
            self._back_bytes -= size
