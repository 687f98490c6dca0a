"""Bodies are bounded as they come and as they unpack, and whatever is broken about them is found out."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from random import Random
from typing import Any

import httpx
import pytest

from gateway.clever.body import Bodies, TooLarge, read_aside
from gateway.clever.decode import NotClever
from tests.clever.virtual import now, simulate

MOST = 3_000_000
TEXT = b'{"data":[' + b",".join(b'{"id":"%024x"}' % number for number in range(50_000)) + b"]}"

NOISE = Random(1).randbytes(MOST + 1)


class Chunks(httpx.AsyncByteStream):
    """A body in pieces, each after so many seconds; it counts those that were taken."""

    def __init__(self, pieces: Sequence[bytes], seconds: float = 0.0) -> None:
        self._pieces, self._seconds = pieces, seconds
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if self._seconds:
                await asyncio.sleep(self._seconds)
            self.taken += 1
            yield piece


def cut(body: bytes, size: int = 65_536) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


async def read(pieces: Sequence[bytes], coding: str = "", most: int = MOST, **headers: str) -> bytes:
    named = {"content-encoding": coding} if coding else {}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await Bodies(most).read(httpx.Response(200, headers=named, stream=Chunks(pieces)), 10.0)


@pytest.mark.parametrize("coding", ["", "identity"])
async def test_a_plain_body_is_read_as_it_is(coding: str) -> None:
    assert await read(cut(TEXT), coding) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "GZIP", " x-gzip "])
@pytest.mark.parametrize("size", [1, 7, 1_000, 65_536, 10_000_000])
async def test_a_packed_body_is_unpacked_however_it_is_cut(coding: str, size: int) -> None:
    assert await read(cut(gzip.compress(TEXT), size), coding) == TEXT


async def test_what_unpacks_to_whole_pieces_is_whole() -> None:
    body = NOISE[: 2 * 1024 * 1024]
    assert await read([gzip.compress(body)], "gzip") == body


PACKED = gzip.compress(TEXT)
BROKEN = {
    "half": PACKED[: len(PACKED) // 2],
    "without its trailer": PACKED[:-8],
    "with another checksum": PACKED[:-8] + b"\0" * 8,
    "empty": b"",
    "plain": TEXT,
    "deflated": zlib.compress(TEXT),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_a_broken_packing_is_not_clever(body: bytes) -> None:
    with pytest.raises(NotClever):
        await read(cut(body), "gzip")


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd", "nonsense"])
async def test_a_packing_that_was_not_asked_for_is_not_clever(coding: str) -> None:
    with pytest.raises(NotClever):
        await read([b"{}"], coding)


async def test_a_body_of_the_most_bytes_is_read_and_one_more_is_too_large() -> None:
    assert len(await read(cut(b" " * MOST))) == MOST
    for body in (cut(b" " * (MOST + 1)), cut(b" " * 10 * MOST)):
        with pytest.raises(TooLarge, match="GATEWAY_UPSTREAM_MAX_BYTES"):
            await read(body)
    with pytest.raises(TooLarge):
        await read(cut(gzip.compress(NOISE)), "gzip")


async def test_a_length_beyond_the_most_is_believed_before_a_byte_is_read() -> None:
    chunks = Chunks(cut(TEXT))
    response = httpx.Response(200, headers={"content-length": str(MOST + 1)}, stream=chunks)
    with pytest.raises(TooLarge):
        await Bodies(MOST).read(response, 10.0)
    assert chunks.taken == 0


async def test_a_bomb_is_found_out_long_before_it_has_unpacked() -> None:
    pieces = cut(gzip.compress(b" " * 100_000_000), 1_000)
    chunks = Chunks(pieces)
    with pytest.raises(NotClever):
        await Bodies(200_000_000).read(httpx.Response(200, headers={"content-encoding": "gzip"}, stream=chunks), 10.0)
    assert chunks.taken < len(pieces) / 10


async def test_bodies_under_way_are_bounded_together_and_their_end_makes_room() -> None:
    bodies = Bodies(1_000)

    async def one(body: bytes) -> bytes:
        return await bodies.read(httpx.Response(200, stream=Chunks([body, b""], seconds=0.01)), 10.0)

    found = await asyncio.gather(*[one(b" " * 900) for _ in range(6)], return_exceptions=True)
    assert sum(isinstance(outcome, TooLarge) for outcome in found) == 2
    assert await one(b" " * 1_000) == b" " * 1_000


def in_virtual_time(body: Callable[[], Coroutine[Any, Any, bytes]]) -> tuple[float, Exception | bytes]:
    async def scene() -> tuple[float, Exception | bytes]:
        try:
            found = await body()
            return now(), found
        except httpx.TransportError as error:
            return now(), error

    return simulate(scene)


def test_a_drip_is_given_up_after_its_time_and_a_slow_page_is_not() -> None:
    dripping = httpx.Response(200, stream=Chunks(cut(b" " * 1_000, 1), seconds=0.5))
    took, found = in_virtual_time(lambda: Bodies(MOST).read(dripping, 10.0))
    assert isinstance(found, httpx.ReadTimeout)
    assert 10.0 < took < 11.0

    slow = httpx.Response(200, stream=Chunks(cut(b" " * 600_000, 10_000), seconds=0.5))
    took, found = in_virtual_time(lambda: Bodies(MOST).read(slow, 10.0))
    assert found == b" " * 600_000
    assert took == pytest.approx(30.0)


async def test_what_stands_beside_a_status_is_read_so_far_and_its_end_does_not_matter() -> None:
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"12345"
            raise httpx.ReadError("reset")

    assert await read_aside(httpx.Response(503, stream=Chunks([b"123", b"4"]))) == 4
    assert await read_aside(httpx.Response(503, stream=Broken())) == 5
    endless = Chunks(cut(b" " * 10_000_000))
    assert await read_aside(httpx.Response(503, stream=endless)) < 200_000


def test_what_drips_beside_a_status_is_not_waited_for() -> None:
    async def scene() -> tuple[float, int]:
        size = await read_aside(httpx.Response(503, stream=Chunks(cut(b" " * 1_000, 1), seconds=0.4)))
        return now(), size

    assert simulate(scene) == (1.0, 2)


async def test_a_failure_that_is_kept_keeps_no_body() -> None:
    pieces = cut(NOISE) * 2
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        with pytest.raises(TooLarge) as caught:
            await read(pieces)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.__traceback__ is not None
    assert after - before < MOST / 10
