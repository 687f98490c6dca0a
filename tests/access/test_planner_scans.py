"""When a batch is large, what it wants may come cheaper from a whole collection or from the lists of its schools."""

from gateway.access.planner import Path, Plan, choose, choose_look_ups
from gateway.access.statistics import Statistics
from gateway.access.wants import Want, Window, want
from gateway.cache.view import collection_key
from gateway.clever import catalogue, records
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import SCHOOL_USERS, SCHOOLS, SECTIONS, USERS, Selection
from tests.access.memory import Memory

PAGE = Window(100)
STUDENT = Selection("student")
STUDENTS, ALL_SECTIONS = collection_key(USERS, "student"), collection_key(SECTIONS, None)


def key(number: int) -> str:
    return f"{number:024x}"


def section(number: int, school: int = 1, students: int = 25) -> records.Section:
    return records.Section(
        id=key(number), school=key(school), students=tuple(key(1000 * number + one) for one in range(students))
    )


def rosters(count: int, schools: int = 1, students: int = 25) -> list[Want]:
    return [
        want(catalogue.SECTION_USERS, section(number, 1 + number % schools, students), PAGE, STUDENT)
        for number in range(1, count + 1)
    ]


def memory_with(**sizes: int | None) -> Memory:
    memory = Memory()
    named = {"students": (USERS, "student"), "sections": (SECTIONS, None), "users": (USERS, None)}
    for name, size in sizes.items():
        memory.size_is(*named[name], size)
    return memory


def plan(wants: list[Want], memory: Memory, calls_left: int = 1200, statistics: Statistics | None = None) -> Plan:
    return choose(wants, memory, calls_left, statistics or Statistics())


def look_ups(calls: list[RecordCall], memory: Memory) -> Plan:
    return choose_look_ups(calls, memory, 1200, Statistics())


def asks_nothing(plan: Plan) -> bool:
    return not plan.sizes and not plan.lists


def test_a_few_parents_never_ask_for_a_size_nor_scan() -> None:
    made = plan(rosters(4), memory_with())
    assert (made.sizes, made.lists) == (set(), {})
    assert set(made.paths.values()) == {Path.LINK}


def test_many_parents_ask_for_the_size_of_what_a_scan_would_read() -> None:
    assert plan(rosters(60), memory_with()).sizes == {(USERS, "student")}


def test_a_small_collection_is_read_instead_of_many_links() -> None:
    made = plan(rosters(60, schools=40), memory_with(students=2_000))
    assert (made.sizes, set(made.lists)) == (set(), {STUDENTS})


def test_a_large_collection_is_not_read_for_a_few_classes() -> None:
    made = plan(rosters(10, schools=10), memory_with(students=500_000))
    assert made.lists.keys() == set()
    assert set(made.paths.values()) == {Path.LINK}


def test_the_classes_of_one_school_read_its_list() -> None:
    made = plan(rosters(60), memory_with(students=20_000))
    assert made.lists.keys() == {(SCHOOL_USERS, key(1), STUDENT)}


def test_a_size_that_clever_does_not_tell_leaves_links_and_school_lists() -> None:
    assert plan(rosters(10, schools=10), memory_with(students=None)).lists.keys() == set()
    assert plan(rosters(60), memory_with(students=None)).lists.keys() == {(SCHOOL_USERS, key(1), STUDENT)}


def test_what_was_refused_is_not_asked_again() -> None:
    memory = memory_with(students=2_000)
    memory.refused |= {STUDENTS, (SCHOOL_USERS, key(1), STUDENT)}
    made = plan(rosters(60), memory)
    assert (made.sizes, made.lists) == (set(), {})
    assert set(made.paths.values()) == {Path.LINK}


def test_when_every_section_asks_no_size_is_needed() -> None:
    """All classes together name nearly all students."""
    wants = rosters(60, schools=60)
    memory = memory_with()
    memory.hold(ALL_SECTIONS, tuple(one.parent for one in wants if one.parent))
    assert (plan(wants, memory).sizes, set(plan(wants, memory).lists)) == (set(), {STUDENTS})


