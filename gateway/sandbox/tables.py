"""Collections as prepared bytes: each record encoded once, in one long line of bytes that pages are cut from.

A table knows ids, their order and their bytes. It knows nothing of how records are tied together (`relations.py`)
or of HTTP. The v3.1 bytes are made at the start, the v3.0 bytes of a record when first asked for.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

Record = dict[str, Any]

VERSIONS = ("v3.0", "v3.1")
COLLECTIONS = ("districts", "schools", "terms", "courses", "sections", "users", "resources")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
# Only as deep as something may have to go; what stays is copied, not read.
_open = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_open_roles = msgspec.json.Decoder(dict[str, dict[str, msgspec.Raw]]).decode
_OPENING = len(b'{"data":')
_ID = 24

# What v3.1 added, by collection; served under v3.0 without these.
STUDENT_ADDED = {
    "preferred_name",
    "gifted_status",
    "section_504_status",
    "disability",
    "frl_status",
    "iep_status",
    "home_language",
    "home_language_code",
}
ADDED = {
    "districts": ("lms_type", "lms_state", "last_attendance_sync"),
    "sections": ("lms_status",),
    "users": ("lms_status",),
}
_STUDENT = b'"student":{'


def _signs(collection: str) -> tuple[bytes, ...]:
    """Return bytes without which a v3.1 record is a v3.0 record too."""
    keys = tuple(b'"%b":' % key.encode() for key in ADDED.get(collection, ()))
    return (*keys, _STUDENT) if collection == "users" else keys


def without_additions(collection: str, record: bytes | memoryview) -> bytes:
    """Return the bytes of a v3.1 record as v3.0 shows it, every key in its place."""
    parts: dict[str, object] = dict(_open(record))
    for key in ADDED[collection]:
        parts.pop(key, None)
    if collection == "users":
        roles = parts["roles"] = _open_roles(cast("msgspec.Raw", parts["roles"]))
        for key in STUDENT_ADDED & roles.get("student", {}).keys():
            del roles["student"][key]
    return _encode(parts)


class Table:
    """One collection of one district, ascending by id; positions count from 0 in that order."""

    def __init__(self, collection: str) -> None:
        self.collection = collection
        self.ids: list[str] = []
        self.position: dict[str, int] = {}
        # The v3.1 elements, each with a comma behind it; number n is from `_starts[n]` to before `_starts[n + 1]`.
        self._line = bytearray()
        self._starts = array("Q", [0])
        self._changed: dict[int, bytes] = {}  # v3.0 records that are not the v3.1 ones
        self._unchanged = bytearray()  # 1 where a v3.0 record is known to be the v3.1 one
        self._signs = _signs(collection)
        self._addresses = {version: f"/{version}/{collection}/".encode() for version in VERSIONS}
        self._tail = len(b',"uri":""},' + self._addresses["v3.1"]) + _ID

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, record: Record) -> int:
        """Append a v3.1 record, whose id must be greater than all before; return its position."""
        record_id = record["id"]
        if self.ids and record_id <= self.ids[-1]:
            raise ValueError(f"{self.collection}: id {record_id} is out of order")
        position = self.position[record_id] = len(self.ids)
        self.ids.append(record_id)
        self._line += b'{"data":%b,"uri":"%b%b"},' % (
            _encode(record),
            self._addresses["v3.1"],
            record_id.encode(),
        )
        self._starts.append(len(self._line))
        return position

    def joined(self, version: str, positions: Sequence[int]) -> bytes | memoryview:
        """Return the `{"data": …, "uri": …}` elements of the records at `positions`, with commas between."""
        if not positions:
            return b""
        if version != "v3.1":
            return self._plain_joined(positions)
        line, starts = memoryview(self._line), self._starts
        first, last = positions[0], positions[-1]
        if last - first == len(positions) - 1:  # ascending, so there is no gap
            return line[starts[first] : starts[last + 1] - 1]
        return b"".join([line[starts[position] : starts[position + 1]] for position in positions])[:-1]

    def record(self, version: str, position: int) -> bytes:
        """Return the bytes of one record without its wrapper."""
        line = memoryview(self._line)
        return bytes(self._record(line, position) if version == "v3.1" else self._plain_record(line, position))

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

    def _record(self, line: memoryview, position: int) -> memoryview:
        return line[self._starts[position] + _OPENING : self._starts[position + 1] - self._tail]

    def _plain_record(self, line: memoryview, position: int) -> bytes | memoryview:
        if not self._unchanged:
            self._unchanged = bytearray(len(self.ids))
        if self._unchanged[position]:
            return self._record(line, position)
        changed = self._changed.get(position)
        if changed is None:
            start, end = self._starts[position], self._starts[position + 1]
            if all(self._line.find(sign, start, end) < 0 for sign in self._signs):
                self._unchanged[position] = 1
                return self._record(line, position)
            changed = self._changed[position] = without_additions(self.collection, self._record(line, position))
        return changed

    def _plain_joined(self, positions: Sequence[int]) -> bytes:
        line, ids, middle = memoryview(self._line), self.ids, b',"uri":"' + self._addresses["v3.0"]
        parts: list[bytes | memoryview] = []
        for position in positions:
            parts += (b'"},{"data":', self._plain_record(line, position), middle, ids[position].encode())
        parts[0] = b'{"data":'
        parts.append(b'"}')
        return b"".join(parts)
