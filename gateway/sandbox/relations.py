"""How one district's shared records are tied together: positions in, ascending positions out.

Ties are read from the records themselves, as a client would read them. What is not shared has no position, so a
reference to it leads nowhere, although the id stays in the record.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeAlias

from .tables import Record, Table

Positions = Sequence[int]
Numbers: TypeAlias = "array[int]"
NONE: Positions = ()

STUDENT, TEACHER, STAFF, DISTRICT_ADMIN, CONTACT = 1, 2, 4, 8, 16
ROLE_BITS = {
    "student": STUDENT,
    "teacher": TEACHER,
    "staff": STAFF,
    "district_admin": DISTRICT_ADMIN,
    "contact": CONTACT,
}


def ascending(positions: Iterable[int]) -> Positions:
    """Return the distinct positions in order, compactly."""
    return array("I", sorted(set(positions)))


class Index:
    """Parent position -> child positions, packed: `starts` has one number more than there are parents."""

    __slots__ = ("_children", "_starts")

    def __init__(self, starts: Numbers, children: Numbers) -> None:
        self._starts, self._children = starts, children

    def __getitem__(self, parent: int) -> Positions:
        return self._children[self._starts[parent] : self._starts[parent + 1]]

    def first(self, parent: int) -> int | None:
        """Return the only child, where there can be one at most."""
        at = self._starts[parent]
        return self._children[at] if at < self._starts[parent + 1] else None

    def union(self, parents: Iterable[int]) -> Positions:
        """Return everything tied to any of the parents."""
        return ascending(child for parent in parents for child in self[parent])


class Ties:
    """Pairs of positions, the left ones ascending; an index from either side can be made of them."""

    def __init__(self) -> None:
        self._left, self._right = array("I"), array("I")

    def add(self, left: int, right: int | None) -> None:
        """Tie two records; `None` is not shared and makes no tie."""
        if right is not None:
            self._left.append(left)
            self._right.append(right)

    def add_all(self, left: int, rights: list[int]) -> None:
        """Tie one record to several."""
        self._left.extend([left] * len(rights))
        self._right.extend(rights)

    def forth(self, lefts: int) -> Index:
        """Index the right sides by the left ones, which are positions below `lefts`."""
        return _without_repeats(_starts(self._left, lefts), self._right)

    def back(self, rights: int) -> Index:
        """Index the left sides by the right ones, which are positions below `rights`.

        Sorted by counting: a million pairs are too many to keep as lists, even for a moment.
        """
        starts = _starts(self._right, rights)
        free, grouped = starts[:], array("I", [0]) * len(self._left)
        for parent, child in zip(self._right, self._left, strict=True):
            at = free[parent]
            grouped[at] = child
            free[parent] = at + 1
        return _without_repeats(starts, grouped)


def _starts(parents: Numbers, count: int) -> Numbers:
    """Say where each parent's children begin once they are grouped, and where the last one's end."""
    sizes = array("I", [0]) * count
    for parent in parents:
        sizes[parent] += 1
    return array("I", accumulate(sizes, initial=0))


def _without_repeats(starts: Numbers, grouped: Numbers) -> Index:
    """Put each parent's children in order and drop those that come again."""
    packed, kept = array("I"), array("I", [0])
    for low, high in pairwise(starts):
        if high - low > 1:
            packed.extend(sorted({*grouped[low:high]}))
        elif high > low:
            packed.append(grouped[low])
        kept.append(len(packed))
    return Index(kept, packed)