def test_where_every_school_asks_its_sections_are_read_at_once_but_its_courses_are_not() -> None:
    """A section names its course; who has read all sections has read no course yet."""
    schools = [records.School(id=key(number)) for number in (1, 2)]
    memory = Memory()
    memory.hold(collection_key(SCHOOLS, None), schools)
    sections = [want(catalogue.SCHOOL_SECTIONS, school, PAGE) for school in schools]
    courses = [want(catalogue.SCHOOL_COURSES, school, PAGE) for school in schools]

    assert set(choose(sections, memory, 100, Statistics()).lists) == {ALL_SECTIONS}
    assert choose(courses, memory, 100, Statistics()).lists == {}


def test_the_fewer_calls_are_left_the_more_bytes_a_call_is_worth() -> None:
    wants, memory = rosters(60, schools=60, students=5), memory_with(students=50_000)
    assert plan(wants, memory, calls_left=1200).lists.keys() == set()
    assert plan(wants, memory, calls_left=70).lists.keys() == {STUDENTS}


def test_a_scan_beyond_the_calls_left_is_not_begun() -> None:
    memory = memory_with(students=90_000)
    memory.refused.add((SCHOOL_USERS, key(1), STUDENT))
    assert plan(rosters(10), memory, calls_left=8).lists.keys() == set()


def test_relations_without_ids_are_found_in_the_collection_that_shows_them() -> None:
    pupils = [records.User(id=key(n), roles=records.Roles(student=records.StudentRole())) for n in range(30)]
    for relation in (catalogue.USER_SECTIONS, catalogue.USER_TEACHERS):
        wants = [want(relation, pupil, PAGE) for pupil in pupils]
        assert plan(wants, memory_with()).sizes == {(SECTIONS, None)}
        assert plan(wants, memory_with(sections=400)).lists.keys() == {ALL_SECTIONS}
        assert plan(wants, memory_with(sections=200_000)).lists.keys() == set()


def test_an_empty_collection_is_a_size_like_any_other() -> None:
    pupils = [records.User(id=key(n), roles=records.Roles(student=records.StudentRole())) for n in range(30)]
    wants = [want(catalogue.USER_CONTACTS, pupil, PAGE) for pupil in pupils]
    memory = memory_with()
    memory.size_is(USERS, "contact", 0)
    assert plan(wants, memory).lists.keys() == {collection_key(USERS, "contact")}
    memory.hold(collection_key(USERS, "contact"), ())
    assert set(plan(wants, memory).paths.values()) == {Path.REFERENCES}


def test_with_no_call_left_what_costs_none_is_still_planned() -> None:
    wants = rosters(3, students=0)
    assert set(plan(wants, memory_with(), calls_left=0).paths.values()) == {Path.REFERENCES}
    assert set(plan(rosters(3), memory_with(), calls_left=0).paths.values()) == {Path.LINK}


def test_licensed_resources_have_no_other_way_than_their_links() -> None:
    wants = [want(catalogue.SECTION_RESOURCES, section(number), PAGE) for number in range(60)]
    made = plan(wants, memory_with())
    assert (made.sizes, made.lists) == (set(), {})
    assert set(made.paths.values()) == {Path.LINK}


def test_rows_of_a_collection_that_was_read_cost_nothing_and_strangers_are_no_rows() -> None:
    wants = rosters(60)
    memory = memory_with()
    memory.hold(STUDENTS, ())
    made = plan(wants, memory)
    assert (made.sizes, made.lists) == (set(), {})
    assert set(made.paths.values()) == {Path.REFERENCES}


def test_many_look_ups_read_the_collection_and_few_do_not() -> None:
    some = [RecordCall(USERS, key(number)) for number in range(450)]
    assert asks_nothing(look_ups(some[:4], memory_with()))
    assert look_ups(some, memory_with()).sizes == {(USERS, None)}
    assert look_ups(some, memory_with(users=640)).lists.keys() == {collection_key(USERS, None)}
    assert asks_nothing(look_ups(some[:20], memory_with(users=500_000)))


def test_look_ups_of_one_role_read_only_that_part() -> None:
    some = [RecordCall(USERS, key(number), "student") for number in range(60)]
    assert look_ups(some, memory_with(students=600)).lists.keys() == {STUDENTS}


def test_districts_are_only_ever_looked_up() -> None:
    some = [RecordCall(catalogue.DISTRICTS, key(number)) for number in range(20)]
    assert asks_nothing(look_ups(some, memory_with()))


def test_what_is_no_id_is_not_counted() -> None:
    some = [RecordCall(SCHOOLS, f"../{number}") for number in range(20)]
    assert asks_nothing(look_ups(some, memory_with()))
