"""Processes that share a Redis, as many as a test wants, all in one."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from gateway.cache.redis.names import Names
from gateway.cache.redis.sharing import Sharing
from gateway.cache.rows import DecodedRows
from gateway.cache.shelf import Entry, Key, ListKey
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import COURSES, DISTRICT_COURSES, EVERYTHING
from gateway.clever.records import Course
from tests.redis_server import KEY, RedisServer

ORIGIN, VERSION = "http://clever", "v3.1"
LONGEST_S = 10.0
ALL_COURSES: ListKey = (DISTRICT_COURSES, None, EVERYTHING)
A_RECORD = RecordCall(COURSES, f"{7:024x}")
ANOTHER = RecordCall(COURSES, f"{8:024x}")


def courses(count: int, title: str = "Course") -> tuple[Course, ...]:
    """Return courses whose names cannot be packed."""
    names = random.Random(title)
    return tuple(Course(id=f"{number:024x}", name=f"{title} {names.randbytes(60).hex()}") for number in range(count))


def entry(key: Key, at: float, records: Sequence[Any] = (), **more: Any) -> Entry:
    """Return an entry that was read at a moment."""
    rows = key.rows if not isinstance(key, tuple) else key[0].rows
    return Entry(key, rows, at, DecodedRows(tuple(records)), **more)


def long_there(server: RedisServer, key: str = KEY, origin: str = ORIGIN) -> None:
    """Let a Redis look as if processes had been there for long: calls that it does not know of count no more."""
    with server.client() as client:
        client.hset(Names(key.encode(), origin, VERSION).replicas, "born", 1)


@asynccontextmanager
async def processes(server: RedisServer, count: int, **options: Any) -> AsyncIterator[list[Sharing]]:
    """Open what so many processes share."""
    url, key = options.pop("url", server.url), options.pop("key", KEY).encode()
    made = [Sharing(url, key, origin=ORIGIN, version=VERSION, **options) for _ in range(count)]
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(one) for one in made]


async def until(so: Callable[[], Any]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(LONGEST_S):
        while not so():  # noqa: ASYNC110 - what another process does sets no event
            await asyncio.sleep(0.005)
