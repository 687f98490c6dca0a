"""How one district's shared records are tied together: positions in, ascending positions out.

Ties are read from the records themselves, as a client would read them. What is not shared has no position, so a
reference to it leads nowhere, although the id stays in the record.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .tables import Record, Table

Positions = Sequence[int]
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
    """Parent position -> child positions, filled in any order and then closed."""

    def __init__(self) -> None:
        self._lists: defaultdict[int, list[int]] = defaultdict(list)
        self._closed: dict[int, Positions] = {}

    def add(self, parent: int | None, child: int | None) -> None:
        """Tie two records; a side that is not shared (`None`) makes no tie."""
        if parent is not None and child is not None:
            self._lists[parent].append(child)

    def close(self) -> None:
        """Sort and pack every list."""
        self._closed = {parent: ascending(children) for parent, children in self._lists.items()}
        self._lists.clear()

    def __getitem__(self, parent: int) -> Positions:
        return self._closed.get(parent, NONE)

    def union(self, parents: Iterable[int]) -> Positions:
        """Return everything tied to any of the parents."""
        return ascending(child for parent in parents for child in self[parent])


class Relations:
    """Every relation the Data API serves, for one district."""

    def __init__(self, schools: Table, terms: Table, courses: Table, users: Table, sections: Table) -> None:
        self._schools, self._terms, self._courses = schools, terms, courses
        self._users, self._sections = users, sections
        self.roles = array("B")  # user -> bits of ROLE_BITS
        self.users_by_role: dict[str, Positions] = {}
        self._with_role: dict[str, list[int]] = {role: [] for role in ROLE_BITS}
        # `None` is any of the roles; contacts and district admins belong to no school.
        self.users_of_school: dict[str | None, Index] = {
            role: Index() for role in ("student", "teacher", "staff", None)
        }
        # Clever's docs do not say what `primary` means for staff, who have no primary school: they are left out.
        self.primary_users_of_school: dict[str | None, Index] = {role: Index() for role in ("student", "teacher", None)}
        self.schools_of_user, self.primary_schools_of_user = Index(), Index()
        self.contacts_of_student, self.students_of_contact = Index(), Index()
        self.students_of_section, self.teachers_of_section = Index(), Index()
        self.sections_of_student, self.sections_of_teacher = Index(), Index()
        self.sections_of_school, self.sections_of_course, self.sections_of_term = Index(), Index(), Index()
        self.school_of_section: dict[int, int] = {}
        self.course_of_section: dict[int, int] = {}
        self.term_of_section: dict[int, int] = {}
        self.courses_of_resource, self.resources_of_course = Index(), Index()
        self._pending: list[tuple[int, list[str]]] = []

    def add_user(self, user: int, record: Record) -> None:
        """Note a user's roles and schools; a contact's students may come later in the stream."""
        bits = 0
        for role, details in record["roles"].items():
            bits |= ROLE_BITS[role]
            self._with_role[role].append(user)
            for school_id in details.get("schools", ()):
                school = self._schools.position.get(school_id)
                self.users_of_school[role].add(school, user)
                self.users_of_school[None].add(school, user)
                self.schools_of_user.add(user, school)
            if "school" in details:
                school = self._schools.position.get(details["school"])
                self.primary_users_of_school[role].add(school, user)
                self.primary_users_of_school[None].add(school, user)
                self.primary_schools_of_user.add(user, school)
            if role == "contact":
                self._pending.append((user, [tie["student"] for tie in details["student_relationships"]]))
        self.roles.append(bits)

    def add_section(self, section: int, record: Record) -> None:
        """Note a class's members and where, what and when it is."""
        known = self._users.position
        for student_id in record["students"]:
            student = known.get(student_id)
            self.students_of_section.add(section, student)
            self.sections_of_student.add(student, section)
        for teacher_id in record["teachers"]:
            teacher = known.get(teacher_id)
            self.teachers_of_section.add(section, teacher)
            self.sections_of_teacher.add(teacher, section)
        for key, table, one, index in (
            ("school", self._schools, self.school_of_section, self.sections_of_school),
            ("course", self._courses, self.course_of_section, self.sections_of_course),
            ("term_id", self._terms, self.term_of_section, self.sections_of_term),
        ):
            target = table.position.get(record.get(key, ""))
            if target is not None:
                one[section] = target
                index.add(target, section)

    def assign(self, resources: Table, assigned: Mapping[str, Sequence[str]]) -> None:
        """Note which courses each resource belongs to."""
        for resource_id, course_ids in assigned.items():
            for course_id in course_ids:
                resource, course = resources.position[resource_id], self._courses.position[course_id]
                self.courses_of_resource.add(resource, course)
                self.resources_of_course.add(course, resource)

    def close(self) -> None:
        """Resolve what had to wait and pack everything."""
        for contact, student_ids in self._pending:
            for student_id in student_ids:
                student = self._users.position.get(student_id)
                self.students_of_contact.add(contact, student)
                self.contacts_of_student.add(student, contact)
        self._pending.clear()
        self.users_by_role = {role: array("I", users) for role, users in self._with_role.items()}
        for index in self._indexes():
            index.close()

    def _indexes(self) -> Iterator[Index]:
        for value in vars(self).values():
            if isinstance(value, Index):
                yield value
            elif isinstance(value, dict):
                yield from (index for index in value.values() if isinstance(index, Index))

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
        return ascending(self.school_of_section[s] for s in sections if s in self.school_of_section)

    def courses_of_school(self, school: int) -> Positions:
        """Courses taught at a school, derived through its classes."""
        found = self.course_of_section
        return ascending(found[s] for s in self.sections_of_school[school] if s in found)

    def terms_of_school(self, school: int) -> Positions:
        """Terms of a school, derived through its classes."""
        found = self.term_of_section
        return ascending(found[s] for s in self.sections_of_school[school] if s in found)

    def sections_of_resource(self, resource: int) -> Positions:
        """Classes whose course has the resource."""
        return self.sections_of_course.union(self.courses_of_resource[resource])

    def resources_of_section(self, section: int) -> Positions:
        """Resources a class has through its course."""
        course = self.course_of_section.get(section)
        return NONE if course is None else self.resources_of_course[course]
