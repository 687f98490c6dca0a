"""Who is where: schools, people, classes and the ties between them, before any of it is written as a record.

Everything odd about real rosters that concerns ties is decided here: cross-school enrolments, co-teachers, people
with two roles, empty classes, records that others mention but that are not shared.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .chance import Chance
from .ids import Ids
from .presets import Preset
from .vocabulary import CONTACT_TYPES, GRADES, ODD_GRADES, RELATIONSHIPS

SECTION_CAP = 50
SECTIONS_PER_STUDENT = 8.9

Drawn = Callable[[float], None]  # hears what share is done


@dataclass(slots=True, eq=False)
class School:
    """A school: the slice of `GRADES` it teaches and its share of the district's students."""

    grades: tuple[str, ...]
    weight: float
    shared: bool = True
    id: str = ""
    sections: list["Section"] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Student:
    """A student; `visits` is the second school where some of the classes are, listed in `schools` or not."""

    school: School
    schools: list[School]
    grade: str
    shared: bool = True
    visits: School | None = None
    idle: bool = False
    id: str = ""
    first: str = ""
    family: str = ""


@dataclass(slots=True, eq=False)
class Employee:
    """An adult of the district with one to three roles; teacher and staff schools are separate lists."""

    teaches_at: list[School] = field(default_factory=list)
    works_at: list[School] = field(default_factory=list)
    administers: bool = False
    instructional: bool = True
    shared: bool = True
    id: str = ""
    first: str = ""
    family: str = ""
    email: str = ""
    legacy_ids: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Contact:
    """A parent or other contact: (student, relationship, type) for each student."""

    ties: list[tuple[Student, str, str]]
    id: str = ""
    twin: Employee | None = None  # the same human being as an employee, with the same email


@dataclass(slots=True, eq=False)
class Section:
    """A class; `place` is its position among its school's grades, 0 to 1."""

    school: School
    place: float
    room: int = SECTION_CAP  # none from the start in the empty class
    id: str = ""
    students: list[Student] = field(default_factory=list)
    teachers: list[Employee] = field(default_factory=list)

    @property
    def grade(self) -> str:
        """The grade most of its students are in."""
        return self.school.grades[int(self.place * len(self.school.grades))]


@dataclass(slots=True)
class Roster:
    """A whole district's ties, ids given; `people` is in id order with the roles mixed."""

    schools: list[School]
    students: list[Student]
    employees: list[Employee]
    contacts: list[Contact]
    sections: list[Section]
    people: list[Student | Employee | Contact]


def draw_roster(preset: Preset, rng: Chance, ids: Ids, drawn: Drawn) -> Roster:
    """Draw one district's ties and give everyone and everything but courses and terms an id."""
    schools = _open_schools(preset.schools)
    students = _admit(preset, schools, rng)
    drawn(0.2)
    employees = _hire(preset, schools, rng)
    sections = _schedule(preset, schools, rng)
    _assign_teachers(sections, employees, rng)
    for number, student in enumerate(students):
        if number % 500 == 0:
            drawn(0.2 + 0.5 * number / len(students))
        _enrol(student, rng)
    contacts = _relate(preset, students, employees, rng)
    for school in schools:
        school.id = ids.mint()
    drawn(0.8)
    people: list[Student | Employee | Contact] = [*students, *employees, *contacts]
    rng.shuffle(people)
    _bring_forward(people, employees)
    for person in people:
        person.id = ids.mint()
    drawn(0.95)
    rng.shuffle(sections)
    for section in sections:
        section.id = ids.mint()
    return Roster(schools, students, employees, contacts, sections, people)


def _bring_forward(people: list[Student | Employee | Contact], employees: list[Employee]) -> None:
    """Put one of each rare role among the first hundred, so that the first page of users shows all five."""
    rare = (
        next(e for e in employees if e.teaches_at and e.shared and not e.works_at and not e.administers),
        next(e for e in employees if e.works_at and not e.teaches_at and not e.administers),
        next(e for e in employees if e.administers and not e.teaches_at and not e.works_at),
    )
    for place, employee in zip((23, 47, 71), rare, strict=True):
        at = people.index(employee)
        people[place], people[at] = people[at], people[place]


