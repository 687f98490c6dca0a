"""Collections as prepared bytes: each record encoded once for each version, in one long line that pages are cut from.

A table knows ids, their order and their bytes. It knows nothing of how records are tied together (`relations.py`)
or of HTTP.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

Record = dict[str, Any]

VERSIONS = ("v3.0", "v3.1")
COLLECTIONS = ("districts", "schools", "terms", "courses", "sections", "users", "resources")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_OPENING = len(b'{"data":')
_ID = 24

# What v3.1 added, by collection; served under v3.0 without these.
STUDENT_ADDED = frozenset(
    {
        "preferred_name",
        "gifted_status",
        "section_504_status",
        "disability",
        "frl_status",
        "iep_status",
        "home_language",
        "home_language_code",
    }
)
ADDED = {
    "districts": frozenset({"lms_type", "lms_state", "last_attendance_sync"}),
    "sections": frozenset({"lms_status"}),
    "users": frozenset({"lms_status"}),
}
_NOTHING: frozenset[str] = frozenset()


def without_additions(collection: str, record: Record) -> Record:
    """Return a v3.1 record as v3.0 shows it, every key in its place; the record itself where that is the same."""
    added = ADDED.get(collection, _NOTHING)
    if not added.isdisjoint(record):
        record = {key: value for key, value in record.items() if key not in added}
    if collection == "users" and not STUDENT_ADDED.isdisjoint(student := record["roles"].get("student", {})):
        kept = {key: value for key, value in student.items() if key not in STUDENT_ADDED}
        # A key that is there keeps its place.
        record = {**record, "roles": {**record["roles"], "student": kept}}
    return record


class _Line:
    """The elements of one version, each with a comma behind it; number n is from `starts[n]` to before the next."""

    __slots__ = ("address", "data", "starts", "tail")

    def __init__(self, version: str, collection: str) -> None:
        self.address = f"/{version}/{collection}/".encode()
        self.tail = len(b',"uri":""},' + self.address) + _ID
        self.data = bytearray()
        self.starts = array("Q", [0])

    def add(self, record: bytes, record_id: bytes) -> None:
        self.data += b'{"data":%b,"uri":"%b%b"},' % (record, self.address, record_id)
        self.starts.append(len(self.data))

    def record(self, position: int) -> bytes:
        return bytes(self.data[self.starts[position] + _OPENING : self.starts[position + 1] - self.tail])

    def elements(self, positions: Sequence[int]) -> Iterator[memoryview]:
        data, starts = memoryview(self.data), self.starts
        first = last = positions[0]
        if positions[-1] - first == len(positions) - 1:  # ascending, so there is no gap
            last = positions[-1]
        else:
            # What stands side by side is one piece: fewer of them are joined sooner.
            for position in positions[1:]:
                if position != last + 1:
                    yield data[starts[first] : starts[last + 1]]
                    first = position
                last = position
        yield data[starts[first] : starts[last + 1] - 1]


class Table:
    """One collection of one district, ascending by id; positions count from 0 in that order."""

    def __init__(self, collection: str) -> None:
        self.collection = collection
        self.ids: list[str] = []
        self.position: dict[str, int] = {}
        self._lines = {version: _Line(version, collection) for version in VERSIONS}

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, record: Record) -> int:
        """Append a v3.1 record, whose id must be greater than all before; return its position."""
        record_id = record["id"]
        if self.ids and record_id <= self.ids[-1]:
            raise ValueError(f"{self.collection}: id {record_id} is out of order")
        position = self.position[record_id] = len(self.ids)
        self.ids.append(record_id)
        encoded, written_id = _encode(record), record_id.encode()
        plain = without_additions(self.collection, record)
        self._lines["v3.1"].add(encoded, written_id)
        self._lines["v3.0"].add(encoded if plain is record else _encode(plain), written_id)
        return position

    def elements(self, version: str, positions: Sequence[int]) -> Iterable[memoryview]:
        """Return the `{"data": …, "uri": …}` elements of the records at `positions`, commas between, in pieces."""
        return self._lines[version].elements(positions) if positions else ()

    def record(self, version: str, position: int) -> bytes:
        """Return the bytes of one record without its wrapper."""
        return self._lines[version].record(position)

    def decoded_one(self, position: int) -> Record:
        """Decode one v3.1 record."""
        record: Record = _decode(self.record("v3.1", position))
        return record

    def decoded(self) -> dict[str, Record]:
        """Decode every v3.1 record anew, by id: for tests that compute expected answers."""
        return {record_id: self.decoded_one(position) for position, record_id in enumerate(self.ids)}

    def rewritten(self, rewrite: Callable[[Record], Record]) -> "Table":
        """Return a table of the same ids whose records went through `rewrite`."""
        other = Table(self.collection)
        for record in self.decoded().values():
            other.add(rewrite(record))
        return other
