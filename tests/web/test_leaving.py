"""Callers who hang up while they are answered: what was done for them alone stops, what others want goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.clever.allowance import Allowance
from gateway.settings import Settings
from gateway.web.leaving import while_wanted
from tests.observability.lines import Log, logged
from tests.resilience.faulty import ANY, Faulty, slow
from tests.resilience.fixtures import faulty, faulty_server
from tests.servers import running, until

__all__ = ["faulty", "faulty_server"]

SCHOOLS = "{ schools { nodes { name } } }"
LONG_S = 20.0
ENGINES = ("compiled", "graphql-core")


@pytest.fixture(params=ENGINES)
async def asking(faulty: Faulty, request: pytest.FixtureRequest) -> AsyncIterator[tuple[httpx.AsyncClient, Log]]:
    """A gateway whose callers have a connection for each request."""
    settings = Settings(clever_url=faulty.origin, engine=request.param)
    with logged() as log, running(create_app(settings)) as origin:
        headers = {"authorization": "Bearer a-token"}
        async with httpx.AsyncClient(base_url=origin, headers=headers, timeout=2 * LONG_S) as http:
            yield http, log


async def hang_up(request: "asyncio.Task[httpx.Response]") -> None:
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)


async def executed(http: httpx.AsyncClient) -> float:
    """Return how many operations have been begun."""
    lines = (await http.get("/metrics")).text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("gateway_operations_total"))


async def test_the_call_for_one_who_hangs_up_is_hung_up(asking: tuple[httpx.AsyncClient, Log], faulty: Faulty) -> None:
    http, log = asking
    faulty.always(ANY, slow(LONG_S))
    request = asyncio.create_task(http.post("/graphql", json={"query": SCHOOLS}))
    await until(lambda: faulty.asked)
    await hang_up(request)
    await until(lambda: faulty.left)
    await until(lambda: log.of("request"))
    faulty.always(ANY, lambda reply: reply)
    later = await http.post("/graphql", json={"query": SCHOOLS})

    (line,) = [one for one in log.of("request") if one["status"] == 0]
    assert (line["upstream_calls"], line["error_codes"]) == (1, [])
    assert log.of("internal error") == []
    assert faulty.left == faulty.targets[:1]
    assert later.json()["data"]["schools"]["nodes"]
    # The call was sent, and counts.
    assert later.json()["extensions"]["clever"]["cost"]["remaining"] == 1200 - len(faulty.asked)


async def test_what_another_waits_for_goes_on(asking: tuple[httpx.AsyncClient, Log], faulty: Faulty) -> None:
    http, log = asking
    faulty.always(ANY, slow(2.0))
    first = asyncio.create_task(http.post("/graphql", json={"query": SCHOOLS}))
    await until(lambda: faulty.asked)
    second = asyncio.create_task(http.post("/graphql", json={"query": "{ schools { nodes { cleverId name } } }"}))
    while await executed(http) < 2:
        pass
    # It has asked for its schools by the time that another request has been answered.
    await http.post("/graphql", json={"query": "{ __typename }"})
    await hang_up(first)
    answer = await second
    await until(lambda: {0, 200} == {one["status"] for one in log.of("request")})

    assert answer.json()["data"]["schools"]["nodes"]
    assert len(faulty.asked) == 1
    assert faulty.left == []


async def test_a_server_that_never_says_who_hung_up_is_not_asked_for_ever() -> None:
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"", "more_body": False}

    async with while_wanted(receive, Allowance(5, 1)):
        for _ in range(5):
            await asyncio.sleep(0)

    assert asked == 2


@pytest.mark.parametrize("before", [False, True])
async def test_a_cancellation_of_somebody_elses_is_no_hanging_up(before: bool) -> None:
    """`before`: it comes when the caller has just hung up, too."""
    hangs_up = asyncio.Event()
    allowance = Allowance(5, 1)

    async def receive() -> dict[str, Any]:
        await hangs_up.wait()
        return {"type": "http.disconnect"}

    async def request() -> None:
        async with while_wanted(receive, allowance):
            await asyncio.Event().wait()

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if before:
        hangs_up.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_one_who_hangs_up_while_waiting_for_a_turn_leaves_the_line(faulty: Faulty) -> None:
    settings = Settings(clever_url=faulty.origin, max_concurrent=1, queue_seconds=LONG_S, log_level="error")
    faulty.always(ANY, slow(LONG_S))
    with running(create_app(settings)) as origin:
        async with httpx.AsyncClient(base_url=origin, timeout=2 * LONG_S) as http:

            def ask(token: str) -> "asyncio.Task[httpx.Response]":
                headers = {"authorization": f"Bearer {token}"}
                return asyncio.create_task(http.post("/graphql", json={"query": SCHOOLS}, headers=headers))

            working = ask("a")
            await until(lambda: faulty.asked)
            waiting = ask("b")
            await hang_up(waiting)
            faulty.always(ANY, lambda reply: reply)
            last = ask("c")
            await hang_up(working)
            assert (await last).json()["data"]["schools"]["nodes"]

    assert {one.header("authorization")[0] for one in faulty.asked} == {"Bearer a", "Bearer c"}
