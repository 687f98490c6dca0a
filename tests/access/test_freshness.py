"""How long what was read is used: fresh without a call, then while it is read anew, then only for want of better."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.access.wants import Window, want
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import DISTRICT_USERS, SCHOOLS, SECTION_USERS, USERS
from gateway.clever.decode import tolerant
from gateway.clever.records import School, Section
from gateway.errors import UpstreamRateLimited, UpstreamUnavailable
from tests.access.scene import (
    FRESH_S,
    SCHOOLS_LIST,
    SPARE_S,
    STUDENTS_LIST,
    USERS_LIST,
    Scene,
    scene,
    settle,
    stale_reason,
)
from tests.clever.virtual import simulate
from tests.resilience.faulty import sends, status
from tests.resilience.roster import MATH, NORTH, SOUTH, STUDENTS, roster


@pytest.fixture
async def play() -> AsyncIterator[Scene]:
    async with scene() as playing:
        yield playing


async def test_what_is_fresh_costs_no_call_and_is_told_as_cached(play: Scene) -> None:
    cold, first = await play.ask(STUDENTS_LIST)
    play.now += FRESH_S - 1
    warm, second = await play.ask(STUDENTS_LIST)

    assert cold == warm == STUDENTS
    assert len(play.upstream.asked) == 1
    assert first.report()["cost"] | {"remaining": 0} == {"calls": 1, "cached": 0, "remaining": 0}
    assert second.report()["cost"] | {"remaining": 0} == {"calls": 0, "cached": 1, "remaining": 0}
    assert "stale" not in second.report()


@pytest.mark.parametrize(
    "window",
    [
        Window(2),
        Window(2, after=STUDENTS[1]),
        Window(2, backward=True),
        Window(2, before=STUDENTS[4], backward=True),
        Window(0),
        Window(50, after="9" * 24),
    ],
)
async def test_windows_are_cut_from_a_list_that_is_remembered(play: Scene, window: Window) -> None:
    one = want(STUDENTS_LIST.relation, School(id=NORTH), window, STUDENTS_LIST.selection)
    cold = (await play.access().rows([one]))[one]
    await play.ask(STUDENTS_LIST)
    play.upstream.calls()
    assert (await play.access().rows([one]))[one] == cold
    assert play.upstream.calls() == {}


async def test_past_its_time_it_is_used_while_one_refresh_runs_for_all(play: Scene) -> None:
    await play.ask(STUDENTS_LIST)
    play.upstream.calls()
    gate = play.upstream.gates[f"/schools/{NORTH}/users"] = asyncio.Event()
    del play.upstream.faulty.records["users"][STUDENTS[0]]
    play.now += FRESH_S + 1

    for _ in range(2):
        (one, first), (two, second) = await asyncio.gather(play.ask(STUDENTS_LIST), play.ask(STUDENTS_LIST))
        assert one == two == STUDENTS
        assert stale_reason(first) == stale_reason(second) == "REFRESHING"
        assert first.report()["cost"]["calls"] == 0
    as_of = datetime.fromisoformat(first.report()["stale"]["asOf"])
    assert abs(datetime.now(UTC) - timedelta(seconds=FRESH_S + 1) - as_of) < timedelta(seconds=30)
    await play.upstream.arrived[f"/schools/{NORTH}/users"].wait()
    gate.set()
    await settle()
    assert play.upstream.calls() == {f"/schools/{NORTH}/users": 1}

    newer, access = await play.ask(STUDENTS_LIST)
    assert newer == STUDENTS[1:]
    assert stale_reason(access) is None
    assert play.upstream.calls() == {}


async def test_a_refresh_that_fails_changes_nothing_and_the_next_request_tries_again(play: Scene) -> None:
    await play.ask(STUDENTS_LIST)
    play.now += FRESH_S
    play.upstream.down = True
    for _ in range(2):
        play.upstream.calls()
        assert (await play.ask(STUDENTS_LIST))[0] == STUDENTS
        await settle()
        assert play.upstream.calls() == {f"/schools/{NORTH}/users": 3}


async def test_past_twice_its_time_clever_is_waited_for(play: Scene) -> None:
    await play.ask(STUDENTS_LIST)
    del play.upstream.faulty.records["users"][STUDENTS[0]]
    play.now += 2 * FRESH_S
    newer, access = await play.ask(STUDENTS_LIST)
    assert newer == STUDENTS[1:]
    assert stale_reason(access) is None
    assert access.report()["cost"]["calls"] == 1


BROKEN = {
    "refused": ("down", "UPSTREAM_UNAVAILABLE"),
    "500": (status(500), "UPSTREAM_UNAVAILABLE"),
    "no JSON": (sends(b"<html>"), "UPSTREAM_INVALID_RESPONSE"),
    "429": (status(429, x_ratelimit_reset="9999999999"), "UPSTREAM_RATE_LIMITED"),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_where_clever_fails_what_is_old_stands_in_and_the_answer_says_why(play: Scene, fault: str) -> None:
    how, reason = BROKEN[fault]
    await play.ask(STUDENTS_LIST)
    await play.ask(USERS_LIST)
    if how == "down":
        play.upstream.down = True
    else:
        play.upstream.faulty.always("*", how)  # type: ignore[arg-type]
    play.now += 2 * FRESH_S
    found, access = await play.ask(STUDENTS_LIST)
    assert found == STUDENTS
    assert stale_reason(access) == reason
    play.now = 1_000 + SPARE_S
    assert (await play.fail(STUDENTS_LIST)).code == reason  # type: ignore[attr-defined]


async def test_what_was_read_one_way_stands_in_for_what_is_asked_another_way(play: Scene) -> None:
    """A class by its ids, a person by the collection, a size by the list: nothing of it has a call of its own."""
    everyone = want(DISTRICT_USERS, None, Window(100))
    await play.ask(everyone)
    play.upstream.down = True
    play.now += 2 * FRESH_S

    section = tolerant(Section, roster()["sections"][MATH])
    found, _ = await play.ask(want(SECTION_USERS, section, Window(50)))
    assert found == sorted([*section.students, section.teacher, *section.teachers[1:]])
    access = play.access()
    call, gone = RecordCall(USERS, STUDENTS[2]), RecordCall(USERS, "e" * 24)
    records = await access.records([call, gone])
    assert records[call].id == STUDENTS[2]  # type: ignore[union-attr]
    assert records[gone] is None
    assert (await access.totals([everyone]))[everyone] == 9
    assert stale_reason(access) == "UPSTREAM_UNAVAILABLE"
    first_page, _ = await play.ask(USERS_LIST)
    assert first_page == STUDENTS[:3]


async def test_only_the_want_that_fails_is_answered_from_what_is_old(play: Scene) -> None:
    await play.ask(STUDENTS_LIST)
    await play.ask(SCHOOLS_LIST)
    play.now += 2 * FRESH_S
    del play.upstream.faulty.records["schools"][SOUTH]
    play.upstream.faulty.always(f"/schools/{NORTH}/users", status(500))
    found = await play.access().rows([STUDENTS_LIST, SCHOOLS_LIST])
    assert [len(rows.records) for rows in found.values()] == [6, 1]  # type: ignore[union-attr]


def test_slow_answers_are_not_waited_for_where_something_older_is_at_hand() -> None:
    async def slow_clever() -> None:
        async with scene() as play:
            await play.ask(STUDENTS_LIST)
            await play.ask(USERS_LIST)
            play.now += 2 * FRESH_S
            for path in ("/users", f"/schools/{NORTH}/users"):
                play.upstream.gates[path] = asyncio.Event()
            for one, ids in ((STUDENTS_LIST, STUDENTS), (USERS_LIST, STUDENTS[:3])):
                began = asyncio.get_running_loop().time()
                found, access = await play.ask(one)
                assert found == ids
                assert stale_reason(access) == "REFRESHING"
                assert asyncio.get_running_loop().time() - began == pytest.approx(2, abs=0.1)
            for gate in play.upstream.gates.values():
                gate.set()
            await settle()
            play.upstream.calls()
            assert stale_reason((await play.ask(USERS_LIST))[1]) is None
            assert play.upstream.calls() == {}

    simulate(slow_clever)


# Missing records and failures


async def test_that_a_record_is_missing_is_remembered_for_a_short_time(play: Scene) -> None:
    call = RecordCall(SCHOOLS, "0" * 24)
    for _ in range(2):
        assert (await play.access().records([call]))[call] is None
    assert len(play.upstream.asked) == 1
    play.now += 31
    assert (await play.access().records([call]))[call] is None
    assert len(play.upstream.asked) == 2
    play.now += 31


async def test_failures_are_not_remembered_from_one_request_to_the_next(play: Scene) -> None:
    play.upstream.down = True
    assert isinstance(await play.fail(STUDENTS_LIST), UpstreamUnavailable)
    play.upstream.down = False
    assert (await play.ask(STUDENTS_LIST))[0] == STUDENTS


# Asking for something newer


async def test_no_cache_reads_anew_but_not_what_is_seconds_old(play: Scene) -> None:
    await play.ask(STUDENTS_LIST)
    play.now += 4.9
    assert (await play.ask(STUDENTS_LIST, refresh=True))[1].report()["cost"]["calls"] == 0
    play.now += 0.1
    del play.upstream.faulty.records["users"][STUDENTS[0]]
    found, access = await play.ask(STUDENTS_LIST, refresh=True)
    assert found == STUDENTS[1:]
    assert access.report()["cost"]["calls"] == 1
    assert stale_reason(access) is None
    assert (await play.ask(STUDENTS_LIST))[0] == STUDENTS[1:]


async def test_no_cache_gets_what_is_remembered_while_clever_fails(play: Scene) -> None:
    await play.ask(STUDENTS_LIST)
    await play.ask(USERS_LIST)
    play.now += 6
    play.upstream.down = True
    for one, ids in ((STUDENTS_LIST, STUDENTS), (USERS_LIST, STUDENTS[:3])):
        found, access = await play.ask(one, refresh=True)
        assert found == ids
        assert stale_reason(access) == "UPSTREAM_UNAVAILABLE"


async def test_no_cache_does_not_join_what_began_long_before_it(play: Scene) -> None:
    gate = play.upstream.gates[f"/schools/{NORTH}/users"] = asyncio.Event()
    earlier = asyncio.create_task(play.ask(STUDENTS_LIST))
    await play.upstream.arrived[f"/schools/{NORTH}/users"].wait()
    play.now += 6
    later = asyncio.create_task(play.ask(STUDENTS_LIST, refresh=True))
    plain = asyncio.create_task(play.ask(STUDENTS_LIST))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(earlier, later, plain)
    assert play.upstream.calls() == {f"/schools/{NORTH}/users": 2}
    assert plain.result()[1].report()["cost"]["calls"] == 0


# Calls that are left to others


async def test_refreshes_leave_calls_to_those_who_wait() -> None:
    async with scene(calls_per_minute=110) as play:
        calls = [RecordCall(USERS, key) for key in STUDENTS]
        calls += [RecordCall(SCHOOLS, key) for key in (NORTH, SOUTH)]
        for call in calls:
            await play.access().records([call])
        play.upstream.calls()
        play.now += FRESH_S + 1
        await play.access().records(calls)
        await settle()
        # Of 110 calls 8 have been made; 100 are for others.
        assert sum(play.upstream.calls().values()) == 2


async def test_a_rate_that_is_used_up_is_no_reason_to_answer_nothing() -> None:
    async with scene(calls_per_minute=1) as play:
        await play.ask(STUDENTS_LIST)
        play.now += 2 * FRESH_S
        found, access = await play.ask(STUDENTS_LIST)
        assert found == STUDENTS
        assert stale_reason(access) == UpstreamRateLimited.code


async def test_a_list_of_pages_is_as_old_as_its_oldest_page(play: Scene) -> None:
    pair = want(STUDENTS_LIST.relation, School(id=NORTH), Window(4), STUDENTS_LIST.selection)
    for key in STUDENTS[:3]:
        play.upstream.faulty.records["users"][key]["roles"]["student"] |= {"school": SOUTH, "schools": [SOUTH]}
        play.upstream.faulty.records["users"][key]["stray"] = True
    gate = play.upstream.gates[f"/schools/{NORTH}/users"] = asyncio.Event()
    asked = asyncio.create_task(play.ask(pair))
    await play.upstream.arrived[f"/schools/{NORTH}/users"].wait()
    play.now += FRESH_S / 2
    gate.set()
    assert (await asked)[0] == STUDENTS[3:]
    assert len(play.upstream.asked) == 2
    play.now += FRESH_S / 2
    assert stale_reason((await play.ask(pair))[1]) == "REFRESHING"


async def test_without_a_memory_every_request_costs_the_same() -> None:
    async with scene(capacity=None) as play:
        for _ in range(2):
            assert (await play.ask(STUDENTS_LIST))[0] == STUDENTS
            assert play.upstream.calls() == {f"/schools/{NORTH}/users": 1}
        play.upstream.down = True
        assert isinstance(await play.fail(STUDENTS_LIST), UpstreamUnavailable)
