"""What the Data API holds and how each edge of the roster can be read: one row per resource, one per relation.

A reader asks "which REST calls can this field make?" and reads one row. Loading is generic over these rows.
Sources: Clever's swagger files (paths, parameters); https://dev.clever.com/docs/data-model (what an edge means).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.clever import records
from gateway.clever.records import Record, School, Section, User

STUDENT, TEACHER, STAFF, CONTACT = "student", "teacher", "staff", "contact"
DISTRICT_ADMIN = "district_admin"
ROLES = (STUDENT, TEACHER, STAFF, CONTACT, DISTRICT_ADMIN)
SCHOOL_ROLES = (STAFF, STUDENT, TEACHER)


@dataclass(frozen=True, eq=False, slots=True)
class Resource:
    """A collection of the Data API, at `path` and `path/{id}`; `counts` where it takes `count=true`."""

    name: str
    record: type[Record]
    counts: bool = True

    @property
    def path(self) -> str:
        """Return the collection's path without the version, such as `/users`."""
        return f"/{self.name}"


DISTRICTS = Resource("districts", records.District)
SCHOOLS = Resource("schools", records.School)
SECTIONS = Resource("sections", records.Section)
USERS = Resource("users", records.User)
COURSES = Resource("courses", records.Course)
TERMS = Resource("terms", records.Term)
RESOURCES = Resource("resources", records.Resource, counts=False)

