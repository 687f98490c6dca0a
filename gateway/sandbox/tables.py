"""Collections as prepared bytes: each record encoded once, ready to be joined into a page.

A table knows ids, their order and their bytes. It knows nothing of how records are tied together (`relations.py`)
or of HTTP. The v3.1 bytes are made at the start, the v3.0 bytes of a record when first asked for.
"""

from collections.abc import Callable, Sequence
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
STUDENT_ADDED = (
    "preferred_name",
    "gifted_status",
    "section_504_status",
    "disability",
    "frl_status",
    "iep_status",
    "home_language",
    "home_language_code",
)
ADDED = {
    "districts": ("lms_type", "lms_state", "last_attendance_sync"),
    "sections": ("lms_status",),
    "users": ("lms_status",),
}


def without_additions(collection: str, record: Record) -> Record:
    """Return the record as v3.0 shows it."""
    plain = {key: value for key, value in record.items() if key not in ADDED[collection]}
    student = plain.get("roles", {}).get("student") if collection == "users" else None
    if student is not None:
        shown = {key: value for key, value in student.items() if key not in STUDENT_ADDED}
        plain["roles"] = {**plain["roles"], "student": shown}
    return plain


class Table:
    """One collection of one district, ascending by id; positions count from 0 in that order."""

    def __init__(self, collection: str) -> None:
        self.collection = collection
        self.ids: list[str] = []
        self.position: dict[str, int] = {}
        self._current: list[bytes] = []
        self._plain: list[bytes | None] = []
        self._tail = {version: len(f',"uri":"/{version}/{collection}/') + _ID + 2 for version in VERSIONS}

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, record: Record) -> int:
        """Append a v3.1 record, whose id must be greater than all before; return its position."""
        record_id = record["id"]
        if self.ids and record_id <= self.ids[-1]:
            raise ValueError(f"{self.collection}: id {record_id} is out of order")
        position = self.position[record_id] = len(self.ids)
        self.ids.append(record_id)
        self._current.append(self._element(_encode(record), "v3.1", record_id))
        return position

    def elements(self, version: str, positions: Sequence[int]) -> list[bytes]:
        """Return the `{"data": …, "uri": …}` bytes of the records at `positions`."""
        current = self._current
        if version == "v3.1":
            if isinstance(positions, range) and positions.step == 1:
                return current[positions.start : positions.stop]
            return [current[position] for position in positions]
        return [self._plain_element(position) for position in positions]

    def record(self, version: str, position: int) -> bytes:
        """Return the bytes of one record without its wrapper."""
        element = self._current[position] if version == "v3.1" else self._plain_element(position)
        return element[_OPENING : -self._tail[version]]

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

    def _plain_element(self, position: int) -> bytes:
        if not self._plain:
            self._plain = [None] * len(self.ids)
        element = self._plain[position]
        if element is None:
            record = self._current[position][_OPENING : -self._tail["v3.1"]]
            if self.collection in ADDED:
                record = _encode(without_additions(self.collection, _decode(record)))
            element = self._plain[position] = self._element(record, "v3.0", self.ids[position])
        return element

    def _element(self, record: bytes, version: str, record_id: str) -> bytes:
        return b'{"data":%b,"uri":"/%b/%b/%b"}' % (
            record,
            version.encode(),
            self.collection.encode(),
            record_id.encode(),
        )
