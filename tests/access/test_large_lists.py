"""Large lists are looked at a while at a time, once for all, and no further than the question goes."""

import asyncio
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings

from gateway.access.wants import Rows, Want, Window, want
from gateway.cache.rows import BLOCK, DecodedRows, PackedRows, packed
from gateway.cache.shelf import Entry
from gateway.cache.view import collection_key
from gateway.clever.allowance import Allowance
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import (
    DISTRICT_USERS,
    EVERYTHING,
    SCHOOL_USERS,
    SECTION_USERS,
    USER_CONTACTS,
    USERS,
    related_students,
)
from gateway.clever.records import School, Section, User
from tests.access.packed_district import (
    STUDENTS,
    TENANT,
    Counting,
    District,
    district,
    names,
    of_school,
    people,
    records,
    school,
    turns_during,
    unpacked,
)
from tests.access.scene import settle
from tests.access.test_paths import ids, questions, remembered


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("cursor", [None, 0, BLOCK - 1, BLOCK, 1_000, -1])
@pytest.mark.parametrize("limit", [0, 10, BLOCK, 10_000])
async def test_a_window_over_a_packed_collection_unpacks_what_it_touches(
    limit: int, cursor: int | None, backward: bool
) -> None:
    everybody = people()
    at = None if cursor is None else cursor % len(everybody)
    key = None if at is None else everybody[at]
    window = Window(limit, before=key, backward=True) if backward else Window(limit, after=key)
    expected = everybody[:at][::-1][:limit][::-1] if backward else everybody[0 if at is None else at + 1 :][:limit]
    async with district() as play:
        access, one = play.access(), want(DISTRICT_USERS, None, window)
        rows, turns = await turns_during(access.rows([one]))
        found = rows[one]
        assert isinstance(found, Rows)
        assert names(found) == expected
        touched = unpacked(access, play.entry)
        assert len(expected) // BLOCK <= touched <= len(expected) // BLOCK + 2
        assert turns >= touched - 1
        assert play.calls == []


async def test_sizes_are_told_without_unpacking() -> None:
    async with district() as play:
        access = play.access()
        wants = [want(DISTRICT_USERS, None, Window(10))]
        wants += [want(SCHOOL_USERS, one, Window(10), STUDENTS) for one in records("schools", School)]
        found = await access.totals(wants)
        sizes = [len(of_school(one, STUDENTS)) for one in records("schools", School)]
        assert [found[one] for one in wants] == [len(people()), *sizes]
        assert unpacked(access, play.entry) == 0
        assert play.calls == []


async def test_a_total_makes_nobody_unpack_more_than_the_window() -> None:
    async with district() as play:
        access = play.access()
        one = want(SCHOOL_USERS, school(), Window(2), STUDENTS, whole=True)
        rows, total = (await access.rows([one]))[one], (await access.totals([one]))[one]
        assert isinstance(rows, Rows)
        assert names(rows) == of_school(school(), STUDENTS)[:2]
        assert rows.has_next
        assert total == len(of_school(school(), STUDENTS))
        assert unpacked(access, play.entry) <= 3
        assert play.calls == []


@pytest.mark.parametrize("role", [None, "student"])
async def test_students_of_a_school_are_found_among_everybody_as_among_students(role: str | None) -> None:
    async with district(role) as play:
        one = want(SCHOOL_USERS, school(), Window(10_000), STUDENTS)
        backward = want(SCHOOL_USERS, school(), Window(4, before=people()[1_000], backward=True), STUDENTS)
        rows, last = await play.ask(one, backward)
        expected = of_school(school(), STUDENTS)
        assert names(rows) == expected
        assert names(last) == [key for key in expected if key < people()[1_000]][-4:]
        assert play.calls == []


async def test_others_have_their_turn_while_an_index_is_built() -> None:
    async with district() as play:
        assert isinstance(play.entry.rows, PackedRows)
        one = want(SCHOOL_USERS, school(), Window(10))
        found, turns = await turns_during(play.ask(one))
        assert [names(rows) for rows in found] == [of_school(school())[:10]]
        assert turns >= len(people()) // BLOCK
        assert list(play.entry.indexes) == [(SCHOOL_USERS, EVERYTHING)]
        found, turns = await turns_during(play.ask(one))
        assert [names(rows) for rows in found] == [of_school(school())[:10]]
        assert turns < len(people()) // BLOCK
        assert play.calls == []