ALL = (DISTRICTS, SCHOOLS, SECTIONS, USERS, COURSES, TERMS, RESOURCES)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a relation are asked for: those of one role, those for whom a school is the primary one."""

    role: str | None = None
    primary: bool = False


EVERYTHING = Selection()


@dataclass(frozen=True, eq=False, slots=True)
class Scan:
    """A relation worked out from a whole collection instead of followed from each parent.

    Of the collection (of users with the role that `role` gives, if any), `by` names the parents that a row belongs
    to and `to` the rows of the relation that it leads to. `covers`: parents for which that is the whole relation.
    """

    of: Resource
    by: Callable[[Any, Selection], Iterable[str | None]]
    to: Callable[[Any], Iterable[str | None]] = lambda row: (row.id,)
    role: Callable[[Selection], str | None] = lambda _selection: None
    covers: Callable[[Any], bool] = lambda _parent: True


def _no_references(_parent: Any, _selection: Selection) -> None:
    return None


def _always(_parent: Any, _selection: Selection) -> bool:
    return True


@dataclass(frozen=True, eq=False, slots=True)
class Relation:
    """An edge from one record, or from the district as a whole, to many records, with every plain way to load it.

    `link`: the relative link, one call per parent and page. `references`: the ids where the parent's own record
    lists them (the same rows as the link's, less those that Clever does not share), else None. `applies`: False
    where the edge makes no sense for this parent, which is then empty without a call. `keeps`: which rows belong
    to the selection whatever the upstream sent. `scan`: how to find the rows in a whole collection.
    `role_of_rows`: the role that all rows hold, where the selection names none.
    """

    name: str
    rows: Resource
    link: str
    takes_role: bool = False
    takes_primary: bool = False
    paged: bool = True
    references: Callable[[Any, Selection], Iterable[str | None] | None] = _no_references
    applies: Callable[[Any, Selection], bool] = _always
    keeps: Callable[[str, Selection, Any], bool] | None = None
    scan: Scan | None = None
    role_of_rows: str | None = None

    @property
    def of_parent(self) -> bool:
        """Say whether the link starts at a parent record; a whole collection does not."""
        return "{id}" in self.link

    @property
    def owner(self) -> "Resource | None":
        """Return the resource of the parents; None for a whole collection."""
        return next((rows for rows in ALL if self.link.startswith(f"{rows.path}/{{id}}")), None)

    def keep(self, parent_id: str | None, selection: Selection, rows: Sequence[Record]) -> Sequence[Record]:
        """Return those rows of a page that belong to the selection."""
        if self.keeps is None:
            return rows
        return [row for row in rows if self.keeps(parent_id or "", selection, row)]


def roles_at_schools(user: User, selection: Selection) -> Iterable[str | None]:
    """Return the schools at which the user holds the asked role, or any that schools list."""
    for name in (selection.role,) if selection.role else SCHOOL_ROLES:
        role = getattr(user.roles, name)
        if role is not None:
            yield getattr(role, "school", None)
            if not selection.primary:
                yield from role.schools or ()


def school_keeps(school: str, selection: Selection, user: User) -> bool:
    """Say whether the user holds the asked role (any that schools list, if none is) at this school.

    `primary` keeps students and teachers whose primary school it is; staff have no primary school.
    """
    return school in roles_at_schools(user, selection)


def _section_people(section: Section, selection: Selection) -> Iterable[str | None]:
    if selection.role != TEACHER:
        yield from section.students or ()
    if selection.role != STUDENT:
        yield section.teacher
        yield from section.teachers or ()


def _schools_of_user(user: User, selection: Selection) -> Iterable[str | None]:
    for role in (user.roles.student, user.roles.teacher):
        if role is not None:
            yield role.school
            if not selection.primary:
                yield from role.schools or ()
    if user.roles.staff is not None and not selection.primary:
        yield from user.roles.staff.schools or ()


def _students_of_contact(user: User, _selection: Selection) -> Iterable[str | None] | None:
    """A contact's record names its students; a teacher's does not."""
    return None if user.roles.teacher is not None else related_students(user, _selection)


def _teachers(section: Section) -> Iterable[str | None]:
    yield section.teacher
    yield from section.teachers or ()


def _students(section: Section) -> Iterable[str | None]:
    return section.students or ()


def _in_sections(
    by: Callable[[Section], Iterable[str | None]],
    to: Callable[[Section], Iterable[str | None]] = lambda section: (section.id,),
    covers: Callable[[Any], bool] = lambda _parent: True,
) -> Scan:
    return Scan(SECTIONS, lambda section, _selection: by(section), to, covers=covers)


def related_students(user: User, _selection: Selection) -> Iterable[str | None]:
    """Return the students of whom a user is a contact."""
    relationships = user.roles.contact.student_relationships if user.roles.contact else None
    return [relationship.student for relationship in relationships or ()]


def _has(*roles: str) -> Callable[[User, Selection], bool]:
    def applies(user: User, _selection: Selection) -> bool:
        return any(getattr(user.roles, role) is not None for role in roles)

    return applies


def _staff_have_no_primary_school(_school: School, selection: Selection) -> bool:
    return not (selection.role == STAFF and selection.primary)


# The districts of a token: one. It is the only list without pages.
DISTRICT_LIST = Relation("districts", DISTRICTS, "/districts", paged=False)

# The district's own edges are whole collections: a token's world is one district.
DISTRICT_SCHOOLS = Relation("schools", SCHOOLS, "/schools")
DISTRICT_SECTIONS = Relation("sections", SECTIONS, "/sections")
DISTRICT_USERS = Relation("users", USERS, "/users", takes_role=True)
DISTRICT_COURSES = Relation("courses", COURSES, "/courses")
DISTRICT_TERMS = Relation("terms", TERMS, "/terms")
DISTRICT_RESOURCES = Relation("resources", RESOURCES, "/resources")


def _its_school(section: Section) -> Iterable[str | None]:
    return (section.school,)


def _its_course(section: Section) -> Iterable[str | None]:
    return (section.course,)


def _its_term(section: Section) -> Iterable[str | None]:
    return (section.term_id,)


SCHOOL_SECTIONS = Relation("school.sections", SECTIONS, "/schools/{id}/sections", scan=_in_sections(_its_school))
SCHOOL_TERMS = Relation("school.terms", TERMS, "/schools/{id}/terms", scan=_in_sections(_its_school, _its_term))
SCHOOL_COURSES = Relation(
    "school.courses", COURSES, "/schools/{id}/courses", scan=_in_sections(_its_school, _its_course)
)
SCHOOL_USERS = Relation(
    "school.users",
    USERS,
    "/schools/{id}/users",
    takes_role=True,
    takes_primary=True,
    applies=_staff_have_no_primary_school,
    keeps=school_keeps,
    scan=Scan(USERS, roles_at_schools, role=lambda selection: selection.role),
)

SECTION_USERS = Relation("section.users", USERS, "/sections/{id}/users", takes_role=True, references=_section_people)
SECTION_RESOURCES = Relation("section.resources", RESOURCES, "/sections/{id}/resources")

USER_SCHOOLS = Relation(
    "user.schools",
    SCHOOLS,
    "/users/{id}/schools",
    takes_primary=True,
    references=_schools_of_user,
    applies=_has(STUDENT, TEACHER, STAFF),
)
USER_SECTIONS = Relation(
    "user.sections",
    SECTIONS,
    "/users/{id}/sections",
    applies=_has(STUDENT, TEACHER),
    scan=_in_sections(lambda section: (*_students(section), *_teachers(section))),
)
USER_STUDENTS = Relation(
    "user.students",
    USERS,
    "/users/{id}/mystudents",
    references=_students_of_contact,
    applies=_has(TEACHER, CONTACT),
    # A teacher who is a contact, too, has students of both kinds: no one collection shows them.
    scan=_in_sections(_teachers, _students, covers=lambda user: user.roles.contact is None),
    role_of_rows=STUDENT,
)
USER_TEACHERS = Relation(
    "user.teachers",
    USERS,
    "/users/{id}/myteachers",
    applies=_has(STUDENT),
    scan=_in_sections(_students, _teachers),
    role_of_rows=TEACHER,
)
USER_CONTACTS = Relation(
    "user.contacts",
    USERS,
    "/users/{id}/mycontacts",
    applies=_has(STUDENT),
    scan=Scan(USERS, related_students, role=lambda _selection: CONTACT),
    role_of_rows=CONTACT,
)
USER_RESOURCES = Relation("user.resources", RESOURCES, "/users/{id}/resources")

COURSE_SECTIONS = Relation("course.sections", SECTIONS, "/courses/{id}/sections", scan=_in_sections(_its_course))
COURSE_SCHOOLS = Relation(
    "course.schools", SCHOOLS, "/courses/{id}/schools", scan=_in_sections(_its_course, _its_school)
)
COURSE_RESOURCES = Relation("course.resources", RESOURCES, "/courses/{id}/resources")

TERM_SECTIONS = Relation("term.sections", SECTIONS, "/terms/{id}/sections", scan=_in_sections(_its_term))
TERM_SCHOOLS = Relation("term.schools", SCHOOLS, "/terms/{id}/schools", scan=_in_sections(_its_term, _its_school))

RESOURCE_COURSES = Relation("resource.courses", COURSES, "/resources/{id}/courses")
RESOURCE_SECTIONS = Relation("resource.sections", SECTIONS, "/resources/{id}/sections")
RESOURCE_USERS = Relation("resource.users", USERS, "/resources/{id}/users", takes_role=True)

RELATIONS = tuple(value for value in dict(globals()).values() if isinstance(value, Relation))

# Each collection as a whole, by resource.
COLLECTIONS = {
    relation.rows: relation for relation in RELATIONS if not relation.of_parent and relation is not DISTRICT_LIST
}

# Single sub-resources whose target's id stands in the record: following them would cost a call each for nothing.
SUPERSEDED_LINKS = (
    "/schools/{id}/district",
    "/sections/{id}/course",
    "/sections/{id}/district",
    "/sections/{id}/school",
    "/sections/{id}/term",
    "/users/{id}/district",
    "/courses/{id}/district",
    "/terms/{id}/district",
)
