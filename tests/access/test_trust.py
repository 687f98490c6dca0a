"""A token that Clever no longer accepts reads nothing any more; one that it shows less no longer reads the rest."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.access import trust
from gateway.access.wants import Want
from gateway.cache.shelf import Roster
from gateway.errors import Forbidden, Unauthenticated, UpstreamUnavailable
from gateway.identity import Tenant
from tests.access.scene import (
    FRESH_S,
    RECHECK_S,
    SCHOOLS_LIST,
    STUDENTS_LIST,
    TOKEN,
    USERS_LIST,
    Scene,
    scene,
    settle,
    stale_reason,
)
from tests.clever.virtual import simulate
from tests.resilience.faulty import html, status
from tests.resilience.roster import NORTH, STUDENTS

LINK = f"/schools/{NORTH}/users"


@pytest.fixture
async def play() -> AsyncIterator[Scene]:
    async with scene() as playing:
        yield playing


async def warm(play: Scene, *wants: Want) -> None:
    """Remember lists, and forget that they were asked for."""
    for one in wants or (STUDENTS_LIST, SCHOOLS_LIST):
        await play.ask(one)
    play.upstream.calls()


def remembered(play: Scene) -> Roster:
    return play.source.roster(Tenant(TOKEN))


# Tenants


async def test_tenants_share_neither_what_is_remembered_nor_what_is_under_way(play: Scene) -> None:
    gate = play.upstream.gates[LINK] = asyncio.Event()
    both = [asyncio.create_task(play.ask(STUDENTS_LIST, token=token)) for token in ("one", "two")]
    await play.upstream.arrived[LINK].wait()
    gate.set()
    await asyncio.gather(*both)
    assert play.upstream.calls() == {LINK: 2}
    await play.ask(STUDENTS_LIST, token="three")
    assert play.upstream.calls() == {LINK: 1}
    play.upstream.down = True
    assert isinstance(await play.fail(STUDENTS_LIST, token="four"), UpstreamUnavailable)


async def test_one_refused_token_costs_the_others_nothing(play: Scene) -> None:
    await warm(play)
    play.upstream.revoked.add("another")
    assert isinstance(await play.fail(STUDENTS_LIST, token="another"), Unauthenticated)
    play.upstream.calls()
    await play.ask(STUDENTS_LIST)
    assert play.upstream.calls() == {}


# Revoked


async def test_a_refused_call_is_asked_about_and_then_everything_is_refused(play: Scene) -> None:
    await warm(play)
    play.upstream.revoked.add(TOKEN)
    assert isinstance(await play.fail(USERS_LIST), Unauthenticated)
    # Refused, and then asked for the least there is until it is certain.
    assert play.upstream.calls() == {"/users": 1, "/districts": 2}
    assert remembered(play).entries == {}
    for _ in range(2):
        assert isinstance(await play.fail(STUDENTS_LIST), Unauthenticated)
    assert play.upstream.calls() == {}


@pytest.mark.parametrize("later", [1.0, trust.REFUSED_S + 1, 3 * FRESH_S])
async def test_nothing_comes_from_memory_after_a_refusal_whatever_happens_to_clever(play: Scene, later: float) -> None:
    await warm(play)
    play.upstream.revoked.add(TOKEN)
    await play.fail(USERS_LIST)
    play.upstream.down = True
    play.now += later
    for one in (STUDENTS_LIST, SCHOOLS_LIST):
        assert isinstance(await play.fail(one), Unauthenticated | UpstreamUnavailable)


async def test_a_refused_token_is_refused_without_a_call_for_a_time_and_then_asked_about(play: Scene) -> None:
    play.upstream.revoked.add(TOKEN)
    await play.fail(STUDENTS_LIST)
    play.upstream.calls()
    play.now += trust.REFUSED_S - 1
    assert isinstance(await play.fail(STUDENTS_LIST), Unauthenticated)
    assert play.upstream.calls() == {}
    play.now += 1
    assert isinstance(await play.fail(STUDENTS_LIST), Unauthenticated)
    assert play.upstream.calls()[LINK] == 1
    play.upstream.revoked.clear()
    play.now += trust.REFUSED_S
    assert (await play.ask(STUDENTS_LIST))[0] == STUDENTS
    assert (await play.ask(STUDENTS_LIST))[1].report()["cost"]["calls"] == 0


async def test_a_path_that_is_refused_alone_costs_its_field_alone(play: Scene) -> None:
    await warm(play)
    play.upstream.faulty.always("/users", status(401))
    found = await play.access().rows([USERS_LIST, STUDENTS_LIST])
    assert isinstance(found[USERS_LIST], Unauthenticated)
    assert not isinstance(found[STUDENTS_LIST], Exception)
    assert play.upstream.calls() == {"/users": 1, "/districts": 1}
    await play.ask(SCHOOLS_LIST)
    assert play.upstream.calls() == {}


async def test_many_refused_calls_ask_about_the_token_once(play: Scene) -> None:
    await warm(play)
    play.upstream.revoked.add(TOKEN)
    play.now += 2 * FRESH_S
    found = await play.access().rows([USERS_LIST, STUDENTS_LIST, SCHOOLS_LIST])
    assert {type(outcome) for outcome in found.values()} == {Unauthenticated}
    assert play.upstream.calls() == {"/users": 1, LINK: 1, "/schools": 1, "/districts": 2}


async def test_a_refusal_that_cannot_be_confirmed_lets_nothing_out_until_it_can(play: Scene) -> None:
    await warm(play)
    play.upstream.faulty.on("/users", status(401))
    play.upstream.faulty.always("/districts", status(500))
    assert isinstance(await play.fail(USERS_LIST), Unauthenticated)
    assert isinstance(await play.fail(STUDENTS_LIST), UpstreamUnavailable)
    play.upstream.faulty.always("/districts", lambda sound: sound)
    play.upstream.calls()
    assert (await play.ask(STUDENTS_LIST))[0] == STUDENTS
    assert play.upstream.calls() == {"/districts": 1}


async def test_what_was_under_way_when_the_token_was_refused_is_not_remembered(play: Scene) -> None:
    await warm(play)
    gate = play.upstream.gates["/schools"] = asyncio.Event()
    play.upstream.arrived.clear()
    play.now += 2 * FRESH_S
    slow = asyncio.create_task(play.ask(SCHOOLS_LIST))
    await play.upstream.arrived["/schools"].wait()
    play.now += 1
    play.upstream.revoked.add(TOKEN)
    await play.fail(USERS_LIST)
    play.upstream.revoked.clear()
    play.now += 1
    gate.set()
    await slow
    assert remembered(play).entries == {}


async def test_what_was_at_hand_is_not_used_when_the_token_is_refused_meanwhile(play: Scene) -> None:
    await warm(play)
    gate = play.upstream.gates[LINK] = asyncio.Event()
    play.upstream.arrived.clear()
    play.upstream.faulty.always(LINK, status(500))
    play.now += 2 * FRESH_S
    slow = asyncio.create_task(play.fail(STUDENTS_LIST))
    await play.upstream.arrived[LINK].wait()
    play.now += 1
    play.upstream.faulty.always("/users", status(401))
    play.upstream.faulty.always("/districts", status(401))
    await play.fail(USERS_LIST)
    gate.set()
    assert isinstance(await slow, UpstreamUnavailable)


# Asked about from time to time


async def live_off_memory(play: Scene, seconds: float) -> None:
    """Keep what is remembered fresh, so that nothing but the token is a reason to ask."""
    play.now += seconds
    for entry in remembered(play).entries.values():
        entry.at = play.now


async def test_a_token_is_asked_about_while_it_lives_off_what_is_remembered(play: Scene) -> None:
    await warm(play)
    await live_off_memory(play, RECHECK_S / 2 - 1)
    await play.ask(STUDENTS_LIST)
    await settle()
    assert play.upstream.calls() == {}
    # From half of the time on beside the request, and once for all.
    await live_off_memory(play, 2)
    gate = play.upstream.gates["/districts"] = asyncio.Event()
    for _ in range(3):
        await play.ask(STUDENTS_LIST)
    gate.set()
    await settle()
    assert play.upstream.calls() == {"/districts": 1}
    # After the whole of it before the answer.
    await live_off_memory(play, RECHECK_S)
    await play.ask(STUDENTS_LIST)
    assert play.upstream.calls() == {"/districts": 1}
    await play.ask(STUDENTS_LIST)
    assert play.upstream.calls() == {}


@pytest.mark.parametrize("share", [0.6, 1.1])
async def test_a_token_revoked_meanwhile_is_found_out(play: Scene, share: float) -> None:
    await warm(play)
    play.upstream.revoked.add(TOKEN)
    await live_off_memory(play, share * RECHECK_S)
    if share < 1:
        assert (await play.ask(STUDENTS_LIST))[0] == STUDENTS
        await settle()
    assert isinstance(await play.fail(STUDENTS_LIST), Unauthenticated)
    assert remembered(play).entries == {}


async def test_while_clever_is_down_a_token_is_believed(play: Scene) -> None:
    await warm(play)
    play.upstream.down = True
    await live_off_memory(play, RECHECK_S + 1)
    assert (await play.ask(STUDENTS_LIST))[0] == STUDENTS
    assert play.upstream.calls() == {"/districts": 3}


def test_requests_do_not_all_wait_for_a_clever_that_hangs() -> None:
    async def hanging() -> None:
        async with scene() as play:
            await warm(play)
            play.upstream.gates["/districts"] = asyncio.Event()
            await live_off_memory(play, RECHECK_S + 1)
            waited = []
            for _ in range(3):
                began = asyncio.get_running_loop().time()
                assert (await play.ask(STUDENTS_LIST))[0] == STUDENTS
                waited.append(asyncio.get_running_loop().time() - began)
            assert waited == pytest.approx([5, 0, 0])

    simulate(hanging)


async def test_a_token_that_was_crowded_out_of_the_table_is_asked_about(
    play: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_MOST_TENANTS", 2)
    await warm(play)
    for token in ("two", "three", "four"):
        await play.ask(SCHOOLS_LIST, token=token)
    play.upstream.calls()
    play.upstream.revoked.add(TOKEN)
    assert isinstance(await play.fail(STUDENTS_LIST), Unauthenticated)
    assert play.upstream.calls() == {"/districts": 2}


# Narrowed


async def test_a_collection_that_is_hidden_now_is_forbidden_and_forgotten(play: Scene) -> None:
    await warm(play, SCHOOLS_LIST, USERS_LIST)
    play.upstream.faulty.always("/users", html(404))
    play.now += 2 * FRESH_S
    found = await play.access().rows([USERS_LIST, SCHOOLS_LIST])
    assert isinstance(found[USERS_LIST], Forbidden)
    assert not isinstance(found[SCHOOLS_LIST], Exception)
    assert play.upstream.calls() == {"/users": 2, "/schools": 1}
    play.upstream.down = True
    assert isinstance(await play.fail(USERS_LIST), UpstreamUnavailable)


async def test_a_collection_that_is_hidden_once_is_read_again(play: Scene) -> None:
    await warm(play, USERS_LIST)
    play.upstream.faulty.on("/users", html(404))
    play.now += 2 * FRESH_S
    found, access = await play.ask(USERS_LIST)
    assert found == STUDENTS[:3]
    assert stale_reason(access) is None


async def test_a_collection_that_was_never_shown_is_forbidden_in_one_call(play: Scene) -> None:
    await warm(play, SCHOOLS_LIST)
    play.upstream.faulty.always("/users", html(404))
    for _ in range(2):
        assert isinstance(await play.fail(USERS_LIST), Forbidden)
        assert play.upstream.calls() == {"/users": 1}
    await play.ask(SCHOOLS_LIST)
    assert play.upstream.calls() == {}
