"""The circles of `policy.py`, worked out on the roster for one viewer: which records are in them, and how to read them.

Each circle is built by one function, from the viewer's own record and the sections that the viewer's role leads to.
Reading goes through the request's `Access`, so that the planner chooses the calls and memory saves them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

from gateway.access.executor import Access
from gateway.access.wants import Want, Window
from gateway.clever import catalogue
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import EVERYTHING, Relation, Resource, Selection
from gateway.clever.records import Record, Section, User
from gateway.policy import Circle, Group

EVERY_ROLE: frozenset[str] = frozenset(catalogue.ROLES)
# Employees may hold several roles under one id; students and contacts hold just one.
_TEACHERS = frozenset({catalogue.TEACHER, catalogue.STAFF, catalogue.DISTRICT_ADMIN})
_STUDENTS = frozenset({catalogue.STUDENT})
_PEOPLE_OF_SCHOOLS = _TEACHERS | _STUDENTS
_CONTACTS = frozenset({catalogue.CONTACT})
# More rows than any list has.
WHOLE = Window(limit=10**9)

Load = Callable[[str | None], Awaitable[Sequence[Record]]]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One circle: records of `rows`, people in it holding one of `roles` at least, with what is granted of them.

    `ids` names the records in it where that is known before they are read; else `holds` tells of a record.
    `load` reads them all, or of people at least those of a role. Where a record alone does not tell, `vouch` names
    look-ups of which one must find something for the record to be in it.
    """

    rows: Resource
    grants: Set[Group]
    load: Load
    holds: Callable[[Any], bool]
    ids: frozenset[str] | None = None
    roles: frozenset[str] = EVERY_ROLE
    vouch: Callable[[Any], Iterable[RecordCall]] | None = None

    def has(self, record: Any) -> bool:
        """Say whether a record is in the circle."""
        return record.id in self.ids if self.ids is not None else self.holds(record)


class Viewpoint(Protocol):
    """From where circles are seen: the viewer's own record, one of the viewer's roles, and its sections."""

    access: Access
    me: User
    role: str

    async def sections(self) -> Sequence[Section]:
        """Return the sections that the role leads to."""
        ...

    async def students(self) -> Sequence[User]:
        """Return the students that the role leads to."""
        ...

    async def student_ids(self) -> frozenset[str]:
        """Return the ids of the students that these sections name, those that Clever does not show, too."""
        ...


Build = Callable[[Viewpoint, Set[Group]], Awaitable[Seen]]


async def whole_lists(
    access: Access, relation: Relation, parents: Sequence[Record], selection: Selection = EVERYTHING
) -> list[Record]:
    """Return the rows of a relation of all parents, each once, in ascending order. Raises what hinders one of them."""
    wants = [Want(relation, parent.id, selection, WHOLE, whole=True, parent=parent) for parent in parents]
    found = await access.rows(wants)
    records: dict[str, Record] = {}
    for one in wants:
        rows = found[one]
        if isinstance(rows, Exception):
            raise rows
        records.update((record.id, record) for record in rows.records)
    return [records[key] for key in sorted(records)]


async def look_up(access: Access, rows: Resource, ids: Iterable[str], role: str | None = None) -> list[Record]:
    """Return the records of these ids, ascending, without those that Clever does not show. Raises what hinders one."""
    found = await access.records([RecordCall(rows, key, role) for key in sorted(ids)])
    for outcome in found.values():
        if isinstance(outcome, Exception):
            raise outcome
    return [record for record in found.values() if isinstance(record, Record)]


def schools_of(me: User, role: str) -> frozenset[str]:
    """Return the ids of the schools that a person has in a role."""
    return frozenset(key for key in catalogue.roles_at_schools(me, Selection(role)) if key)


def _by_ids(
    rows: Resource, grants: Set[Group], ids: frozenset[str], load: Load, roles: frozenset[str] = EVERY_ROLE
) -> Seen:
    return Seen(rows, grants, load, lambda record: record.id in ids, ids, roles)


def _looked_up(
    at: Viewpoint, rows: Resource, grants: Set[Group], ids: Iterable[str | None], role: str | None = None
) -> Seen:
    known = frozenset(filter(None, ids))

    async def load(_role: str | None) -> Sequence[Record]:
        return await look_up(at.access, rows, known, role)

    return _by_ids(rows, grants, known, load, frozenset({role}) if role else EVERY_ROLE)


async def _self(at: Viewpoint, grants: Set[Group]) -> Seen:
    held = frozenset(role for role in catalogue.ROLES if getattr(at.me.roles, role) is not None)

    async def load(_role: str | None) -> Sequence[Record]:
        return [at.me]

    return _by_ids(catalogue.USERS, grants, frozenset({at.me.id}), load, held)


async def _own_schools(at: Viewpoint, grants: Set[Group]) -> Seen:
    return _looked_up(at, catalogue.SCHOOLS, grants, schools_of(at.me, at.role))


async def _own_sections(at: Viewpoint, grants: Set[Group]) -> Seen:
    sections = await at.sections()

    async def load(_role: str | None) -> Sequence[Record]:
        return sections

    return _by_ids(catalogue.SECTIONS, grants, frozenset([section.id for section in sections]), load)


