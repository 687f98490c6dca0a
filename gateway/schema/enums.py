"""Clever's closed lists of words. Values are Clever's spelling; a word Clever adds later never fails a query."""

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

import strawberry
from strawberry import enum_value

from gateway.clever.values import unrecognized

E = TypeVar("E", bound=Enum)


@strawberry.enum(description="A role a person can hold. Employees may hold several; students and contacts hold one.")
class Role(Enum):
    """Keys of Clever's `roles`."""

    CONTACT = enum_value("contact", description="A parent, guardian or other contact of students.")
    DISTRICT_ADMIN = enum_value("district_admin", description="Manages the district's data sharing in Clever.")
    STAFF = enum_value("staff", description="School staff without classes of their own, such as a school admin.")
    STUDENT = enum_value("student", description="A student.")
    TEACHER = enum_value("teacher", description="A teacher, or other instructional staff synced as one.")


@strawberry.enum(description="The roles that people hold at a school.")
class SchoolRole(Enum):
    """Values of `role` that `/schools/{id}/users` takes."""

    STAFF = enum_value("staff", description="School staff, such as a school admin.")
    STUDENT = enum_value("student", description="A student of the school.")
    TEACHER = enum_value("teacher", description="A teacher at the school.")


@strawberry.enum(description="The roles that people have in a section.")
class SectionRole(Enum):
    """Values of `role` that `/sections/{id}/users` takes."""

    STUDENT = enum_value("student", description="Enrolled in the section.")
    TEACHER = enum_value("teacher", description="Teaches the section.")


@strawberry.enum(description="How the district's data sync is doing.")
class DistrictState(Enum):
    """Values of a district's `state`."""

    RUNNING = enum_value("running", description="Data syncs run.")
    PENDING = enum_value("pending", description="An error that the district has to fix holds the sync.")
    ERROR = enum_value("error", description="An error that Clever has to fix holds the sync.")
    PAUSED = enum_value("paused", description="The sync is paused and shows last year's data.")
    SUCCESS = enum_value("success", description="The last sync succeeded.")
    UNRECOGNIZED = enum_value("", description="A state that this version of the gateway does not know.")


@strawberry.enum(description="A grade level.")
class Grade(Enum):
    """Values of Clever's grade fields."""

    INFANT_TODDLER = enum_value("InfantToddler", description="Infants and toddlers.")
    PRESCHOOL = enum_value("Preschool", description="Preschool.")
    PRE_KINDERGARTEN = enum_value("PreKindergarten", description="Pre-kindergarten.")
    TRANSITIONAL_KINDERGARTEN = enum_value("TransitionalKindergarten", description="Transitional kindergarten.")
    KINDERGARTEN = enum_value("Kindergarten", description="Kindergarten.")
    GRADE_1 = enum_value("1", description="Grade 1.")
    GRADE_2 = enum_value("2", description="Grade 2.")
    GRADE_3 = enum_value("3", description="Grade 3.")
    GRADE_4 = enum_value("4", description="Grade 4.")
    GRADE_5 = enum_value("5", description="Grade 5.")
    GRADE_6 = enum_value("6", description="Grade 6.")
    GRADE_7 = enum_value("7", description="Grade 7.")
    GRADE_8 = enum_value("8", description="Grade 8.")
    GRADE_9 = enum_value("9", description="Grade 9.")
    GRADE_10 = enum_value("10", description="Grade 10.")
    GRADE_11 = enum_value("11", description="Grade 11.")
    GRADE_12 = enum_value("12", description="Grade 12.")
    GRADE_13 = enum_value("13", description="Grade 13.")
    POST_GRADUATE = enum_value("PostGraduate", description="After graduation.")
    UNGRADED = enum_value("Ungraded", description="Not graded.")
    OTHER = enum_value("Other", description="Another level.")
    UNRECOGNIZED = enum_value("", description="A grade that this version of the gateway does not know.")


@strawberry.enum(description="What a section is about.")
class Subject(Enum):
    """Values of a section's `subject`."""

    ENGLISH_LANGUAGE_ARTS = enum_value("english/language arts", description="English and language arts.")
    MATH = enum_value("math", description="Mathematics.")
    SCIENCE = enum_value("science", description="Science.")
    SOCIAL_STUDIES = enum_value("social studies", description="Social studies.")
    LANGUAGE = enum_value("language", description="Languages.")
    HOMEROOM_ADVISORY = enum_value("homeroom/advisory", description="Homeroom or advisory.")
    INTERVENTIONS_ONLINE_LEARNING = enum_value(
        "interventions/online learning", description="Interventions and online learning."
    )
    TECHNOLOGY_AND_ENGINEERING = enum_value("technology and engineering", description="Technology and engineering.")
    PE_AND_HEALTH = enum_value("PE and health", description="Physical education and health.")
    ARTS_AND_MUSIC = enum_value("arts and music", description="Arts and music.")
    OTHER = enum_value("other", description="Another subject.")
    UNRECOGNIZED = enum_value("", description="A subject that this version of the gateway does not know.")


def reads(enum: type[E]) -> Callable[[str | None], E | None]:
    """Return a reader of Clever's words: nothing reads as None, an unknown word as UNRECOGNIZED, and is counted."""
    members: dict[str, E] = {str(member.value): member for member in enum}
    unknown = enum["UNRECOGNIZED"]

    def read(text: str | None) -> E | None:
        if not text:
            return None
        member = members.get(text)
        if member is None:
            unrecognized[enum.__name__] += 1
            return unknown
        return member

    return read


read_grade = reads(Grade)
read_subject = reads(Subject)
read_state = reads(DistrictState)


def read_roles(names: tuple[str, ...] | None) -> list[Role]:
    """Read Clever's role names; one that is unknown is dropped and counted."""
    known = {str(member.value): member for member in Role}
    unrecognized["Role"] += sum(name not in known for name in names or ())
    return [known[name] for name in names or () if name in known]
