"""One request's view: what it has used stays the same until its end, whatever becomes of it on the shelf."""

from gateway.cache.freshness import Age, Lifetimes
from gateway.cache.rows import DecodedRows, packed
from gateway.cache.shelf import Entry, Roster
from gateway.cache.view import View, collection_key
from gateway.clever.calls import ListCall, RecordCall
from gateway.clever.catalogue import EVERYTHING, SCHOOL_SECTIONS, SECTIONS, USERS
from gateway.clever.records import School, Section, User
from tests.resilience.roster import MATH, NORTH, STUDENTS, an_id

PAGE = ListCall(USERS, f"/sections/{MATH}/users")


def page(*keys: str, at: float = 0.0) -> Entry:
    return Entry(PAGE, USERS, at, DecodedRows(tuple(User(id=key) for key in keys)))


def view(roster: Roster, now: float = 0.0, worst: Age = Age.USABLE) -> View:
    return View(roster, Lifetimes(), now, worst=worst)


def test_what_was_used_stays_the_same() -> None:
    roster = Roster()
    roster.put(page(STUDENTS[0]))
    one = view(roster)
    used = one.held(PAGE)
    roster.put(page(STUDENTS[1]))
    assert one.held(PAGE) is used
    roster.remove(PAGE)
    assert one.held(PAGE) is used


def test_a_record_that_only_a_newer_page_has_is_not_taken_for_missing() -> None:
    roster = Roster()
    roster.put(page(STUDENTS[0]))
    one = view(roster)
    one.held(PAGE)
    roster.put(page(*STUDENTS[:2]))
    assert one.find(USERS, STUDENTS[1]) == (False, None)
    assert view(roster).find(USERS, STUDENTS[1])[0]


def test_what_is_known_to_be_missing_is_known_until_it_is_not_believed_any_more() -> None:
    roster = Roster()
    call = RecordCall(USERS, STUDENTS[0])
    roster.put(Entry(call, USERS, 0.0, missing=True))
    assert view(roster, 59).find(USERS, call.id) == (True, None)
    assert view(roster, 60).find(USERS, call.id) == (False, None)
    assert view(roster, 60, Age.SPARE).find(USERS, call.id) == (True, None)
    assert view(roster, 86_400, Age.SPARE).find(USERS, call.id) == (False, None)


def test_a_view_of_spares_shows_what_is_past_its_time() -> None:
    roster = Roster()
    roster.put(page(STUDENTS[0]))
    for now, shown, spare in ((0, True, True), (599, True, True), (600, False, True), (86_400, False, False)):
        assert (view(roster, now).held(PAGE) is not None) is shown
        assert (view(roster, now, Age.SPARE).held(PAGE) is not None) is spare


def test_an_index_over_packed_rows_is_that_over_decoded_ones() -> None:
    sections = [Section(id=an_id(6, n), school=(NORTH, an_id(2, n % 5))[n % 2]) for n in range(1, 700)]
    rows = DecodedRows(tuple(sections))
    key = collection_key(SECTIONS, None)
    found = []
    for held in (rows, packed(Section, rows)):
        roster = Roster()
        entry = Entry(key, SECTIONS, 0.0, held)
        roster.put(entry)
        known = [view(roster).ids(SCHOOL_SECTIONS, School(id=an_id(2, n)), EVERYTHING) for n in range(6)]
        found.append([list(ids or ()) for ids in known])
        assert entry.index_bytes > 0
        assert view(roster).find(SECTIONS, an_id(6, 5))[1] == rows.records[4]
    assert found[0] == found[1]
    assert found[0][1] == sorted(row.id for row in sections if row.school == NORTH)
