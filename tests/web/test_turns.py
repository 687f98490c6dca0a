"""How many requests are worked out at a time, who waits, and who is told to come again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.errors import TryLater
from gateway.settings import Settings
from gateway.web.turns import Turns
from tests.clever.virtual import simulate
from tests.resilience.faulty import ANY, Faulty, slow
from tests.resilience.fixtures import faulty, faulty_server
from tests.servers import running, until

__all__ = ["faulty", "faulty_server"]

BODY = {"query": "{ schools { nodes { name } } }"}
LONG_S = 30


class Scene:
    """Requests that each keep their turn until they are told to end; `log` has them in the order of their turns."""

    def __init__(self, at_once: int, most_waiting: int, longest_wait_s: float = 5) -> None:
        self.turns = Turns(at_once, most_waiting, longest_wait_s)
        self.log: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    async def come(self, name: str, seconds: float = 100) -> "asyncio.Task[None]":
        """Let a request come, whose owner is the first letter of its name."""
        end = self._ends[name] = asyncio.Event()

        async def request() -> None:
            await self.turns.take(name[0], seconds)
            try:
                self.log.append(name)
                await end.wait()
            finally:
                self.turns.give_back()

        task = asyncio.create_task(request())
        await self.pause()
        return task

    async def end(self, name: str) -> None:
        """Let a request end."""
        self._ends[name].set()
        await self.pause()

    @staticmethod
    async def pause() -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def refused(task: "asyncio.Task[None]") -> int:
    with pytest.raises(TryLater) as told:
        await task
    assert (told.value.public_code, told.value.status) == ("OVERLOADED", 503)
    return told.value.retry_after


def played(scene: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in time that passes only where everybody waits."""

    def test() -> None:
        simulate(scene)

    return test


async def _lines_take_turns() -> None:
    scene = Scene(1, 10)
    for name in ("a1", "a2", "a3", "a4", "b1", "c1", "b2"):
        await scene.come(name)
    for name in ("a1", "a2", "b1", "c1", "a3", "b2", "a4"):
        assert scene.log[-1] == name
        await scene.end(name)
    assert scene.turns.waiting == 0


async def _the_longest_line_gets_shorter() -> None:
    scene = Scene(1, 3)
    await scene.come("a0")
    flood = [await scene.come(f"a{number}") for number in range(1, 6)]
    for late in flood[3:]:
        assert await refused(late) == 5
    other = await scene.come("b1")
    assert await refused(flood[2]) == 5
    another = await scene.come("b2")
    assert await refused(another) == 5
    await scene.end("a0")
    await scene.end("a1")
    await scene.end("b1")
    assert scene.log == ["a0", "a1", "b1", "a2"]
    assert other.done()


async def _nobody_waits_for_long() -> None:
    scene = Scene(1, 10, longest_wait_s=5)
    await scene.come("a0")
    patient, hurried = await scene.come("a1"), await scene.come("b1", seconds=2)
    clock = asyncio.get_running_loop().time
    started = clock()
    await refused(hurried)
    assert clock() - started == pytest.approx(2)
    await refused(patient)
    assert clock() - started == pytest.approx(5)
    assert scene.turns.waiting == 0
    await scene.end("a0")
    await scene.come("c1")
    assert scene.log == ["a0", "c1"]


async def _who_leaves_gives_back() -> None:
    scene = Scene(1, 10)
    first, second, third = [await scene.come(name) for name in ("a1", "a2", "a3")]
    second.cancel()
    await scene.pause()
    assert scene.turns.waiting == 1
    # The turn is given to one who leaves in the very moment.
    first.cancel()
    await asyncio.sleep(0)
    third.cancel()
    await scene.pause()
    assert scene.turns.waiting == 0
    await scene.come("b1")
    assert scene.log[-1] == "b1"


test_lines_take_turns = played(_lines_take_turns)
test_the_longest_line_gets_shorter_where_there_is_no_room = played(_the_longest_line_gets_shorter)
test_nobody_waits_for_long = played(_nobody_waits_for_long)
test_who_leaves_gives_the_turn_back = played(_who_leaves_gives_back)


@pytest.fixture
async def narrow(faulty: Faulty) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway that works out one request at a time, while one more waits."""
    settings = Settings(
        clever_url=faulty.origin, max_concurrent=1, max_queued=1, queue_seconds=LONG_S, log_level="error"
    )
    with running(create_app(settings)) as origin:
        headers = {"authorization": "Bearer a-token"}
        async with httpx.AsyncClient(base_url=origin, headers=headers, timeout=LONG_S) as http:
            yield http


async def test_beyond_those_who_wait_others_are_told_to_come_again(narrow: httpx.AsyncClient, faulty: Faulty) -> None:
    known = await narrow.post("/graphql", json={"query": "{ district { name } }"})
    assert known.json()["data"]["district"]
    faulty.asked.clear()
    faulty.on(ANY, slow(LONG_S))
    working = asyncio.create_task(narrow.post("/graphql", json=BODY))
    await until(lambda: faulty.asked)
    rest = [asyncio.create_task(narrow.post("/graphql", json={**BODY, "operationName": None})) for _ in range(2)]
    done, waiting = await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
    (told,) = [one.result() for one in done]
    # What is given again, and the health of the process, take no turn.
    again = await narrow.post("/graphql", json={"query": "{ district { name } }"})
    alive = await narrow.get("/healthz")
    working.cancel()
    (late,) = waiting
    answered = await late

    assert told.status_code == 503
    assert told.headers["retry-after"] == str(LONG_S)
    assert told.json()["errors"][0]["extensions"] == {"code": "OVERLOADED", "retryAfter": LONG_S}
    assert again.json()["data"] == known.json()["data"]
    assert alive.status_code == 200
    assert answered.json()["data"]["schools"]["nodes"]
