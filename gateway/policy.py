"""What a viewer may see of the roster: the default policy, as data. `access/sight.py` works it out on records.

A role sees circles of records; in each circle of people it is granted some of the groups of sensitive fields. A viewer
of several roles sees all that any of them does. What is in no circle does not exist for the viewer; a field whose
group is not granted is null and FORBIDDEN.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gateway.identity import EVERY_PERMISSION


class Circle(StrEnum):
    """Records that belong together, seen from the viewer; the values are README's words for them."""

    SELF = "their own record"
    OWN_SCHOOLS = "their schools"
    OWN_SECTIONS = "the sections they teach or study in"
    SCHOOL_SECTIONS = "the sections of their schools"
    SCHOOL_PEOPLE = "everyone enrolled or employed at their schools"
    SECTION_STUDENTS = "the students of these sections"
    SECTION_TEACHERS = "the teachers of these sections"
    SECTION_COURSES = "the courses of these sections"
    SECTION_TERMS = "the terms of these sections"
    STUDENT_CONTACTS = "the contacts of these students"
    CLASSMATES = "the names of the other students of these sections"
    RELATED_STUDENTS = "the students they are a contact of"
    STUDENT_SECTIONS = "the sections of these students"


class Group(StrEnum):
    """Fields that are granted together; the values are README's words for them, and name the permission to read them.

    `DETAILS` is everything but a person's id, name and roles; it is granted wherever not only names are seen.
    """

    DOB = "dob"
    RACE = "race"
    ETHNICITY = "ethnicity"
    HOME_LANGUAGE = "home-language"
    ELL = "ell"
    IEP = "iep"
    SECTION_504 = "section-504"
    FRL = "frl"
    DISABILITY = "disability"
    LOCATION = "location"
    CONTACTS = "contacts"
    CREDENTIALS = "credentials"
    EXTENSIONS = "extensions"
    DETAILS = "details"


EVERY_GROUP: Final = frozenset(Group)
_PLAIN: Final = frozenset({Group.DETAILS})
_SUPPORT = {Group.HOME_LANGUAGE, Group.ELL, Group.IEP, Group.SECTION_504}


@dataclass(frozen=True, slots=True)
class Rules:
    """What one role sees: everything there is, or circles with what is granted of the people in each."""

    circles: Mapping[Circle, Set[Group]] = field(default_factory=dict)
    everything: bool = False
    permissions: Set[str] = frozenset()


POLICY: Final[Mapping[str, Rules]] = {
    "district_admin": Rules(everything=True, permissions=EVERY_PERMISSION),
    "staff": Rules(
        {
            Circle.SELF: _PLAIN | {Group.CREDENTIALS},
            Circle.OWN_SCHOOLS: _PLAIN,
            Circle.SCHOOL_SECTIONS: _PLAIN,
            Circle.SECTION_COURSES: _PLAIN,
            Circle.SECTION_TERMS: _PLAIN,
            Circle.SCHOOL_PEOPLE: _PLAIN | _SUPPORT | {Group.DOB, Group.DISABILITY, Group.LOCATION},
        }
    ),
    "teacher": Rules(
        {
            Circle.SELF: _PLAIN | {Group.CREDENTIALS},
            Circle.OWN_SCHOOLS: _PLAIN,
            Circle.OWN_SECTIONS: _PLAIN,
            Circle.SECTION_COURSES: _PLAIN,
            Circle.SECTION_TERMS: _PLAIN,
            Circle.SECTION_STUDENTS: _PLAIN | _SUPPORT | {Group.CONTACTS},
            Circle.SECTION_TEACHERS: _PLAIN,
            Circle.STUDENT_CONTACTS: _PLAIN,
        }
    ),
    "student": Rules(
        {
            Circle.SELF: _PLAIN
            | {Group.DOB, Group.RACE, Group.ETHNICITY, Group.HOME_LANGUAGE, Group.LOCATION, Group.CREDENTIALS},
            Circle.OWN_SCHOOLS: _PLAIN,
            Circle.OWN_SECTIONS: _PLAIN,
            Circle.SECTION_TEACHERS: _PLAIN,
        }
    ),
    "contact": Rules(
        {
            Circle.SELF: _PLAIN,
            Circle.RELATED_STUDENTS: _PLAIN
            | _SUPPORT
            | {Group.DOB, Group.RACE, Group.ETHNICITY, Group.FRL, Group.DISABILITY},
            Circle.STUDENT_SECTIONS: _PLAIN,
            Circle.SECTION_TEACHERS: _PLAIN,
        }
    ),
}

# Nobody whom Clever does not list in the district sees anything of it.
NOTHING: Final = Rules()


def rules_of(role: str, *, classmates: bool) -> Rules:
    """Return what a role sees; `classmates`: students see the names of those they study with."""
    rules = POLICY.get(role, NOTHING)
    if classmates and role == "student":
        return Rules({**rules.circles, Circle.CLASSMATES: frozenset()}, permissions=rules.permissions)
    return rules
