"""Windows over whole lists, against a naive model."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from gateway.access.wants import Rows, Window, candidates, counted, cut, want
from gateway.clever import catalogue
from gateway.clever.catalogue import Selection
from gateway.clever.records import Course, School, Section
from tests.access.memory import Memory

KEYS = st.integers(0, 40).map(lambda number: f"{number:024x}")
LISTS = st.sets(KEYS, max_size=20).map(sorted)
CURSORS = st.none() | KEYS


@dataclass(frozen=True)
class Model:
    """A list and a page of it, found by looking at each row."""

    keys: list[str]
    window: Window

    @property
    def in_reach(self) -> list[str]:
        after, before = self.window.after or "", self.window.before or "g"
        return [key for key in self.keys if after < key < before]

    @property
    def rows(self) -> list[str]:
        found = list(self.in_reach)
        while len(found) > self.window.limit:
            found.pop(0 if self.window.backward else -1)
        return found


@st.composite
def windows(draw: st.DrawFn) -> Window:
    limit = draw(st.integers(0, 25))
    cursor = draw(CURSORS)
    if draw(st.booleans()):
        return Window(limit, before=cursor, backward=True)
    return Window(limit, after=cursor)


def records(keys: list[str]) -> list[Course]:
    return [Course(id=key) for key in keys]


def ids(rows: Rows) -> list[str]:
    return [record.id for record in rows.records]


@given(LISTS, windows())
def test_a_window_cuts_the_rows_next_to_its_cursor(keys: list[str], window: Window) -> None:
    assert ids(cut(records(keys), window)) == Model(keys, window).rows


@given(LISTS, windows())
def test_a_window_knows_whether_the_list_goes_on(keys: list[str], window: Window) -> None:
    rows = cut(records(keys), window)
    beyond = len(Model(keys, window).in_reach) > window.limit
    if window.backward:
        assert (rows.has_previous, rows.has_next) == (beyond, window.before is not None)
    else:
        assert (rows.has_next, rows.has_previous) == (beyond, window.after is not None)


@given(LISTS, st.integers(1, 7))
def test_windows_that_follow_one_another_walk_the_whole_list_once(keys: list[str], limit: int) -> None:
    seen: list[str] = []
    rows = cut(records(keys), Window(limit))
    seen += ids(rows)
    while rows.has_next:
        rows = cut(records(keys), Window(limit, after=seen[-1]))
        seen += ids(rows)
    assert seen == keys


@given(LISTS, st.integers(1, 7))
def test_windows_that_go_back_walk_the_whole_list_once(keys: list[str], limit: int) -> None:
    rows = cut(records(keys), Window(limit, backward=True))
    seen = ids(rows)
    while rows.has_previous:
        rows = cut(records(keys), Window(limit, before=seen[0], backward=True))
        seen = ids(rows) + seen
    assert seen == keys


@given(LISTS, windows())
def test_candidates_are_taken_outward_from_the_cursor(keys: list[str], window: Window) -> None:
    in_reach = Model(keys, window).in_reach
    assert list(candidates(keys, window)) == (in_reach[::-1] if window.backward else in_reach)


@given(LISTS, windows(), st.sets(KEYS))
def test_a_window_filled_from_candidates_is_the_window_over_the_rows_that_are_there(
    keys: list[str], window: Window, missing: set[str]
) -> None:
    there = [key for key in keys if key not in missing]
    found: list[str] = []
    for key in candidates(keys, window):
        if key in there and len(found) <= window.limit:
            found.append(key)
    assert cut(records(sorted(found)), window) == cut(records(there), window)


def test_a_want_of_a_collection_has_no_parent() -> None:
    one = want(catalogue.DISTRICT_USERS, School(id="a" * 24), Window(1))
    assert (one.parent_id, one.parent) == (None, None)


def test_wants_are_equal_whatever_the_parents_record_holds() -> None:
    parents = [Section(id="a" * 24, name=name) for name in ("Maths", "Physics")]
    one, other = (want(catalogue.SECTION_USERS, parent, Window(1)) for parent in parents)
    assert one == other
    assert len({one, other}) == 1
    assert "Maths" not in repr(one)


def test_wants_differ_by_window_selection_and_parent() -> None:
    parents = [Section(id="a" * 24), Section(id="b" * 24)]
    wants = {
        want(catalogue.SECTION_USERS, parent, Window(limit), Selection(role))
        for parent in parents
        for limit in (1, 2)
        for role in (None, "student")
    }
    assert len(wants) == 8


def test_a_list_is_read_whole_for_its_total_only_where_clever_does_not_count_it() -> None:
    section = Section(id="a" * 24)
    assert want(catalogue.SECTION_USERS, section, Window(1), whole=True).whole
    assert want(catalogue.DISTRICT_RESOURCES, None, Window(1), whole=True).whole
    assert not want(catalogue.DISTRICT_USERS, None, Window(1), whole=True).whole


def test_only_whole_collections_are_counted_by_clever_and_resources_are_not() -> None:
    found = {relation.name for relation in catalogue.RELATIONS if counted(relation)}
    assert found == {"districts", "schools", "sections", "users", "courses", "terms"}


def test_references_are_ascending_without_repeats_and_without_gaps() -> None:
    ids = Memory().ids
    section = Section(id="a" * 24, students=("c", "b", ""), teacher="d", teachers=("d", "b"))
    assert ids(catalogue.SECTION_USERS, section, Selection()) == ["b", "c", "d"]
    assert ids(catalogue.SECTION_USERS, section, Selection("teacher")) == ["b", "d"]
    assert ids(catalogue.SECTION_USERS, section, Selection("student")) == ["b", "c"]
    assert ids(catalogue.SECTION_RESOURCES, section, Selection()) is None
