"""What Access makes of a batch of wants, and the calls it sends for it, over a scripted upstream."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.access.executor import Access
from gateway.access.source import Source
from gateway.access.wants import Rows, Want, Window, want
from gateway.clever import catalogue
from gateway.clever.allowance import Allowance
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import COURSES, SCHOOLS, SECTIONS, USERS, Selection
from gateway.clever.client import CleverClient
from gateway.clever.decode import tolerant
from gateway.clever.records import Record, School, Section
from gateway.errors import (
    Forbidden,
    QueryTooComplex,
    Unauthenticated,
    UpstreamInvalidResponse,
    UpstreamUnavailable,
)
from gateway.identity import Tenant
from tests.resilience.faulty import Fault, Faulty, Reply, edited, html, listing, says, slow, status
from tests.resilience.fixtures import QUICK, connect
from tests.resilience.roster import ALGEBRA, ART, CONTACT, MATH, NORTH, SOUTH, STUDENTS, TEACHERS, an_id, roster, stray

SCHOOL = School(id=NORTH)
SCHOOL_USERS_PATH = f"/schools/{NORTH}/users"
CLASS_PATH = f"/sections/{MATH}/users"
STUDENT = Selection("student")


@pytest.fixture
async def client(faulty: Faulty) -> AsyncIterator[CleverClient]:
    async with connect(faulty) as client:
        yield client


@pytest.fixture
async def access(client: CleverClient) -> Access:
    return access_of(client)


def access_of(client: CleverClient, calls: int = 100) -> Access:
    return Access(Source(client), Tenant("a-token"), Allowance(10, calls))


def section(key: str = MATH) -> Section:
    found: Section = tolerant(Section, roster()["sections"][key])
    return found


def students(limit: int, **window: Any) -> Want:
    return want(catalogue.SCHOOL_USERS, SCHOOL, Window(limit, **window), STUDENT)


def shown(rows: object) -> tuple[list[str], bool, bool]:
    assert isinstance(rows, Rows), rows
    return [record.id for record in rows.records], rows.has_next, rows.has_previous


async def load(access: Access, one: Want) -> Any:
    return (await access.rows([one]))[one]


# Records


async def test_records_are_looked_up_and_what_is_not_shown_is_none(faulty: Faulty, access: Access) -> None:
    there, gone = RecordCall(SCHOOLS, NORTH), RecordCall(SCHOOLS, "0" * 24)
    found = await access.records([there, gone])
    assert isinstance(found[there], School)
    assert found[gone] is None


async def test_the_same_record_is_fetched_once(faulty: Faulty, access: Access) -> None:
    call = RecordCall(SCHOOLS, NORTH)
    await asyncio.gather(access.records([call]), access.records([call]))
    await access.records([call])
    assert faulty.targets == [f"/schools/{NORTH}"]


async def test_a_missing_record_is_asked_for_once(faulty: Faulty, access: Access) -> None:
    call = RecordCall(SCHOOLS, "0" * 24)
    for _ in range(2):
        assert (await access.records([call]))[call] is None
    assert len(faulty.asked) == 1


async def test_a_record_that_a_page_brought_is_not_looked_up(faulty: Faulty, access: Access) -> None:
    await load(access, students(10))
    call = RecordCall(USERS, STUDENTS[0])
    found = (await access.records([call]))[call]
    assert isinstance(found, Record)
    assert found.id == STUDENTS[0]
    assert len(faulty.asked) == 1


async def test_a_failed_look_up_is_the_result_of_its_own_key_and_is_not_repeated(
    faulty: Faulty, access: Access
) -> None:
    faulty.always(f"/schools/{NORTH}", status(500))
    broken, sound = RecordCall(SCHOOLS, NORTH), RecordCall(SCHOOLS, SOUTH)
    for _ in range(2):
        found = await access.records([broken, sound])
        assert isinstance(found[broken], UpstreamUnavailable)
        assert isinstance(found[sound], School)
    assert sorted(faulty.targets) == [f"/schools/{NORTH}"] * 3 + [f"/schools/{SOUTH}"]


@pytest.mark.parametrize("key", ["", "../me", "x&limit=1", "last", NORTH.upper() + "?", "%2e%2e"])
async def test_what_is_no_id_never_reaches_a_path(faulty: Faulty, access: Access, key: str) -> None:
    call = RecordCall(SCHOOLS, key)
    assert (await access.records([call]))[call] is None
    assert faulty.asked == []


async def test_one_cancelled_waiter_does_not_stop_the_look_up_of_another(faulty: Faulty, access: Access) -> None:
    faulty.always(f"/schools/{NORTH}", slow(0.1))
    call = RecordCall(SCHOOLS, NORTH)
    first, second = (asyncio.create_task(access.records([call])) for _ in range(2))
    await asyncio.sleep(0.03)
    first.cancel()
    assert isinstance((await second)[call], School)
    assert len(faulty.asked) == 1


# Rows


async def test_a_failing_want_fails_alone(faulty: Faulty, access: Access) -> None:
    faulty.always(CLASS_PATH, status(401))
    wants = [want(catalogue.SECTION_USERS, section(key), Window(3)) for key in (MATH, ART)]
    found = await access.rows(wants)
    assert isinstance(found[wants[0]], Unauthenticated)
    assert shown(found[wants[1]])[0] == STUDENTS[2:5]


async def test_a_list_that_was_read_to_its_end_costs_no_further_call(faulty: Faulty, access: Access) -> None:
    await load(access, students(10))
    assert shown(await load(access, students(2))) == (STUDENTS[:2], True, False)
    assert shown(await load(access, students(2, after=STUDENTS[1]))) == (STUDENTS[2:4], True, True)
    assert shown(await load(access, students(2, backward=True))) == (STUDENTS[-2:], False, True)
    totals = await access.totals([students(1)])
    assert list(totals.values()) == [6]
    assert len(faulty.asked) == 1


async def test_a_page_within_a_list_is_not_taken_for_the_list(faulty: Faulty, access: Access) -> None:
    await load(access, students(2))
    await load(access, students(10, after=STUDENTS[3]))
    assert shown(await load(access, students(4)))[0] == STUDENTS[:4]
    assert len(faulty.asked) == 3


async def test_an_edge_that_makes_no_sense_costs_no_call(faulty: Faulty, access: Access) -> None:
    one = want(catalogue.SCHOOL_USERS, SCHOOL, Window(5), Selection("staff", primary=True))
    assert shown(await load(access, one)) == ([], False, False)
    assert (await access.totals([one]))[one] == 0
    assert faulty.asked == []


async def test_a_link_of_a_record_that_is_gone_is_empty_and_a_collection_that_is_not_shown_is_an_error(
    faulty: Faulty, access: Access
) -> None:
    gone = want(catalogue.SCHOOL_SECTIONS, School(id="0" * 24), Window(5))
    assert shown(await load(access, gone)) == ([], False, False)
    assert (await access.totals([gone]))[gone] == 0
    faulty.always("/users", html(404))
    hidden = want(catalogue.DISTRICT_USERS, None, Window(5))
    assert isinstance(await load(access, hidden), Forbidden)
    assert isinstance((await access.totals([hidden]))[hidden], Forbidden)


async def test_a_page_that_look_ups_do_not_fill_is_read_by_its_link(faulty: Faulty, access: Access) -> None:
    del faulty.records["users"][STUDENTS[1]]
    await access.records([RecordCall(USERS, STUDENTS[0])])
    one = want(catalogue.SECTION_USERS, section(), Window(1), STUDENT)
    assert shown(await load(access, one)) == (STUDENTS[:1], True, False)
    link = f"/sections/{MATH}/users?role=student&limit=1"
    assert faulty.targets == [f"/users/{STUDENTS[0]}", f"/users/{STUDENTS[1]}", link]


async def test_references_that_are_no_ids_never_reach_a_path(faulty: Faulty, access: Access) -> None:
    odd = Section(id=MATH, students=("../me", "x&limit=1", STUDENTS[0], "last", ""))
    one = want(catalogue.SECTION_USERS, odd, Window(5), STUDENT)
    assert shown(await load(access, one)) == (STUDENTS[:1], False, False)
    assert faulty.targets == [f"/users/{STUDENTS[0]}"]


# Pages of an upstream that does not keep to the rules


async def test_strangers_are_left_out_and_the_page_is_filled_up(faulty: Faulty, access: Access) -> None:
    for key in (STUDENTS[0], STUDENTS[2], STUDENTS[3]):
        stray(faulty.records["users"][key])
    assert shown(await load(access, students(2))) == ([STUDENTS[1], STUDENTS[4]], True, False)
    assert len(faulty.asked) == 3


async def test_strangers_at_the_end_are_no_further_page(faulty: Faulty, access: Access) -> None:
    for key in (STUDENTS[0], STUDENTS[2], STUDENTS[5]):
        stray(faulty.records["users"][key])
    assert shown(await load(access, students(3))) == ([STUDENTS[1], STUDENTS[3], STUDENTS[4]], False, False)


async def test_strangers_are_left_out_backward_too(faulty: Faulty, access: Access) -> None:
    for key in (STUDENTS[5], STUDENTS[3]):
        stray(faulty.records["users"][key])
    assert shown(await load(access, students(2, backward=True))) == ([STUDENTS[2], STUDENTS[4]], False, True)
    whole = students(1)
    assert (await access.totals([whole]))[whole] == 4


async def test_pages_that_are_short_or_empty_are_no_end(faulty: Faulty, access: Access) -> None:
    path, users = f"/v3.1{SCHOOL_USERS_PATH}", faulty.records["users"]
    faulty.on(SCHOOL_USERS_PATH, says(listing(path, [users[STUDENTS[0]]], next=STUDENTS[0])))
    faulty.on(SCHOOL_USERS_PATH, says(listing(path, [], next=STUDENTS[1])))
    assert shown(await load(access, students(3)))[0] == [STUDENTS[0], *STUDENTS[2:5]][:3]
    assert [target.partition("starting_after=")[2] for target in faulty.targets] == ["", *STUDENTS[:2]]


async def test_pages_that_overlap_bring_no_row_twice(faulty: Faulty, access: Access) -> None:
    path, users = f"/v3.1{SCHOOL_USERS_PATH}", faulty.records["users"]
    first = [users[key] for key in (STUDENTS[2], STUDENTS[0], STUDENTS[1])]
    faulty.on(SCHOOL_USERS_PATH, says(listing(path, first, next=STUDENTS[1])))
    assert shown(await load(access, students(10))) == (STUDENTS, False, False)


async def test_rows_in_front_of_the_cursor_are_left_out(faulty: Faulty, access: Access) -> None:
    everything = listing(f"/v3.1{SCHOOL_USERS_PATH}", [faulty.records["users"][key] for key in STUDENTS])
    faulty.always(SCHOOL_USERS_PATH, says(everything))
    assert shown(await load(access, students(2, after=STUDENTS[1]))) == (STUDENTS[2:4], True, True)
    assert shown(await load(access, students(2, before=STUDENTS[2], backward=True))) == (STUDENTS[:2], True, False)


async def test_pages_in_a_circle_are_an_error_after_a_few_calls(faulty: Faulty, access: Access) -> None:
    faulty.always(SCHOOL_USERS_PATH, says(listing(f"/v3.1{SCHOOL_USERS_PATH}", [], next=STUDENTS[1])))
    assert isinstance(await load(access, students(5)), UpstreamInvalidResponse)
    assert len(faulty.asked) == 1 + QUICK.tries


def endless() -> Fault:
    """Answer with an empty page that leads on, for ever."""
    pages = iter(range(1, 10_000))
    return lambda sound: says(listing(f"/v3.1{SCHOOL_USERS_PATH}", [], next=an_id(7, next(pages))))(sound)


async def test_pages_without_end_stop_at_the_allowance(faulty: Faulty, client: CleverClient) -> None:
    faulty.always(SCHOOL_USERS_PATH, endless())
    access = access_of(client, calls=3)
    assert isinstance(await load(access, students(5)), QueryTooComplex)
    assert len(faulty.asked) == 3
    assert (await access.totals([students(5)]))[students(5)] is None


async def test_malformed_ids_of_a_page_are_left_out(faulty: Faulty, access: Access) -> None:
    def spoil(body: Any) -> None:
        for element, key in zip(body["data"], ["x&limit=1", "../me", None], strict=False):
            element["data"]["id"] = key

    faulty.on(SCHOOL_USERS_PATH, edited(spoil))
    assert shown(await load(access, students(10)))[0] == STUDENTS[3:]


# Totals and lists that are wanted whole


async def test_collections_are_counted_by_clever_and_once_for_all_windows(faulty: Faulty, access: Access) -> None:
    wants = [want(catalogue.DISTRICT_USERS, None, Window(limit), STUDENT) for limit in (1, 2, 3)]
    assert list((await access.totals(wants)).values()) == [6, 6, 6]
    await access.totals(wants)
    assert faulty.targets == ["/users?count=true&role=student"]


async def test_a_list_that_several_want_whole_is_read_once(faulty: Faulty, access: Access) -> None:
    wants = [want(catalogue.SCHOOL_USERS, SCHOOL, Window(limit), STUDENT, whole=True) for limit in (1, 2)]
    found, totals = await asyncio.gather(access.rows(wants), access.totals(wants))
    assert [shown(rows)[0] for rows in found.values()] == [STUDENTS[:1], STUDENTS[:2]]
    assert list(totals.values()) == [6, 6]
    assert faulty.targets == [f"{SCHOOL_USERS_PATH}?role=student&limit=10000"]


async def test_a_total_beyond_the_allowance_is_null_and_other_failures_are_errors(
    faulty: Faulty, client: CleverClient
) -> None:
    counted, listed = want(catalogue.DISTRICT_USERS, None, Window(1)), students(1)
    spent = access_of(client, calls=0)
    assert list((await spent.totals([counted, listed])).values()) == [None, None]
    faulty.always("/users", status(500))
    faulty.always(SCHOOL_USERS_PATH, status(401))
    found = await access_of(client).totals([counted, listed])
    assert isinstance(found[counted], UpstreamUnavailable)
    assert isinstance(found[listed], Unauthenticated)


async def test_a_list_of_references_is_known_whole_once_all_are_looked_up(faulty: Faulty, access: Access) -> None:
    await access.records([RecordCall(USERS, key) for key in (*STUDENTS[:4], *TEACHERS)])
    calls = len(faulty.asked)
    one = want(catalogue.SECTION_USERS, section(), Window(2), whole=True)
    assert shown(await load(access, one)) == (STUDENTS[:2], True, False)
    assert (await access.totals([one]))[one] == 6
    assert len(faulty.asked) == calls


async def test_what_one_request_knows_another_does_not(faulty: Faulty, client: CleverClient) -> None:
    call = RecordCall(COURSES, ALGEBRA)
    for _ in range(2):
        await access_of(client).records([call])
    assert len(faulty.asked) == 2


async def test_work_cancelled_from_outside_does_not_hang(faulty: Faulty, access: Access) -> None:
    faulty.always(f"/sections/{MATH}", lambda sound: Reply(sound.status, sound.body, sound.headers, after_s=5))
    task = asyncio.create_task(access.records([RecordCall(SECTIONS, MATH), RecordCall(USERS, CONTACT)]))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)