async def test_others_have_their_turn_between_look_ups_that_unpack() -> None:
    async with district() as play:
        calls = [RecordCall(USERS, key) for key in people()[::BLOCK]]
        found, turns = await turns_during(play.access().records(calls))
        assert [getattr(found[call], "id", None) for call in calls] == people()[::BLOCK]
        assert turns >= len(calls) - 1
        assert play.calls == []


async def test_requests_at_the_same_time_build_an_index_once() -> None:
    counting = Counting()
    async with district() as play:
        wants = [want(counting.relation, one, Window(3)) for one in records("schools", School)]
        found = await asyncio.gather(*[play.ask(one) for one in wants], *[play.ask(*wants) for _ in range(3)])
        expected = [of_school(one)[:3] for one in records("schools", School)]
        assert [[names(rows) for rows in each] for each in found] == [*[[each] for each in expected], *[expected] * 3]
        assert counting.looked_at == len(people())
        assert play.calls == []


@pytest.mark.parametrize("hung_up", [True, False])
async def test_who_leaves_leaves_no_half_of_an_index(hung_up: bool) -> None:
    counting = Counting()
    one = want(counting.relation, school(), Window(3))
    async with district() as play:
        allowance = Allowance(60, 100)
        leaver = asyncio.create_task(play.access(allowance).rows([one]))
        await counting.begun.wait()
        if hung_up:
            allowance.abandon()
        leaver.cancel()
        await settle()
        assert leaver.cancelled()
        # Who has not hung up may ask again: what is begun is brought to its end.
        assert (counting.looked_at == len(people())) is not hung_up
        assert len(play.entry.indexes) == (not hung_up)
        [rows] = await play.ask(one)
        assert names(rows) == of_school(school())[:3]
        assert play.calls == []


async def test_one_who_leaves_does_not_take_the_index_from_another() -> None:
    counting = Counting()
    one = want(counting.relation, school(), Window(3))
    async with district() as play:
        allowance = Allowance(60, 100)
        leaver, stayer = asyncio.create_task(play.access(allowance).rows([one])), asyncio.create_task(play.ask(one))
        await counting.begun.wait()
        allowance.abandon()
        leaver.cancel()
        [rows] = await stayer
        assert names(rows) == of_school(school())[:3]
        assert counting.looked_at == len(people())


@pytest.mark.parametrize("dropped", [True, False])
async def test_a_collection_may_be_replaced_while_it_is_indexed(dropped: bool) -> None:
    counting = Counting()
    one = want(counting.relation, school(), Window(3))
    async with district() as play:
        before, newer = play.entry, replacement(play)
        asked = asyncio.create_task(play.ask(one))
        await counting.begun.wait()
        if dropped:
            play.shelf.drop(TENANT, play.users)
        else:
            play.shelf.put(TENANT, newer)
        [rows] = await asked
        assert names(rows) == of_school(school())[:3]
        assert counting.looked_at == len(people())
        assert not newer.indexes
        assert not before.standing.known
        assert play.shelf.bytes == sum(entry.bytes for entry in play.shelf.roster(TENANT).entries.values())
        if not dropped:
            [rows] = await play.ask(one)
            assert names(rows) == of_school(school())[1:4]
        assert play.calls == []


def replacement(play: District) -> Entry:
    """Return the same people without the first one of the school."""
    first = of_school(school())[0]
    rest = [user for user in play.entry.rows.open().records if user.id != first]
    return Entry(play.users, USERS, play.entry.at, packed(User, DecodedRows(tuple(rest))))


async def test_an_index_takes_the_bytes_that_the_shelf_counts() -> None:
    async with district() as play:
        before = play.shelf.bytes
        await play.ask(want(SCHOOL_USERS, school(), Window(3)), want(USER_CONTACTS, student(), Window(3)))
        assert play.shelf.bytes == before + play.entry.index_bytes == play.entry.bytes


