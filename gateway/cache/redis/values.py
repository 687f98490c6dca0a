"""Entries as bytes: rows packed in blocks as `cache.rows` packs them, small entries whole, large ones in chunks."""

from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.cache.rows import DecodedRows, HeldRows, PackedRows, packed
from gateway.cache.shelf import Entry, Key
from gateway.clever.calls import CountCall, ListCall, RecordCall
from gateway.clever.catalogue import Resource

# No single value that is sent, put or sealed is much larger.
CHUNK_BYTES = 1_000_000
# Larger ones are handled in a thread: it takes milliseconds.
IN_THREAD_BYTES = 50_000
IN_THREAD_ROWS = 250
# An entry whose blocks take more is put in chunks.
WHOLE_BYTES = 200_000
# A packed list takes about as many times more when it is decoded.
_DECODED = 14

_Rows = tuple[list[str], list[bytes]]


class _Body(msgspec.Struct, array_like=True, gc=False):
    missing: bool
    onward: str | None
    count: int | None
    rows: int
    firsts: list[str]
    blocks: list[bytes]


_write = msgspec.msgpack.Encoder().encode
_read_body = msgspec.msgpack.Decoder(_Body).decode
_read_chunk = msgspec.msgpack.Decoder(_Rows).decode


@dataclass(frozen=True, slots=True)
class Written:
    """An entry as bytes: its body, and chunks of rows where it is large."""

    body: bytes
    chunks: tuple[bytes, ...]

    @property
    def bytes(self) -> int:
        """Return the bytes in all."""
        return len(self.body) + sum(map(len, self.chunks))


def write(entry: Entry) -> Written:
    """Return an entry as bytes."""
    rows = entry.rows
    held = rows if isinstance(rows, PackedRows) else packed(entry.resource.record, _decoded(rows))
    body = _Body(entry.missing, entry.onward, entry.count, len(held), list(held.firsts), list(held.blocks))
    if sum(map(len, held.blocks)) <= WHOLE_BYTES:
        return Written(_write(body), ())
    body.firsts, body.blocks = [], []
    chunks: list[bytes] = []
    part: _Rows = ([], [])
    size = 0
    for first, block in zip(held.firsts, held.blocks, strict=True):
        if size + len(block) > CHUNK_BYTES and part[1]:
            chunks.append(_write(part))
            part, size = ([], []), 0
        part[0].append(first)
        part[1].append(block)
        size += len(block)
    chunks.append(_write(part))
    return Written(_write(body), tuple(chunks))


def read(key: Key, at: float, body: bytes, chunks: list[bytes], most_decoded: float) -> Entry:
    """Return the entry that was written; it is held decoded unless that takes more than `most_decoded` bytes.

    Raises msgspec.DecodeError.
    """
    rows = resource_of(key)
    known = _read_body(body)
    firsts, blocks = known.firsts, known.blocks
    for chunk in chunks:
        more_firsts, more_blocks = _read_chunk(chunk)
        firsts += more_firsts
        blocks += more_blocks
    held: HeldRows = PackedRows(rows.record, firsts, blocks, known.rows)
    if held.bytes * _DECODED <= most_decoded:
        held = DecodedRows(held.open().records)
    return Entry(key, rows, at, held, known.onward, known.count, known.missing)


def resource_of(key: Key) -> Resource:
    """Return what the rows of a key are."""
    return key.rows if isinstance(key, RecordCall | ListCall | CountCall) else key[0].rows


def _decoded(rows: Any) -> DecodedRows:
    return rows if isinstance(rows, DecodedRows) else DecodedRows(tuple(rows.open().records))


def chunk_name(name: str, version: str, number: int) -> str:
    """Return the name of a chunk of an entry; scripts spell it, too."""
    return f"{name}:{version}:{number}"
