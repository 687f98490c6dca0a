"""One school's roster: the records that the scripted upstream serves when it is left alone."""

from collections.abc import Callable
from typing import Any

Record = dict[str, Any]


def an_id(kind: int, number: int) -> str:
    """Make a Clever id; those of one kind ascend with their number."""
    return f"{kind:x}{number:023x}"


DISTRICT, NORTH, SOUTH = an_id(1, 1), an_id(2, 1), an_id(2, 2)
ALGEBRA, FALL, LICENCE, MATH, ART = an_id(3, 1), an_id(4, 1), an_id(5, 1), an_id(6, 1), an_id(6, 2)
STUDENTS = [an_id(7, number) for number in range(1, 7)]
TEACHERS = [an_id(8, number) for number in range(1, 3)]
CONTACT, STRANGER = an_id(9, 1), an_id(10, 1)


def _person(key: str, name: str, **roles: Record) -> Record:
    return {
        "id": key,
        "district": DISTRICT,
        "email": f"{name.lower()}@north.example.net",
        "name": {"first": name, "last": "Example"},
        "roles": roles,
    }


def _student(number: int, key: str) -> Record:
    return _person(key, f"Student{number}", student={"school": NORTH, "schools": [NORTH], "grade": "7"})


def _section(key: str, name: str, students: list[str], teachers: list[str]) -> Record:
    edges = {"district": DISTRICT, "school": NORTH, "course": ALGEBRA, "term_id": FALL}
    people = {"teacher": teachers[0], "teachers": teachers, "students": students}
    return {"id": key, "name": name, "subject": "math", "grade": "7", **edges, **people}


def roster() -> dict[str, dict[str, Record]]:
    """Return the records anew: collection -> id -> record."""
    people = [
        *(_student(number, key) for number, key in enumerate(STUDENTS, 1)),
        *(_person(key, f"Teacher{key[-1]}", teacher={"school": NORTH, "schools": [NORTH]}) for key in TEACHERS),
        _person(CONTACT, "Contact", contact={"student_relationships": [{"student": STUDENTS[0], "type": "Family"}]}),
    ]
    collections: dict[str, list[Record]] = {
        "districts": [{"id": DISTRICT, "name": "Example District", "state": "success"}],
        "schools": [
            {"id": NORTH, "district": DISTRICT, "name": "North", "low_grade": "6", "high_grade": "8"},
            {"id": SOUTH, "district": DISTRICT, "name": "South"},
        ],
        "courses": [{"id": ALGEBRA, "district": DISTRICT, "name": "Algebra", "number": "1"}],
        "terms": [{"id": FALL, "district": DISTRICT, "name": "Fall", "start_date": "2026-08-17"}],
        "resources": [{"id": LICENCE, "district": DISTRICT, "title": "Reader", "roles": ["student"]}],
        "sections": [
            _section(MATH, "Math - 1", STUDENTS[:4], TEACHERS),
            _section(ART, "Art - 2", STUDENTS[2:], TEACHERS[:1]),
        ],
        "users": people,
    }
    return {name: {record["id"]: record for record in records} for name, records in collections.items()}


def stray(student: Record) -> None:
    """Move a student to the other school, and let the first one's link send the record all the same."""
    student["roles"]["student"] |= {"school": SOUTH, "schools": [SOUTH]}
    student["stray"] = True


# What the relative links list, by owner and name: the collection and which of its records belong to the owner.
Belongs = Callable[[Record, Record], bool]
LINKS: dict[tuple[str, str], tuple[str, Belongs]] = {
    ("schools", "users"): (
        "users",
        lambda school, user: (
            user.get("stray", False) or any(school["id"] in role.get("schools", ()) for role in user["roles"].values())
        ),
    ),
    ("schools", "sections"): ("sections", lambda school, section: section["school"] == school["id"]),
    ("sections", "users"): (
        "users",
        lambda section, user: user["id"] in section["students"] or user["id"] in section["teachers"],
    ),
    ("users", "sections"): (
        "sections",
        lambda user, section: user["id"] in section["students"] or user["id"] in section["teachers"],
    ),
    ("users", "mycontacts"): (
        "users",
        lambda user, other: any(
            tie["student"] == user["id"] for tie in other["roles"].get("contact", {}).get("student_relationships", ())
        ),
    ),
    ("courses", "sections"): ("sections", lambda course, section: section["course"] == course["id"]),
}
