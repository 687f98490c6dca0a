"""School, term, course, section and resource records, and which course and term each class has."""

from dataclasses import dataclass
from random import Random

from .ids import Ids
from .names import Names
from .presets import Preset
from .roster import Roster, School, Section
from .vocabulary import ELEMENTARY, GRADES, SECONDARY, TERMS, UNUSED_TERM
from .writing import Pen, Record

RESOURCE_TITLES = ("Fractions Lab", "Reading Library", "Science Videos", "Teacher's Edition", "Unassigned Pilot")


@dataclass(slots=True, eq=False)
class Course:
    """A course and the level it is taught at, while classes are being assigned to it."""

    subject: str
    name: str
    young: bool
    shared: bool = True
    id: str = ""


@dataclass(slots=True)
class Timetable:
    """Course and term of each class; `None` where a class has none."""

    courses: list[Course]
    course_of: dict[Section, Course | None]
    terms: list[Record]
    term_of: dict[Section, str | None]


def draw_timetable(preset: Preset, roster: Roster, pen: Pen, ids: Ids) -> Timetable:
    """Give most classes a course and a term; districts derive both from class data, so some have neither."""
    rng = pen.rng
    courses: list[Course] = []
    course_of: dict[Section, Course | None] = {}
    in_use = preset.courses - 2  # two courses that no class takes
    by_level: dict[bool, list[Course]] = {True: [], False: []}
    for number, section in enumerate(roster.sections):
        young = section.grade in GRADES[:9]
        if number in (7, 8) or rng.random() < 0.04:
            course_of[section] = None
        elif len(courses) < in_use or not by_level[young]:
            course = _new_course(young, rng)
            courses.append(course)
            by_level[young].append(course)
            course_of[section] = course
        else:
            course_of[section] = rng.choice(by_level[young])
    courses += [_new_course(rng.random() < 0.5, rng) for _ in range(preset.courses - len(courses))]
    hidden = _new_course(True, rng)
    hidden.shared = False
    course_of[roster.sections[9]] = course_of[roster.sections[10]] = hidden
    courses.append(hidden)
    rng.shuffle(courses)
    terms = _terms(preset.terms, pen, ids)
    for course in courses:
        course.id = ids.mint()
    usable = [term["id"] for number, term in enumerate(terms) if number != UNUSED_TERM]
    term_of = {
        section: None if number in (8, 11) or rng.random() < 0.05 else rng.choice(usable)
        for number, section in enumerate(roster.sections)
    }
    return Timetable(courses, course_of, terms, term_of)


def _new_course(young: bool, rng: Random) -> Course:
    catalogue = ELEMENTARY if young else SECONDARY
    subject = rng.choice(tuple(catalogue))
    return Course(subject, rng.choice(catalogue[subject]), young)


def _terms(count: int, pen: Pen, ids: Ids) -> list[Record]:
    records = []
    for name, start, end in TERMS[:count]:
        record: Record = {"id": ids.mint(), "district": pen.district}
        fields = {"name": name, "start_date": start, "end_date": end}
        record.update({key: value for key, value in fields.items() if value is not None})
        records.append(pen.turned(record))
    return records


def course_record(course: Course, pen: Pen) -> Record:
    """Write a course: a name and a number, either of which may be missing."""
    record: Record = {"id": course.id, "district": pen.district}
    pen.maybe(record, "name", course.name, 0.02, 0.02)
    pen.maybe(record, "number", f"{course.name[:3].upper().strip()}{pen.rng.randrange(100, 999)}", 0.15, 0.15)
    return pen.turned(record)


