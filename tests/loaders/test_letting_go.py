"""Loaders of a request that has ended: what they read stops, and what fails is nobody's failure."""

import asyncio
import gc
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.loaders.base import BatchLoader


class Reader:
    """Reads for ever; `stopped` once it is cancelled."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.begun, self.stopped = asyncio.Event(), asyncio.Event()

    async def __call__(self, keys: Sequence[str]) -> Mapping[str, int | Exception]:
        self.asked.append(keys)
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()
        return {}


async def test_closing_stops_a_batch_and_begins_no_other() -> None:
    reader = Reader()
    loader: BatchLoader[str, int] = BatchLoader(reader)
    waiters = [asyncio.ensure_future(loader.load(key)) for key in "ab"]
    await reader.begun.wait()
    late = asyncio.ensure_future(loader.load("c"))
    loader.close()
    outcomes = await asyncio.gather(*waiters, late, return_exceptions=True)

    assert reader.stopped.is_set()
    assert [type(outcome) for outcome in outcomes] == [ConnectionAbortedError] * 3
    assert reader.asked == [["a", "b"]]


async def test_what_fails_when_nobody_waits_any_more_is_told_to_nobody() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    reader = Reader()
    loader: BatchLoader[str, int] = BatchLoader(reader)
    loader.load("a")
    await reader.begun.wait()
    loader.close()
    await reader.stopped.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    del loader
    gc.collect()

    assert told == []


async def test_what_fails_behind_a_waiter_who_was_cancelled_first_is_told_to_nobody() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    reader = Reader()
    loader: BatchLoader[str, int] = BatchLoader(reader)
    waiter = asyncio.ensure_future(loader.load("a"))
    await reader.begun.wait()
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    loader.close()
    await reader.stopped.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    del loader
    gc.collect()

    assert waiter.cancelled()
    assert told == []