def _open_schools(count: int) -> list[School]:
    elementary, early, middle, high = GRADES[2:8], GRADES[1:8], GRADES[8:11], GRADES[11:]
    if count == 2:
        kinds = [(GRADES[2:9], 1.0), (GRADES[9:], 1.0)]
    else:
        cycle = [(elementary, 1.0), (high, 2.0), (middle, 1.4), (early, 1.0), (elementary, 1.0), (GRADES[:8], 0.9)]
        kinds = [cycle[n % len(cycle)] for n in range(count)]
    schools = [School(grades, weight) for grades, weight in kinds]
    # Other records mention this one, but the app may not see it.
    return [*schools, School(GRADES[11:], 0.0, shared=False)]


def _admit(preset: Preset, schools: list[School], rng: Chance) -> list[Student]:
    any_school = rng.chooser(schools, [school.weight for school in schools])
    hidden = schools[-1]
    # The schools but for one, with the hidden one and without.
    all_others = {school: [s for s in schools if s is not school] for school in schools}
    others = {school: [s for s in found if s.shared] for school, found in all_others.items()}
    students = []
    for number in range(preset.students + preset.unshared_students):
        school = any_school()
        grade = rng.choice(school.grades)
        if number % 37 == 5:  # some pupils are outside their school's range
            grade = rng.choice([g for g in (*GRADES, *ODD_GRADES) if g not in school.grades])
        student = Student(school, [school], grade, shared=number < preset.students)
        kind = rng.random()
        if kind < 0.33:
            other = rng.choice((all_others if kind < 0.02 else others)[school])
            # Of the fifth that take classes elsewhere, a third never got that school into their record.
            student.visits = other if kind < 0.20 else None
            if kind >= 0.20 / 3:
                student.schools.append(other)
                if rng.random() < 0.8:  # the primary school is seldom the first one listed
                    student.schools.reverse()
        students.append(student)
    students[1].idle = True  # a student in no class
    students[2].school = hidden  # a shared student of a school that is not
    students[2].schools = [schools[0], hidden]
    students[2].visits = schools[0]
    _pin_rarities(students[3:8], schools)
    return students


def _pin_rarities(students: list[Student], schools: list[School]) -> None:
    """Make sure of what chance might leave out of a small district."""
    for student, listed, at_front in zip(students, (True, True, False, False, True), (True, False) * 3, strict=False):
        other = next(s for s in schools if s is not student.school)
        student.visits = other
        student.schools = [student.school]
        if listed:
            student.schools.insert(0 if at_front else 1, other)


