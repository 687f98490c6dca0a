"""The rows of one list, held by ascending id: decoded, ready to use, or packed to a fourteenth of the space.

A packed list is a row of blocks, each JSON of a few hundred records under zstd (MessagePack is hardly smaller, and
cannot hold every number that JSON can); opening it for a request unpacks the blocks that the request touches. 10,000
users take about 21 MB decoded and 1.5 MB packed (`python -m tests.bench.memory`).
"""

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec
import zstandard

from gateway.clever.decode import ascending
from gateway.clever.records import Record

BLOCK = 256
_LEVEL = 1
# So many records are weighed to tell what all of them weigh.
_SAMPLE = 16
_TUPLE_SLOT = 8
# An entry of the dictionary by id, whose key is the record's own string.
_BY_ID_SLOT = 100

_pack = msgspec.json.Encoder().encode
_read_ids = msgspec.json.Decoder(tuple[Record, ...]).decode


class OpenRows(Protocol):
    """Rows that can be looked at."""

    @property
    def records(self) -> tuple[Record, ...]:
        """Return all rows by ascending id."""

    def find(self, key: str) -> Record | None:
        """Return the row of this id."""

    @property
    def finder(self) -> Callable[[str], Record | None]:
        """Return what finds many rows: what `find` does, sooner."""

    def parts(self) -> Iterator[Sequence[Record]]:
        """Return all rows by ascending id, some hundred at a time; nothing is kept that was unpacked for it."""

    def upward(self, after: str | None) -> Iterator[Sequence[Record]]:
        """Return the rows beyond an id, or all, some hundred at a time; each part ascends, and so do the parts."""

    def downward(self, before: str | None) -> Iterator[Sequence[Record]]:
        """Return the rows in front of an id, or all, some hundred at a time; each part ascends, the last is first."""

    def __len__(self) -> int: ...


class HeldRows(Protocol):
    """Rows as they are kept; `bytes` is what they take."""

    @property
    def bytes(self) -> int:
        """Return the memory that the rows take."""

    def open(self) -> OpenRows:
        """Return the rows to look at, for one request."""

    def ids(self) -> Iterator[str]:
        """Return the ids of all rows, ascending; of packed ones nothing else is read."""

    def __len__(self) -> int: ...


class DecodedRows:
    """Rows that are held as records."""

    __slots__ = ("_by_id", "_bytes", "records")

    def __init__(self, records: tuple[Record, ...]) -> None:
        self.records = records
        self._bytes: int | None = None
        self._by_id: dict[str, Record] | None = None

    @property
    def bytes(self) -> int:
        """Return about how much memory the rows take."""
        if self._bytes is None:
            self._bytes = weight(self.records)
        return self._bytes

    def __len__(self) -> int:
        return len(self.records)

    def open(self) -> "DecodedRows":
        """Return itself."""
        return self

    def ids(self) -> Iterator[str]:
        """Return the ids of all rows, ascending."""
        return map(id_of, self.records)

    def find(self, key: str) -> Record | None:
        """Return the row of this id."""
        return self.finder(key)

    @property
    def finder(self) -> Callable[[str], Record | None]:
        """Return what finds many rows."""
        if self._by_id is None:
            self._by_id = {record.id: record for record in self.records}
        return self._by_id.get

    def parts(self) -> Iterator[Sequence[Record]]:
        """Return all rows by ascending id, some hundred at a time."""
        return self.upward(None)

    def upward(self, after: str | None) -> Iterator[Sequence[Record]]:
        """Return the rows beyond an id, or all, some hundred at a time."""
        begin = 0 if after is None else bisect_right(self.records, after, key=id_of)
        for start in range(begin, len(self.records), BLOCK):
            yield self.records[start : start + BLOCK]

    def downward(self, before: str | None) -> Iterator[Sequence[Record]]:
        """Return the rows in front of an id, or all, some hundred at a time, the last ones first."""
        end = len(self.records) if before is None else bisect_left(self.records, before, key=id_of)
        for stop in range(end, 0, -BLOCK):
            yield self.records[max(0, stop - BLOCK) : stop]


class PackedRows:
    """Rows that are held in packed blocks; `firsts` has the id of the first row of each."""

    __slots__ = ("_count", "_kind", "blocks", "bytes", "firsts")

    def __init__(self, kind: type[Record], firsts: Sequence[str], blocks: Sequence[bytes], count: int) -> None:
        self._kind = kind
        self.firsts = tuple(firsts)
        self.blocks = tuple(blocks)
        self._count = count
        self.bytes = sum(map(sys.getsizeof, (*self.blocks, *self.firsts))) + 2 * _TUPLE_SLOT * len(self.blocks)

    def __len__(self) -> int:
        return self._count

    def open(self) -> "OpenedRows":
        """Return the rows to look at; what is unpacked lives as long as they do."""
        return OpenedRows(msgspec.json.Decoder(tuple[self._kind, ...]), self.firsts, self.blocks, self._count)  # type: ignore[name-defined]

    def ids(self) -> Iterator[str]:
        """Return the ids of all rows, ascending; nothing else is read of them."""
        for block in self.blocks:
            yield from map(id_of, _read_ids(zstandard.decompress(block)))