def school_record(school: School, number: int, names: Names, domain: str, pen: Pen) -> Record:
    """Write a school; it lists neither its people nor its classes."""
    rng = pen.rng
    kind = "High School" if "12" in school.grades else "Middle School" if "8" in school.grades else "Elementary"
    record: Record = {
        "id": school.id,
        "district": pen.district,
        "name": f"{_namesake(number, names)} {kind}",
        "sis_id": str(4000 + number),
        "school_number": str(4000 + number),
        "low_grade": school.grades[0],
        "high_grade": school.grades[-1],
        "location": {
            "address": rng.choice(names.streets),
            "city": names.cities[0],
            "state": names.states[0],
            "zip": rng.choice(names.zips),
        },
        **pen.dates(school.id),
    }
    pen.maybe(record, "state_id", str(rng.randrange(10**7, 10**8)), 0.2, 0.2)
    pen.maybe(record, "nces_id", str(rng.randrange(10**11, 10**12)), 0.2, 0.2)
    pen.maybe(record, "mdr_number", str(rng.randrange(10**7, 10**8)), 0.4, 0.2)
    pen.maybe(record, "phone", f"({rng.randrange(200, 990)}) 555-{rng.randrange(10_000):04d}", 0.1, 0.1)
    if number % 3 != 1:
        record["principal"] = {"name": f"{rng.choice(names.girls)} {rng.choice(names.families)}"}
        pen.maybe(record["principal"], "email", f"principal{number}@{domain}", 0.2, 0.2)
    pen.own_field(record, 0.5, "charter_school", ("Y", "N", ""))
    return pen.turned(record)


def _namesake(number: int, names: Names) -> str:
    """Return what a school is named after: a town, or a person where there are more schools than towns."""
    if number < len(names.cities):
        return names.cities[(number + 7) % len(names.cities)]
    return f"{names.girls[number % len(names.girls)]} {names.families[number % len(names.families)]}"


def section_record(section: Section, timetable: Timetable, number: int, pen: Pen) -> Record:
    """Write a class: members as sorted ids whatever they share with the app, primary teacher first."""
    rng = pen.rng
    course, term = timetable.course_of[section], timetable.term_of[section]
    period = str(rng.randrange(1, 9))
    record: Record = {
        "id": section.id,
        "district": pen.district,
        "school": section.school.id,
        "name": f"Class {number}",
        "sis_id": f"{section.school.id[-3:]}-{number}",
        "students": sorted(student.id for student in section.students),
        "teachers": [teacher.id for teacher in section.teachers],
        "subject": course.subject if course else "",
        **pen.dates(section.id),
    }
    if section.teachers:
        record["teacher"] = section.teachers[0].id
        if course:
            record["name"] = f"{course.name} - {section.teachers[0].family} - {period}"
    for key, value in (("course", course.id if course else None), ("term_id", term)):
        if value:
            record[key] = value
        elif number % 2:  # no course: the key is missing or blank
            record[key] = ""
    pen.maybe(record, "grade", section.grade, 0.08, 0.06)
    pen.maybe(record, "period", period, 0.1, 0.4)
    pen.maybe(record, "section_number", str(number), 0.1, 0.5)
    pen.own_field(record, 0.1, "classroom", ("101", "204", "Gym", ""))
    if rng.random() < 0.5:
        record["lms_status"] = {"synced_in_lms": rng.random() < 0.7}
    return pen.turned(record)


def resource_records(courses: list[Course], pen: Pen, ids: Ids) -> tuple[list[Record], dict[str, list[str]]]:
    """Write resources and say which courses each is assigned to; the last one is assigned to none."""
    shared = [course.id for course in courses if course.shared]
    records, assigned = [], {}
    for number, title in enumerate(RESOURCE_TITLES):
        record: Record = {
            "id": ids.mint(),
            "district": pen.district,
            "resource_id": f"vendor-{number + 1}",
            "title": title,
            "roles": (["student", "teacher"], ["student"], ["teacher", "student"], ["teacher"], [])[number],
        }
        dates = pen.dates(record["id"])
        record |= {"created": dates["created"], "updated": dates["last_modified"]}
        records.append(pen.turned(record))
        assigned[record["id"]] = sorted(pen.rng.sample(shared, 3)) if number < len(RESOURCE_TITLES) - 1 else []
    return records, assigned