def _hire(preset: Preset, schools: list[School], rng: Chance) -> list[Employee]:
    shared = schools[:-1]
    weights = [school.weight for school in shared]
    employees = []
    for number in range(preset.teachers):
        first = shared[number % len(shared)] if number < 5 * len(shared) else rng.choices(shared, weights)[0]
        post = [first]
        if rng.random() < 0.1:
            post.append(rng.choice([s for s in schools if s is not first]))
            rng.shuffle(post)
            # The primary school is the first of this list; the record may list the schools in another order.
        employees.append(Employee(teaches_at=post, instructional=number % 8 != 7))
    # People with two roles: the first keeps school in one building and desk in another.
    employees[0].teaches_at = [shared[0]]
    employees[0].works_at = [shared[1]]
    both = max(2, preset.staff // 5)
    for employee in employees[1:both]:
        employee.works_at = [*employee.teaches_at]
    employees[both].administers = True
    employees[both].teaches_at = [employees[both].teaches_at[0]]
    for number in range(preset.staff - both):
        reach = shared if number == 1 else rng.sample(shared, min(len(shared), rng.choice((1, 1, 1, 2, 3))))
        employees.append(Employee(works_at=list(reach), administers=number == 0))
    employees.extend(Employee(administers=True) for _ in range(preset.district_admins - 2))
    employees.append(Employee(teaches_at=[shared[0]], shared=False))
    return employees


def _schedule(preset: Preset, schools: list[School], rng: Chance) -> list[Section]:
    shared, hidden = schools[:-1], schools[-1]
    hidden_count = max(2, preset.sections // 150)
    total = sum(school.weight for school in shared)
    counts = [int((preset.sections - hidden_count) * school.weight / total) for school in shared]
    counts[0] += preset.sections - hidden_count - sum(counts)
    for school, count in zip(schools, [*counts, hidden_count], strict=True):
        school.sections = [Section(school, n / count) for n in range(count)]
    shared[-1].sections[rng.randrange(len(shared[-1].sections))].room = 0
    return [section for school in (*shared, hidden) for section in school.sections]


def _assign_teachers(sections: list[Section], employees: list[Employee], rng: Chance) -> None:
    crew: dict[School, list[Employee]] = {}
    for employee in employees:
        if employee.instructional and employee.shared:
            for school in employee.teaches_at:
                crew.setdefault(school, []).append(employee)
    everyone = [e for e in employees if e.teaches_at and e.instructional and e.shared]
    turns: dict[School, int] = {}
    for number, section in enumerate(sections):
        team = crew.get(section.school, everyone)
        turn = turns[section.school] = turns.get(section.school, -1) + 1
        section.teachers = [team[turn % len(team)]]
        extra = 3 if number == 0 else rng.choice((1, 1, 1, 1, 2, 2, 3)) if rng.random() < 0.12 else 0
        if extra:
            others = [e for e in team if e is not section.teachers[0]]
            section.teachers += rng.sample(others, min(extra, len(others)))
    hidden = next(e for e in employees if not e.shared)
    sections[2].teachers = [hidden]
    sections[3].teachers = [sections[3].teachers[0], hidden]
    # The swagger lets a class have no teacher at all; one has none.
    sections[4].teachers = []


def _enrol(student: Student, rng: Chance) -> None:
    if student.idle:
        return
    wanted = min(15, max(4, round(rng.gauss(SECTIONS_PER_STUDENT, 2))))
    away = rng.randint(2, 4) if student.visits else 0
    if student.visits:
        _join(student, student.visits, away, rng)
    _join(student, student.school, wanted - away, rng)


def _join(student: Student, school: School, wanted: int, rng: Chance) -> None:
    """Put a student into classes near the own grade, which need not be of exactly that grade."""
    count, grades = len(school.sections), school.grades
    place = grades.index(student.grade) + 0.5 if student.grade in grades else rng.random() * len(grades)
    middle, reach = place / len(grades) * count, max(7.0, 0.6 * count / len(grades))
    low = max(0, min(int(middle - reach), count - int(2 * reach)))
    near = [section for section in school.sections[low : low + int(2 * reach) + 1] if section.room]
    for section in rng.sample(near, min(wanted, len(near))):
        section.students.append(student)
        section.room -= 1


def _relate(preset: Preset, students: list[Student], employees: list[Employee], rng: Chance) -> list[Contact]:
    shared = [s for s in students if s.shared]
    hidden = [s for s in students if not s.shared]
    order = rng.sample(shared, len(shared))

    def tie(student: Student) -> tuple[Student, str, str]:
        return student, rng.choice(RELATIONSHIPS), rng.choice(CONTACT_TYPES)

    contacts = [Contact([tie(order[number % len(order)])]) for number in range(preset.contacts)]
    for number in range(5, len(contacts), 25):  # siblings
        for sibling in rng.sample(shared, rng.choice((1, 1, 2))):
            if all(sibling is not known for known, _, _ in contacts[number].ties):
                contacts[number].ties.append(tie(sibling))
    contacts[0].ties.append(tie(hidden[0]))
    contacts[1].ties = [tie(hidden[1])]
    contacts[2].twin = employees[5]
    return contacts