class OpenedRows:
    """Packed rows in use; blocks are unpacked as they are touched."""

    __slots__ = ("__weakref__", "_blocks", "_by_id", "_count", "_decoder", "_firsts", "_records")

    def __init__(
        self,
        decoder: "msgspec.json.Decoder[tuple[Record, ...]]",
        firsts: Sequence[str],
        blocks: Sequence[bytes],
        count: int,
    ) -> None:
        self._decoder = decoder
        self._firsts = firsts
        self._blocks = blocks
        self._count = count
        self._records: list[tuple[Record, ...] | None] = [None] * len(blocks)
        self._by_id: list[dict[str, Record] | None] = [None] * len(blocks)

    def __len__(self) -> int:
        return self._count

    def parts(self) -> Iterator[Sequence[Record]]:
        """Return all rows by ascending id, a block at a time; nothing is kept that was unpacked for it."""
        for number, block in enumerate(self._records):
            yield self._unpacked(number) if block is None else block

    def upward(self, after: str | None) -> Iterator[Sequence[Record]]:
        """Return the rows beyond an id, or all, a block at a time."""
        first = 0 if after is None else max(0, bisect_right(self._firsts, after) - 1)
        for number in range(first, len(self._blocks)):
            block = self._block(number)
            yield block if after is None or block[0].id > after else block[bisect_right(block, after, key=id_of) :]

    def downward(self, before: str | None) -> Iterator[Sequence[Record]]:
        """Return the rows in front of an id, or all, a block at a time, the last ones first."""
        end = len(self._blocks) if before is None else bisect_left(self._firsts, before)
        for number in range(end - 1, -1, -1):
            block = self._block(number)
            yield block if before is None or block[-1].id < before else block[: bisect_left(block, before, key=id_of)]

    @property
    def records(self) -> tuple[Record, ...]:
        """Return all rows by ascending id."""
        return tuple(record for number in range(len(self._blocks)) for record in self._block(number))

    def find(self, key: str) -> Record | None:
        """Return the row of this id."""
        number = bisect_right(self._firsts, key) - 1
        if number < 0:
            return None
        by_id = self._by_id[number]
        if by_id is None:
            by_id = self._by_id[number] = {record.id: record for record in self._block(number)}
        return by_id.get(key)

    @property
    def finder(self) -> Callable[[str], Record | None]:
        """Return what finds many rows."""
        return self.find

    def _block(self, number: int) -> tuple[Record, ...]:
        block = self._records[number]
        if block is None:
            block = self._records[number] = self._unpacked(number)
        return block

    def _unpacked(self, number: int) -> tuple[Record, ...]:
        return self._decoder.decode(zstandard.decompress(self._blocks[number]))


class RowsBuilder:
    """Takes the pages of a list in their order and holds them decoded, or packed beyond `most_decoded` bytes."""

    def __init__(self, kind: type[Record], most_decoded: float) -> None:
        self._kind = kind
        self._most_decoded = most_decoded
        self._decoded: list[Record] = []
        self._firsts: list[str] = []
        self._blocks: list[bytes] = []
        self._strays: list[Record] = []
        self._count = 0
        self._last = ""

    def add(self, records: Sequence[Record]) -> None:
        """Take the rows of the next page."""
        self._decoded.extend(records)
        if self._blocks or weight(self._decoded) > self._most_decoded:
            self._pack(everything=False)

    def build(self) -> HeldRows:
        """Return the rows of all pages, without repeats."""
        return self.packed() if self._blocks else DecodedRows(ascending(self._decoded))

    def packed(self) -> PackedRows:
        """Return the rows of all pages, without repeats, packed however few they are."""
        self._pack(everything=True)
        rows = PackedRows(self._kind, self._firsts, self._blocks, self._count)
        opened = rows.open()
        late = [record for record in self._strays if opened.find(record.id) is None]
        # Clever's pages are in order; those that are not have to be put in order once more.
        return packed(self._kind, DecodedRows(ascending([*opened.records, *late]))) if late else rows

    def _pack(self, *, everything: bool) -> None:
        """Pack full blocks; rows that do not lie behind those packed before are repeats, or out of order."""
        found = ascending(self._decoded)
        rows = [record for record in found if record.id > self._last]
        if len(rows) < len(found):
            self._strays.extend(record for record in found if record.id <= self._last)
        end = len(rows) if everything else len(rows) - len(rows) % BLOCK
        for start in range(0, end, BLOCK):
            block = rows[start : min(start + BLOCK, end)]
            self._firsts.append(block[0].id)
            # What comes back holds on to the room of the worst case; a copy does not.
            self._blocks.append(bytes(memoryview(zstandard.compress(_pack(block), _LEVEL))))
        if end:
            self._last = rows[end - 1].id
            self._count += end
        self._decoded = rows[end:]


def packed(kind: type[Record], rows: DecodedRows) -> PackedRows:
    """Return the same rows packed."""
    builder = RowsBuilder(kind, most_decoded=-1)
    builder.add(rows.records)
    return builder.packed()


def id_of(record: Record) -> str:
    """Return the id by which rows are ordered."""
    return record.id


def weight(records: Sequence[Record]) -> int:
    """Return about how many bytes decoded records take, from a sample spread over them."""
    if not records:
        return 0
    step = max(1, len(records) // _SAMPLE)
    sample = records[::step]
    return len(records) * (sum(map(_deep_size, sample)) // len(sample) + _TUPLE_SLOT + _BY_ID_SLOT)


def _deep_size(value: Any) -> int:
    """Return the bytes of a value and of what it alone refers to."""
    size = sys.getsizeof(value)
    if isinstance(value, msgspec.Struct):
        return size + sum(_deep_size(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, Iterable) and not isinstance(value, str):
        parts = (*value.keys(), *value.values()) if isinstance(value, dict) else value
        return size + sum(map(_deep_size, parts))
    return 0 if value is None or isinstance(value, bool) else size


EMPTY = DecodedRows(())
