"""BatchLoader: one batch per tick, and waiters that do each other no harm."""

import asyncio
from collections.abc import Mapping, Sequence

from gateway.loaders.base import BatchLoader


class Source:
    """What a loader fetches from: it notes the batches, waits where told to, and fails for chosen keys."""

    def __init__(self, *, broken: Mapping[int, Exception] | None = None) -> None:
        self.batches: list[list[int]] = []
        self.broken = broken or {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: BaseException | None = None

    async def fetch(self, keys: Sequence[int]) -> Mapping[int, int | Exception]:
        self.batches.append(list(keys))
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return {key: self.broken.get(key, key * 10) for key in keys}


async def loaded(*futures: "asyncio.Future[int]") -> list[int | BaseException]:
    """Wait for all, at most two seconds."""
    return await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 2)


async def test_keys_of_one_tick_go_down_in_one_batch() -> None:
    source = Source()
    loader = BatchLoader(source.fetch)
    assert await loaded(*[loader.load(key) for key in (1, 2, 3)]) == [10, 20, 30]
    assert source.batches == [[1, 2, 3]]


async def test_tasks_started_side_by_side_share_a_batch() -> None:
    source = Source()
    loader = BatchLoader(source.fetch)

    async def field(key: int) -> int:
        return await loader.load(key)

    assert await asyncio.gather(*[field(key) for key in range(50)]) == [key * 10 for key in range(50)]
    assert source.batches == [list(range(50))]


async def test_a_key_is_fetched_once_however_often_and_whenever_it_is_asked_for() -> None:
    source = Source()
    loader = BatchLoader(source.fetch)
    assert await loaded(loader.load(1), loader.load(1), loader.load(2)) == [10, 10, 20]
    assert await loaded(loader.load(1), loader.load(3)) == [10, 30]
    assert source.batches == [[1, 2], [3]]


async def test_an_exception_is_the_result_of_its_own_key() -> None:
    error = LookupError("two")
    source = Source(broken={2: error})
    loader = BatchLoader(source.fetch)
    assert await loaded(loader.load(1), loader.load(2), loader.load(3)) == [10, error, 30]
    assert await loaded(loader.load(2)) == [error]
    assert source.batches == [[1, 2, 3]]


async def test_a_failed_batch_fails_all_its_waiters_and_is_not_remembered() -> None:
    source = Source()
    source.failure = LookupError("all")
    loader = BatchLoader(source.fetch)
    assert await loaded(loader.load(1), loader.load(2)) == [source.failure, source.failure]
    source.failure = None
    assert await loaded(loader.load(1)) == [10]
    assert source.batches == [[1, 2], [1]]


async def test_a_key_that_the_batch_left_out_fails_its_waiters_and_hangs_none() -> None:
    async def fetch(keys: Sequence[int]) -> Mapping[int, int | Exception]:
        return {key: key for key in keys if key != 2}

    loader: BatchLoader[int, int] = BatchLoader(fetch)
    found = await loaded(loader.load(1), loader.load(2))
    assert [type(one) for one in found] == [KeyError, KeyError]


async def test_one_cancelled_waiter_cancels_no_other_waiter_of_its_key() -> None:
    source = Source()
    source.gate.clear()
    loader = BatchLoader(source.fetch)

    async def field() -> int:
        return await loader.load(1)

    first, second = asyncio.create_task(field()), asyncio.create_task(field())
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.wait_for(second, 2) == 10
    assert first.cancelled()
    assert await loaded(loader.load(1)) == [10]
    assert source.batches == [[1]]


async def test_a_waiter_cancelled_before_the_batch_goes_down_cancels_no_other() -> None:
    source = Source()
    loader = BatchLoader(source.fetch)
    first, second = loader.load(1), loader.load(1)
    first.cancel()
    assert await loaded(second, loader.load(2)) == [10, 20]


async def test_a_waiter_gone_by_the_time_its_key_fails_leaves_nothing_unretrieved() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    source = Source(broken={1: LookupError("one")})
    source.gate.clear()
    loader = BatchLoader(source.fetch)
    waiter = loader.load(1)
    await asyncio.sleep(0.01)
    waiter.cancel()
    source.gate.set()
    assert await loaded(loader.load(2)) == [20]
    assert complaints == []


async def test_a_cancelled_batch_does_not_hang_its_waiters() -> None:
    source = Source()
    source.failure = asyncio.CancelledError()
    loader = BatchLoader(source.fetch)
    found = await loaded(loader.load(1), loader.load(2))
    assert [type(one) for one in found] == [ConnectionAbortedError, ConnectionAbortedError]


async def test_loaders_share_nothing() -> None:
    one, other = Source(), Source()
    assert await loaded(BatchLoader(one.fetch).load(1), BatchLoader(other.fetch).load(1)) == [10, 10]
    assert (one.batches, other.batches) == ([[1]], [[1]])