async def _school_sections(at: Viewpoint, grants: Set[Group]) -> Seen:
    schools = schools_of(at.me, at.role)

    async def load(_role: str | None) -> Sequence[Record]:
        return await at.sections()

    return Seen(catalogue.SECTIONS, grants, load, lambda section: section.school in schools)


async def _school_people(at: Viewpoint, grants: Set[Group]) -> Seen:
    schools = schools_of(at.me, at.role)

    async def load(role: str | None) -> Sequence[Record]:
        parents = await look_up(at.access, catalogue.SCHOOLS, schools)
        # Employees are seen for any role at the school, and may hold the one that is asked for at another.
        held = (None,) if role is None else (role,) if role in _STUDENTS else (catalogue.STAFF, catalogue.TEACHER)
        lists = [whole_lists(at.access, catalogue.SCHOOL_USERS, parents, Selection(one)) for one in held]
        return [record for records in await asyncio.gather(*lists) for record in records]

    def holds(user: User) -> bool:
        return not schools.isdisjoint(catalogue.roles_at_schools(user, EVERYTHING))

    return Seen(catalogue.USERS, grants, load, holds, roles=_PEOPLE_OF_SCHOOLS)


async def _section_people(at: Viewpoint, grants: Set[Group], role: str) -> Seen:
    sections = await at.sections()
    if role == catalogue.STUDENT:
        ids, roles = await at.student_ids(), _STUDENTS
    else:
        named = chain.from_iterable([(section.teacher, *(section.teachers or ())) for section in sections])
        ids, roles = frozenset(filter(None, named)), _TEACHERS

    async def load(_role: str | None) -> Sequence[Record]:
        return await whole_lists(at.access, catalogue.SECTION_USERS, sections, Selection(role))

    return _by_ids(catalogue.USERS, grants, ids, load, roles)


async def _section_students(at: Viewpoint, grants: Set[Group]) -> Seen:
    return await _section_people(at, grants, catalogue.STUDENT)


async def _section_teachers(at: Viewpoint, grants: Set[Group]) -> Seen:
    return await _section_people(at, grants, catalogue.TEACHER)


async def _section_courses(at: Viewpoint, grants: Set[Group]) -> Seen:
    return _looked_up(at, catalogue.COURSES, grants, [section.course for section in await at.sections()])


async def _section_terms(at: Viewpoint, grants: Set[Group]) -> Seen:
    return _looked_up(at, catalogue.TERMS, grants, [section.term_id for section in await at.sections()])


async def _student_contacts(at: Viewpoint, grants: Set[Group]) -> Seen:
    students = await at.student_ids()

    async def load(_role: str | None) -> Sequence[Record]:
        return await whole_lists(at.access, catalogue.USER_CONTACTS, await at.students())

    def holds(user: User) -> bool:
        return not students.isdisjoint(catalogue.related_students(user, EVERYTHING))

    def vouch(user: User) -> Iterable[RecordCall]:
        # A section names students whom Clever does not share: they are not seen, and so their contacts are not.
        related = students.intersection(filter(None, catalogue.related_students(user, EVERYTHING)))
        return [RecordCall(catalogue.USERS, key, catalogue.STUDENT) for key in sorted(related)]

    return Seen(catalogue.USERS, grants, load, holds, roles=_CONTACTS, vouch=vouch)


async def _related_students(at: Viewpoint, grants: Set[Group]) -> Seen:
    ids = catalogue.related_students(at.me, EVERYTHING)
    return _looked_up(at, catalogue.USERS, grants, ids, catalogue.STUDENT)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """How a circle is built: of which records, of people in which roles (None: the viewer's own), and by what."""

    rows: Resource
    build: Build
    roles: frozenset[str] | None = EVERY_ROLE


BLUEPRINTS: Mapping[Circle, Blueprint] = {
    Circle.SELF: Blueprint(catalogue.USERS, _self, None),
    Circle.OWN_SCHOOLS: Blueprint(catalogue.SCHOOLS, _own_schools),
    Circle.OWN_SECTIONS: Blueprint(catalogue.SECTIONS, _own_sections),
    Circle.SCHOOL_SECTIONS: Blueprint(catalogue.SECTIONS, _school_sections),
    Circle.SCHOOL_PEOPLE: Blueprint(catalogue.USERS, _school_people, _PEOPLE_OF_SCHOOLS),
    Circle.SECTION_STUDENTS: Blueprint(catalogue.USERS, _section_students, _STUDENTS),
    Circle.SECTION_TEACHERS: Blueprint(catalogue.USERS, _section_teachers, _TEACHERS),
    Circle.SECTION_COURSES: Blueprint(catalogue.COURSES, _section_courses),
    Circle.SECTION_TERMS: Blueprint(catalogue.TERMS, _section_terms),
    Circle.STUDENT_CONTACTS: Blueprint(catalogue.USERS, _student_contacts, _CONTACTS),
    Circle.CLASSMATES: Blueprint(catalogue.USERS, _section_students, _STUDENTS),
    Circle.RELATED_STUDENTS: Blueprint(catalogue.USERS, _related_students, _STUDENTS),
    Circle.STUDENT_SECTIONS: Blueprint(catalogue.SECTIONS, _own_sections),
}
