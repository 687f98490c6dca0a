"""Indexes: for every parent the ids of its rows, worked out of a whole collection a while at a time.

Ids are held by the twelve bytes that they spell, those of a parent in one string of bytes: that is a sixth of the room,
and the garbage collector, which stops everybody, has nothing to look at.
"""

from collections.abc import Iterator, Sequence
from typing import overload

from gateway.cache.rows import OpenRows
from gateway.clever.catalogue import Relation, Selection
from gateway.clever.records import Record
from gateway.clever.values import is_id

# So many rows are indexed in passing; more take a while.
INDEXED_AT_ONCE = 1_000
_ID_BYTES = 12
# What an index takes for a parent besides the ids of its rows.
_PARENT_BYTES = 250

IndexKind = tuple[Relation, Selection]


class Ids(Sequence[str]):
    """Ids out of an index, ascending, without repeats."""

    __slots__ = ("_at", "_packed")

    def __init__(self, packed: bytes = b"", at: range | None = None) -> None:
        self._packed = packed
        self._at = range(0, len(packed), _ID_BYTES) if at is None else at

    def __len__(self) -> int:
        return len(self._at)

    def __iter__(self) -> Iterator[str]:
        packed = self._packed
        for at in self._at:
            yield packed[at : at + _ID_BYTES].hex()

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "Ids": ...
    def __getitem__(self, place: int | slice) -> "str | Ids":
        if isinstance(place, slice):
            return Ids(self._packed, self._at[place])
        at = self._at[place]
        return self._packed[at : at + _ID_BYTES].hex()


class Index:
    """The ids of the rows of every parent; `bytes` is about how much memory they take."""

    __slots__ = ("_packed", "bytes")

    def __init__(self, packed: dict[str, bytes], size: int) -> None:
        self._packed = packed
        self.bytes = size

    def ids(self, parent: str) -> Ids:
        """Return the ids of a parent's rows."""
        return Ids(self._packed.get(parent, b""))


class IndexBuilder:
    """Works an index out: `index` is there once all `steps` have been taken."""

    def __init__(self, relation: Relation, selection: Selection) -> None:
        scan = relation.scan
        assert scan is not None  # noqa: S101 - for the type checker: asked of scanned relations only
        self._scan = scan
        self._selection = selection
        # The collection's own rows come in order; those that they lead to come as it happens.
        self._in_order = relation.rows is scan.of
        self._grouped: dict[str, bytearray] = {}
        self.index = Index({}, 0)

    def steps(self, rows: OpenRows) -> Iterator[None]:
        """Work the index out, a short step at a time."""
        spelt: dict[str, bytes] = {}
        for part in rows.parts():
            if self._in_order:
                self._take_rows(part)
            else:
                self._take_targets(part, spelt)
            yield
        size = 0
        index: dict[str, bytes] = self._grouped  # type: ignore[assignment]
        for parent, ids in self._grouped.items():
            # In its own place: no second dictionary has to grow.
            packed = index[parent] = bytes(ids) if self._in_order else _ascending(ids)
            size += _PARENT_BYTES + len(packed)
            yield
        self.index = Index(index, size)

    def _take_rows(self, rows: Sequence[Record]) -> None:
        by, selection, grouped = self._scan.by, self._selection, self._grouped
        for row in rows:
            spelt = b""
            for parent in by(row, selection):
                if parent:
                    spelt = spelt or bytes.fromhex(row.id)
                    ids = grouped.get(parent)
                    if ids is None:
                        grouped[parent] = bytearray(spelt)
                    elif not ids.endswith(spelt):
                        ids += spelt

    def _take_targets(self, rows: Sequence[Record], spelt: dict[str, bytes]) -> None:
        by, to, selection, grouped = self._scan.by, self._scan.to, self._selection, self._grouped
        for row in rows:
            parents = [parent for parent in by(row, selection) if parent]
            # What is no id leads nowhere.
            targets = b"".join([spelt.get(key) or _spell(key, spelt) for key in to(row) if key]) if parents else b""
            for parent in parents:
                ids = grouped.get(parent)
                if ids is None:
                    grouped[parent] = bytearray(targets)
                else:
                    ids += targets


def _spell(key: str, spelt: dict[str, bytes]) -> bytes:
    found = spelt[key] = bytes.fromhex(key) if is_id(key) else b""
    return found


def _ascending(ids: bytearray) -> bytes:
    """Return ids in order, without repeats."""
    return b"".join(sorted({bytes(ids[at : at + _ID_BYTES]) for at in range(0, len(ids), _ID_BYTES)}))
