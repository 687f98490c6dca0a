"""Bodies as they arrive: bounded while they are read and while they are unpacked, and not waited for when they drip."""

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import httpx

from gateway.clever.decode import not_clever
from gateway.errors import UpstreamInvalidResponse

# A little gzip can unpack to a thousand times its size: so much at a time, and nothing else waits for the whole.
_PIECE_BYTES = 1024 * 1024
# Rosters pack to a thirtieth at best. What is far smaller was packed to do harm.
_MOST_UNPACKED = 200
_MOST_AT_ONCE = 4
# Whatever sends less than this a second for a while does not send a page of a roster.
_SLOWEST_BYTES_PER_S = 10_000
# What stands beside a status that is not 200 is read only so that the connection can be used again.
_ASIDE_BYTES = 64 * 1024
_ASIDE_S = 1.0


class TooLarge(UpstreamInvalidResponse):
    """An answer is larger than what may be taken; it was not read on."""


class Bodies:
    """Reads bodies of at most `most` bytes each, and of a few times that in all that are under way."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way = 0

    async def read(self, response: httpx.Response, slow_after_s: float) -> bytes:
        """Read a body, bounded as it comes and as it unpacks; after so many seconds it may not drip any more.

        Raises TooLarge, NotClever where the packing is broken or cut off, httpx.ReadTimeout where it drips, and
        httpx.TransportError's other kinds.
        """
        if _announced(response) > self._most:
            raise self._too_large()
        # One stretch of memory, given back as such: so many small pieces would leave holes behind them.
        body = bytearray()
        size = 0
        try:
            async with aclosing(_unpacked(response, slow_after_s)) as unpacked:
                async for piece in unpacked:
                    size += len(piece)
                    self._under_way += len(piece)
                    if size > self._most or self._under_way > _MOST_AT_ONCE * self._most:
                        raise self._too_large()
                    body += piece
            return bytes(body)
        finally:
            self._under_way -= size
            # A failure keeps this frame for as long as somebody keeps the failure.
            body.clear()

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"An answer of Clever was larger than {self._most} bytes, or all under way together larger than "
            f"{_MOST_AT_ONCE} times that. Ask for smaller pages, or raise GATEWAY_UPSTREAM_MAX_BYTES."
        )


async def read_aside(response: httpx.Response) -> int:
    """Read the little that stands beside a status, and return how many bytes; how it ends does not matter."""
    size = 0
    with suppress(TimeoutError, httpx.TransportError):
        async with asyncio.timeout(_ASIDE_S):
            async for chunk in _raw(response):
                size += len(chunk)
                if size > _ASIDE_BYTES:
                    break
    return size


def _announced(response: httpx.Response) -> int:
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0


async def _unpacked(response: httpx.Response, slow_after_s: float) -> AsyncGenerator[bytes]:
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        async for chunk in _steady(response, slow_after_s):
            yield chunk
        return
    if coding not in ("gzip", "x-gzip"):
        # Nothing else was asked for.
        raise not_clever()
    gzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    packed = size = 0
    try:
        async for chunk in _steady(response, slow_after_s):
            packed += len(chunk)
            rest = chunk
            while True:
                piece = gzip.decompress(rest, _PIECE_BYTES)
                rest = gzip.unconsumed_tail
                size += len(piece)
                if size > max(_PIECE_BYTES, _MOST_UNPACKED * packed):
                    raise not_clever()
                yield piece
                if not rest and len(piece) < _PIECE_BYTES:
                    break
                await asyncio.sleep(0)
    except zlib.error:
        raise not_clever() from None
    if not gzip.eof:
        raise not_clever()


async def _steady(response: httpx.Response, slow_after_s: float) -> AsyncGenerator[bytes]:
    """Yield chunks as they come, as long as they come faster than a drip."""
    clock = asyncio.get_running_loop().time
    began, size = clock(), 0
    async for chunk in _raw(response):
        size += len(chunk)
        took = clock() - began
        if took > slow_after_s and size < took * _SLOWEST_BYTES_PER_S:
            raise httpx.ReadTimeout("the body drips")
        yield chunk


def _raw(response: httpx.Response) -> httpx.AsyncByteStream:
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - for the type checker: the transport is one
    return stream
