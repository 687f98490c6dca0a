"""Which way a batch of wants is loaded: the fewest calls."""

from collections.abc import Collection

from gateway.access.planner import Path, choose
from gateway.access.statistics import Statistics
from gateway.access.wants import Want, Window, want
from gateway.clever import catalogue, records
from gateway.clever.catalogue import USERS, Selection
from tests.access.memory import Memory

TEN = Window(10)


def key(number: int) -> str:
    return f"{number:024x}"


def section(number: int, *students: int) -> records.Section:
    return records.Section(id=key(number), students=tuple(map(key, students)))


def users_of(parent: records.Section, window: Window = TEN, role: str = "student", *, whole: bool = False) -> Want:
    return want(catalogue.SECTION_USERS, parent, window, Selection(role), whole=whole)


def paths(*wants: Want, known: Collection[int] = (), held: Collection[Want] = ()) -> list[Path]:
    memory = Memory()
    memory.keep(USERS, [records.User(id=key(number)) for number in known])
    for one in held:
        memory.hold(one.list_key)
    plan = choose(wants, memory, 1000, Statistics())
    assert (plan.sizes, plan.lists) == (set(), {}), "so few are read at once"
    return [plan.paths[one] for one in wants]


def test_an_edge_that_makes_no_sense_costs_nothing() -> None:
    contact = records.User(id=key(1), roles=records.Roles(contact=records.ContactRole()))
    assert paths(want(catalogue.USER_SECTIONS, contact, TEN)) == [Path.EMPTY]


def test_staff_have_no_primary_school() -> None:
    school = records.School(id=key(1))
    assert paths(want(catalogue.SCHOOL_USERS, school, TEN, Selection("staff", primary=True))) == [Path.EMPTY]
    assert paths(want(catalogue.SCHOOL_USERS, school, TEN, Selection("staff"))) == [Path.LINK]


def test_a_list_that_is_known_whole_is_not_read_again() -> None:
    one = users_of(section(1, 10, 11))
    assert paths(one, held=[one]) == [Path.HELD]


def test_a_relation_without_references_follows_its_link() -> None:
    assert paths(want(catalogue.SCHOOL_SECTIONS, records.School(id=key(1)), TEN)) == [Path.LINK]
    assert paths(want(catalogue.DISTRICT_USERS, None, TEN)) == [Path.LINK]


def test_one_reference_is_looked_up_as_it_costs_the_same_and_is_shared() -> None:
    assert paths(users_of(section(1, 10))) == [Path.REFERENCES]


def test_more_references_than_links_follow_the_links() -> None:
    assert paths(users_of(section(1, 10, 11))) == [Path.LINK]


def test_references_that_are_known_cost_nothing() -> None:
    assert paths(users_of(section(1, 10, 11, 12)), known=[10, 11, 12]) == [Path.REFERENCES]
    assert paths(users_of(section(1, 10, 11, 12)), known=[10, 11]) == [Path.REFERENCES]
    assert paths(users_of(section(1, 10, 11, 12)), known=[10]) == [Path.LINK]


def test_no_references_are_an_empty_list_without_a_call() -> None:
    assert paths(users_of(section(1))) == [Path.REFERENCES]


def test_parents_that_share_references_look_them_up() -> None:
    shared = [users_of(section(number, 10, 11)) for number in (1, 2, 3)]
    assert paths(*shared) == [Path.REFERENCES] * 3
    assert paths(*shared[:1]) == [Path.LINK]


def test_parents_whose_references_are_known_do_not_count_as_links() -> None:
    both = [users_of(section(1, 10, 11)), users_of(section(2, 20, 21))]
    assert paths(*both, known=[10, 11]) == [Path.REFERENCES, Path.LINK]


def test_only_what_the_window_needs_is_counted_and_one_row_beyond_it() -> None:
    long = section(1, *range(10, 40))
    assert paths(users_of(long, Window(0))) == [Path.REFERENCES]
    assert paths(users_of(long, Window(1))) == [Path.LINK]
    assert paths(users_of(long, Window(2)), known=[10, 11]) == [Path.REFERENCES]
    assert paths(users_of(long, Window(2, after=key(38)))) == [Path.REFERENCES]
    assert paths(users_of(long, Window(2, before=key(11), backward=True))) == [Path.REFERENCES]


def test_a_whole_list_needs_all_references() -> None:
    long = section(1, *range(10, 40))
    assert paths(users_of(long, Window(0), whole=True)) == [Path.LINK]
    assert paths(users_of(long, Window(0), whole=True), known=range(10, 40)) == [Path.REFERENCES]


def test_references_that_are_no_ids_are_not_counted() -> None:
    odd = records.Section(id=key(1), students=("../me", "x&limit=1", "", key(10)))
    assert paths(users_of(odd)) == [Path.REFERENCES]


def test_every_relation_is_chosen_for_by_itself() -> None:
    teacher = records.User(id=key(5), roles=records.Roles(teacher=records.TeacherRole(school=key(6), schools=())))
    assert paths(users_of(section(1, 10, 11)), want(catalogue.USER_SCHOOLS, teacher, TEN)) == [
        Path.LINK,
        Path.REFERENCES,
    ]


def test_a_contact_names_its_students_and_a_teacher_does_not() -> None:
    ties = (records.StudentRelationship(student=key(10)),)
    contact = records.User(id=key(5), roles=records.Roles(contact=records.ContactRole(student_relationships=ties)))
    teacher = records.User(id=key(6), roles=records.Roles(teacher=records.TeacherRole()))
    assert paths(want(catalogue.USER_STUDENTS, contact, TEN)) == [Path.REFERENCES]
    assert paths(want(catalogue.USER_STUDENTS, teacher, TEN)) == [Path.LINK]