class RelationsBuilder:
    """Reads ties out of records as they are written; `finished` resolves and packs them."""

    def __init__(self, schools: Table, terms: Table, courses: Table, users: Table, sections: Table) -> None:
        self._schools, self._terms, self._courses = schools, terms, courses
        self._users, self._sections = users, sections
        self._roles = array("B")
        self._with_role = {role: array("I") for role in ROLE_BITS}
        self._user_school, self._user_primary = Ties(), Ties()
        self._role_school = {role: Ties() for role in ("student", "teacher", "staff")}
        self._role_primary = {role: Ties() for role in ("student", "teacher")}
        self._section_student, self._section_teacher = Ties(), Ties()
        self._section_school, self._section_course, self._section_term = Ties(), Ties(), Ties()
        self._resource_course, self._contact_student = Ties(), Ties()
        # A contact's students may come later in the stream.
        self._contacts, self._of_contacts = array("I"), list[str]()

    def add_user(self, user: int, record: Record) -> None:
        """Note a user's roles and schools."""
        bits = 0
        known = self._schools.position
        for role, details in record["roles"].items():
            bits |= ROLE_BITS[role]
            self._with_role[role].append(user)
            for school_id in details.get("schools", ()):
                school = known.get(school_id)
                self._role_school[role].add(user, school)
                self._user_school.add(user, school)
            if "school" in details:
                school = known.get(details["school"])
                self._role_primary[role].add(user, school)
                self._user_primary.add(user, school)
            if role == "contact":
                for tie in details["student_relationships"]:
                    self._contacts.append(user)
                    self._of_contacts.append(tie["student"])
        self._roles.append(bits)

    def add_section(self, section: int, record: Record) -> None:
        """Note a class's members and where, what and when it is."""
        known = self._users.position
        for key, ties in (("students", self._section_student), ("teachers", self._section_teacher)):
            ties.add_all(section, [known[user_id] for user_id in record[key] if user_id in known])
        for key, table, ties in (
            ("school", self._schools, self._section_school),
            ("course", self._courses, self._section_course),
            ("term_id", self._terms, self._section_term),
        ):
            ties.add(section, table.position.get(record.get(key, "")))

    def assign(self, resources: Table, assigned: Mapping[str, Sequence[str]]) -> None:
        """Note which courses each resource belongs to."""
        for resource_id, course_ids in assigned.items():
            for course_id in course_ids:
                self._resource_course.add(resources.position[resource_id], self._courses.position[course_id])

    def finished(self, resources: Table, heard: Callable[[float], None]) -> "Relations":
        """Resolve what had to wait and pack everything; `heard` is told how far that is, from 0 to 1."""
        for contact, student_id in zip(self._contacts, self._of_contacts, strict=True):
            self._contact_student.add(contact, self._users.position.get(student_id))
        schools, users, sections = len(self._schools), len(self._users), len(self._sections)
        courses = len(self._courses)
        heard(0.1)
        of_schools: dict[str | None, Index] = {None: self._user_school.back(schools)}
        of_schools.update((role, ties.back(schools)) for role, ties in self._role_school.items())
        primary_of_schools: dict[str | None, Index] = {None: self._user_primary.back(schools)}
        primary_of_schools.update((role, ties.back(schools)) for role, ties in self._role_primary.items())
        heard(0.2)
        schools_of_user, primary_schools = self._user_school.forth(users), self._user_primary.forth(users)
        heard(0.3)
        contacts, of_contacts = self._contact_student.back(users), self._contact_student.forth(users)
        heard(0.5)
        sections_of_student = self._section_student.back(users)
        heard(0.8)
        return Relations(
            roles=self._roles,
            users_by_role=self._with_role,
            users_of_school=of_schools,
            primary_users_of_school=primary_of_schools,
            schools_of_user=schools_of_user,
            primary_schools_of_user=primary_schools,
            contacts_of_student=contacts,
            students_of_contact=of_contacts,
            students_of_section=self._section_student.forth(sections),
            sections_of_student=sections_of_student,
            teachers_of_section=self._section_teacher.forth(sections),
            sections_of_teacher=self._section_teacher.back(users),
            school_of_section=self._section_school.forth(sections),
            sections_of_school=self._section_school.back(schools),
            course_of_section=self._section_course.forth(sections),
            sections_of_course=self._section_course.back(courses),
            term_of_section=self._section_term.forth(sections),
            sections_of_term=self._section_term.back(len(self._terms)),
            courses_of_resource=self._resource_course.forth(len(resources)),
            resources_of_course=self._resource_course.back(courses),
        )


@dataclass(slots=True)
class Relations:
    """Every relation the Data API serves, for one district."""

    roles: Numbers  # user -> bits of ROLE_BITS
    users_by_role: Mapping[str, Positions]
    # `None` is any of the roles; contacts and district admins belong to no school.
    users_of_school: Mapping[str | None, Index]
    # Clever's docs do not say what `primary` means for staff, who have no primary school: they are left out.
    primary_users_of_school: Mapping[str | None, Index]
    schools_of_user: Index
    primary_schools_of_user: Index
    contacts_of_student: Index
    students_of_contact: Index
    students_of_section: Index
    sections_of_student: Index
    teachers_of_section: Index
    sections_of_teacher: Index
    school_of_section: Index
    sections_of_school: Index
    course_of_section: Index
    sections_of_course: Index
    term_of_section: Index
    sections_of_term: Index
    courses_of_resource: Index
    resources_of_course: Index

    def school_users(self, school: int, role: str | None, primary: bool) -> Positions:
        """People of a school by one role, or by any."""
        indexes = self.primary_users_of_school if primary else self.users_of_school
        return indexes[role][school] if role in indexes else NONE

    def section_users(self, section: int, role: str | None) -> Positions:
        """Members of a class, students and teachers in one order."""
        if role == "student":
            return self.students_of_section[section]
        if role == "teacher":
            return self.teachers_of_section[section]
        return ascending([*self.students_of_section[section], *self.teachers_of_section[section]])

    def user_sections(self, user: int) -> Positions:
        """Classes of a person, in any school, learning or teaching."""
        learns = self.sections_of_student[user]
        return learns or self.sections_of_teacher[user]  # a student never teaches

    def teachers_of(self, user: int) -> Positions:
        """Teachers of a student, through classes only."""
        return self.teachers_of_section.union(self.sections_of_student[user])

    def students_of(self, user: int) -> Positions:
        """Students of a teacher, through classes, or of a contact."""
        return self.students_of_contact[user] or self.students_of_section.union(self.sections_of_teacher[user])

    def schools_of_sections(self, sections: Positions) -> Positions:
        """Schools where these classes are: how courses and terms reach schools."""
        return self.school_of_section.union(sections)

    def courses_of_school(self, school: int) -> Positions:
        """Courses taught at a school, derived through its classes."""
        return self.course_of_section.union(self.sections_of_school[school])

    def terms_of_school(self, school: int) -> Positions:
        """Terms of a school, derived through its classes."""
        return self.term_of_section.union(self.sections_of_school[school])

    def sections_of_resource(self, resource: int) -> Positions:
        """Classes whose course has the resource."""
        return self.sections_of_course.union(self.courses_of_resource[resource])

    def resources_of_section(self, section: int) -> Positions:
        """Resources a class has through its course."""
        return self.resources_of_course.union(self.course_of_section[section])
