"""Requests that want the same at the same time, and lists that take longer than the request that began them."""

import asyncio
from dataclasses import replace

import pytest

from gateway.access.wants import Window
from gateway.errors import DeadlineExceeded, QueryTooComplex, UpstreamUnavailable
from tests.access.scene import STUDENTS_LIST, scene, settle
from tests.clever.virtual import simulate
from tests.resilience.faulty import status
from tests.resilience.roster import NORTH, STUDENTS

LINK = f"/schools/{NORTH}/users"
WHOLE_LIST = replace(STUDENTS_LIST, whole=True)


@pytest.mark.parametrize("capacity", [None, 10_000_000])
async def test_requests_at_the_same_time_share_a_call_and_one_may_leave(capacity: int | None) -> None:
    async with scene(capacity) as play:
        gate = play.upstream.gates[LINK] = asyncio.Event()
        leaver, *others = (asyncio.create_task(play.ask(STUDENTS_LIST)) for _ in range(3))
        await play.upstream.arrived[LINK].wait()
        leaver.cancel()
        await asyncio.wait([leaver])
        gate.set()
        for found, _ in await asyncio.gather(*others):
            assert found == STUDENTS
        assert play.upstream.calls() == {LINK: 1}


async def test_a_failure_is_that_of_all_who_share_the_call() -> None:
    async with scene() as play:
        play.upstream.faulty.always(LINK, status(500))
        failures = await asyncio.gather(*[play.fail(STUDENTS_LIST) for _ in range(3)])
        assert {type(error) for error in failures} == {UpstreamUnavailable}
        assert play.upstream.calls() == {LINK: 3}


async def test_one_who_has_no_call_left_costs_the_others_nothing() -> None:
    async with scene() as play:
        poor = asyncio.create_task(play.access(calls=0).rows([WHOLE_LIST]))
        rich = [asyncio.create_task(play.ask(WHOLE_LIST)) for _ in range(3)]
        assert isinstance((await poor)[WHOLE_LIST], QueryTooComplex)
        for found, _ in await asyncio.gather(*rich):
            assert found == STUDENTS
        assert play.upstream.calls() == {LINK: 1}


def test_a_page_whose_time_is_up_is_read_by_another_who_waits() -> None:
    async def hurried_first() -> None:
        async with scene() as play:
            gate = play.upstream.gates[LINK] = asyncio.Event()
            hurried = asyncio.create_task(play.fail(STUDENTS_LIST, seconds=1))
            patient = asyncio.create_task(play.ask(STUDENTS_LIST, seconds=10))
            assert isinstance(await hurried, DeadlineExceeded)
            await asyncio.sleep(1)
            gate.set()
            assert (await patient)[0] == STUDENTS

    simulate(hurried_first)


def test_a_list_that_takes_longer_than_its_request_is_found_by_the_next() -> None:
    async def long_list() -> None:
        async with scene() as play:
            gate = play.upstream.gates[LINK] = asyncio.Event()
            assert isinstance(await play.fail(WHOLE_LIST, seconds=5), DeadlineExceeded)
            joiner = asyncio.create_task(play.ask(WHOLE_LIST))
            await asyncio.sleep(10)
            gate.set()
            assert (await joiner)[0] == STUDENTS
            await settle()
            assert play.upstream.calls() == {LINK: 1}
            assert (await play.ask(replace(STUDENTS_LIST, window=Window(2))))[0] == STUDENTS[:2]
            assert play.upstream.calls() == {}

    simulate(long_list)


async def test_a_request_that_began_with_nothing_sees_what_another_has_read_meanwhile() -> None:
    async with scene() as play:
        early = play.access()
        await play.ask(STUDENTS_LIST)
        play.upstream.calls()
        rows = (await early.rows([STUDENTS_LIST]))[STUDENTS_LIST]
        assert not isinstance(rows, Exception)
        assert play.upstream.calls() == {}


async def test_nothing_goes_on_after_closing() -> None:
    async with scene() as play:
        play.upstream.gates[LINK] = asyncio.Event()
        asked = asyncio.create_task(play.ask(STUDENTS_LIST))
        await play.upstream.arrived[LINK].wait()
        await play.source.aclose()
        await asyncio.wait([asked])
        assert asyncio.all_tasks() == {asyncio.current_task()}