async def test_what_a_part_of_the_people_tells_is_looked_over_in_turns() -> None:
    """Students alone are known, and sections name teachers, too: these are read, the students are not."""
    async with district("student") as play:
        # A look at what is known ends with the first who is not.
        all_sections: list[Section] = records("sections", Section)
        sections = [section for section in all_sections if section.students and section.teacher == min(named(section))]
        access, wants = play.access(), [want(SECTION_USERS, one, Window(100)) for one in sections]
        students = play.shelf.roster(TENANT).entries[collection_key(USERS, "student")]
        most = before = 0

        async def watch() -> None:
            nonlocal most, before
            while True:
                now = unpacked(access, students)
                most, before = max(most, now - before), now
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        rows = await access.rows(wants)
        watching.cancel()
        shared = set(people())
        for section, one in zip(sections, wants, strict=True):
            found = rows[one]
            assert isinstance(found, Rows)
            assert names(found) == sorted(named(section) & shared)
        assert before == len(students.rows) // BLOCK + 1
        assert most == 1
        assert {call.template for call in play.calls} == {"/users"}


async def test_a_list_that_the_planner_had_read_is_indexed_before_it_plans_on() -> None:
    async with district("student") as play:
        students = [user for user in records("users", User) if user.roles.student][:300]
        wants = [want(USER_CONTACTS, one, Window(10)) for one in students]
        with patch("gateway.cache.view.INDEXED_AT_ONCE", 0):
            found = await play.access(Allowance(60, 10)).rows(wants)
        expected = {one.id: [user.id for user in contacts_of(one)] for one in students}
        for one in wants:
            rows = found[one]
            assert isinstance(rows, Rows), rows
            assert names(rows) == expected[one.parent_id or ""][:10]
        assert {call.template for call in play.calls} == {"/users"}
        assert len(play.calls) == 2


async def test_a_total_is_that_of_the_rows_that_are_shown() -> None:
    """Who has come since everybody was read is not shown, though the students, read later, name them."""
    async with district("student") as play:
        students = play.shelf.roster(TENANT).entries[collection_key(USERS, "student")]
        users: list[User] = records("users", User)
        rest = tuple(user for user in users if user.id != of_school(school(), STUDENTS)[0])
        play.shelf.put(TENANT, Entry(play.users, USERS, students.at, packed(User, DecodedRows(rest))))
        access, one = play.access(), want(SCHOOL_USERS, school(), Window(10_000), STUDENTS)
        total, rows = (await access.totals([one]))[one], (await access.rows([one]))[one]
        assert isinstance(rows, Rows)
        assert names(rows) == of_school(school(), STUDENTS)[1:]
        assert total == len(rows.records)
        assert play.calls == []


def named(section: Section) -> set[str]:
    return {key for key in (*(section.students or ()), section.teacher, *(section.teachers or ())) if key}


def contacts_of(one: User) -> list[User]:
    return [user for user in records("users", User) if one.id in related_students(user, EVERYTHING)]


def student() -> User:
    users: list[User] = records("users", User)
    return next(user for user in users if user.roles.student)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(questions())
def test_however_short_the_slices_memory_gives_the_same_rows(question: tuple[int, list[Want]]) -> None:
    seed, wants = question
    with patch("gateway.cache.view.INDEXED_AT_ONCE", 0):
        (first, sizes, _, _), *later = asyncio.run(remembered(seed, wants, slice_s=0.0))
    for rows, totals, more, stale in later:
        assert more == 0 or stale
        assert totals == sizes
        assert [ids(rows[one]) for one in wants] == [ids(first[one]) for one in wants]


async def test_nothing_beyond_the_window_is_looked_for() -> None:
    """A row that is not known is read where the window needs it, and not where it does not."""
    async with district("student") as play:
        sections: list[Section] = records("sections", Section)
        shared = set(people())
        one = next(section for section in sections if section.teacher in sorted(named(section) & shared)[5:])
        before = sorted(named(one) & shared).index(one.teacher or "")
        for limit in range(before):
            [rows] = await play.ask(want(SECTION_USERS, one, Window(limit)))
            assert names(rows) == sorted(named(one) & shared)[:limit]
            assert play.calls == [], limit
        await play.ask(want(SECTION_USERS, one, Window(before)))
        assert len(play.calls) == 1
