"""One whole generated district: draws the roster, then writes its records, users and classes one at a time.

A district is a function of seed, index and preset alone. Users and sections come as streams so that a big
district never holds its records as dictionaries.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .chance import Chance
from .classes import Timetable, course_record, draw_timetable, resource_records, school_record, section_record
from .ids import LATEST_SYNC, Ids, timestamp
from .names import Names, pools
from .people import People, christen, engage, roles_of
from .presets import SIZES
from .roster import Drawn, Employee, Roster, draw_roster
from .writing import Pen, Record

STATES = (
    ("running", "", "2026-06-08", "2026-12-18"),
    ("paused", "", "2025-12-01T00:00:00.000Z", "2026-12-18T00:00:00.000Z"),
    ("error", "A required file is missing: teachers.csv", None, None),
    ("success", "", "2026-06-08", "2026-12-18"),
    ("pending", "", "", ""),
)
LMS = (("canvas", "success"), ("google_classroom", "matching_in_progress"), ("", ""), ("schoology", "disconnected"))


@dataclass(slots=True)
class Generated:
    """A district's v3.1 records, each collection ascending by id; `hidden` are the ids not shared with the app."""

    district: Record
    schools: list[Record]
    terms: list[Record]
    courses: list[Record]
    resources: list[Record]
    users: Iterator[Record]
    sections: Iterator[Record]
    hidden: frozenset[str]
    assigned: dict[str, list[str]]  # resource id -> course ids


def generate(preset_name: str, seed: int, index: int, drawn: Drawn) -> Generated:
    """Generate the district number `index` of a seed; the third and later ones have no resources.

    `drawn` hears what share of the roster is drawn, from 0 to 1.
    """
    rng = Chance(f"{seed}/{index}/{preset_name}")
    preset, names = SIZES[preset_name], pools(seed)
    ids = Ids(index, rng)
    district_id = ids.mint()
    pen = Pen(rng, district_id)
    city = names.cities[index * 11 % len(names.cities)]
    domain = f"{city.lower().replace(' ', '')}.example.net"
    roster = draw_roster(preset, rng, ids, drawn)
    timetable = draw_timetable(preset, roster, pen, ids)
    for student in roster.students:
        christen(student, names, rng)
    engage(roster.employees, names, domain, ids, rng)
    resources, assigned = resource_records(timetable.courses, pen, ids) if index < 2 else ([], {})
    return Generated(
        district=_district_record(district_id, index, city, domain, roster, pen),
        schools=[school_record(s, number, names, domain, pen) for number, s in enumerate(roster.schools)],
        terms=timetable.terms,
        courses=[course_record(course, pen) for course in timetable.courses],
        resources=resources,
        users=_users(roster, pen, names, domain, ids),
        sections=_sections(roster, timetable, pen),
        hidden=frozenset(
            thing.id
            for things in (roster.schools, roster.students, roster.employees, timetable.courses)
            for thing in things
            if not thing.shared
        ),
        assigned=assigned,
    )


def _users(roster: Roster, pen: Pen, names: Names, domain: str, ids: Ids) -> Iterator[Record]:
    people = People(pen, names, domain, ids)
    for person in roster.people:
        yield people.record(person)


def _sections(roster: Roster, timetable: Timetable, pen: Pen) -> Iterator[Record]:
    for number, section in enumerate(roster.sections):
        yield section_record(section, timetable, number, pen)
    # Nothing is left to write. Schools and classes hold each other, and through them everybody else.
    for school in roster.schools:
        school.sections.clear()


def _district_record(district_id: str, index: int, city: str, domain: str, roster: Roster, pen: Pen) -> Record:
    state, error, pause_start, pause_end = STATES[index % len(STATES)]
    lms_type, lms_state = LMS[index % len(LMS)]
    record: Record = {
        "id": district_id,
        "name": f"{city} Unified School District",
        "sis_type": ("sftp", "PowerSchool", "Infinite Campus")[index % 3],
        "launch_date": f"202{1 + index % 4}-08-02",
        "portal_url": f"https://clever.com/in/{domain.split('.')[0]}",
        "login_methods": ["Clever Passwords", "Clever Badges", "Google", "LDAP"][: 2 + index % 3],
        "last_sync": timestamp(LATEST_SYNC + index * 61_000),
        "error": error,
        "state": state,
        "lms_type": lms_type,
        "lms_state": lms_state,
        "last_attendance_sync": timestamp(LATEST_SYNC - 86_400_000),
        "mdr_number": str(pen.rng.randrange(10**7, 10**8)),
        "nces_id": str(pen.rng.randrange(10**6, 10**7)) if index != 1 else "",
        "district_contact": _district_contact(district_id, roster.employees),
    }
    if pause_start is not None:
        record |= {"pause_start": pause_start, "pause_end": pause_end}
    return pen.turned(record)


def _district_contact(district_id: str, employees: list[Employee]) -> Record:
    """Name an administrator by legacy id: the one place where Clever's Data API points at a user by it."""
    admin = next(e for e in employees if roles_of(e) == ["district_admin"])
    return {
        "id": admin.legacy_ids["district_admin"],
        "district": district_id,
        "email": admin.email,
        "name": {"first": admin.first, "last": admin.family},
        "title": "Superintendent",
    }
