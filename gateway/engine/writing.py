"""Large answers to bytes, a slice at a time: the event loop has its turn in between.

Small ones are encoded whole, in C; opening objects and lists here costs more, and is worth it for large ones alone.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import msgspec

# Rows of an answer from which on it is written in slices: encoding as many takes some ten milliseconds.
LARGE = 20_000
# Bytes of a chunk, in which large answers are kept and sent.
CHUNK = 256 * 1024

# Most items of a list that are encoded at a stretch, and for about how long.
_MOST_ITEMS = 1_000
_STRETCH_S = 0.004
# Lists as short as this may have large items, which are opened in their turn.
_SHORT = 8

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Written:
    """A value that is JSON already, in chunks."""

    chunks: list[bytes]


async def write_in_slices(value: Any) -> Written:
    """Encode output objects."""
    writer = _Writer()
    await writer.write(value)
    return writer.written()


class _Writer:
    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._open = bytearray()

    def written(self) -> Written:
        return Written([*self._chunks, bytes(self._open)])

    def _put(self, encoded: bytes) -> None:
        self._open += encoded
        if len(self._open) >= CHUNK:
            self._chunks.append(bytes(self._open))
            self._open.clear()

    async def write(self, value: Any) -> None:
        if isinstance(value, msgspec.Struct):
            await self._object(value)
        elif isinstance(value, list):
            await self._list(value)
        else:
            self._put(_encoder.encode(value))

    async def _object(self, out: Any) -> None:
        self._put(b"{")
        lead = b""
        for slot, name in zip(out.__struct_fields__, out.__struct_encode_fields__, strict=True):
            self._put(lead + _encoder.encode(name) + b":")
            await self.write(getattr(out, slot))
            lead = b","
        self._put(b"}")

    async def _list(self, items: list[Any]) -> None:
        self._put(b"[")
        start = 0
        if len(items) > _SHORT:
            start = await self._slices(items)
        for index in range(start, len(items)):
            if index:
                self._put(b",")
            await self.write(items[index])
        self._put(b"]")

    async def _slices(self, items: list[Any]) -> int:
        """Encode items many at once, as many as fit the time; return how far it went before one was too large."""
        start, size = 0, 1
        while start < len(items):
            began = time.perf_counter()
            encoded = _encoder.encode(items[start : start + size])
            took = time.perf_counter() - began
            if start:
                self._put(b",")
            self._put(encoded[1:-1])
            start += size
            await asyncio.sleep(0)
            if size == 1 and took > _STRETCH_S:
                return min(start, len(items))
            size = min(max(1, int(size * _STRETCH_S / max(took, _STRETCH_S / 4))), _MOST_ITEMS)
        return len(items)
