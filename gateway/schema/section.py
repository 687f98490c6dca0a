"""Section, and the connection of sections."""

from collections.abc import Iterable
from datetime import datetime

import strawberry
from strawberry import ID

from gateway.clever import catalogue, records
from gateway.clever.values import read_timestamp
from gateway.schema.connections import ConnectionFields, cursor_field, edges_field, node_field, rows_field
from gateway.schema.enums import Grade, SectionRole, Subject, read_grade, read_subject
from gateway.schema.fields import connection, leaf, reference, references
from gateway.schema.node import Node, clever_id, self_link
from gateway.schema.parts import LmsStatus
from gateway.schema.refs import ACourse, ADistrict, ASchool, ATerm, AUser, Resources, Users
from gateway.schema.scalars import JSON


def _teachers(record: records.Section) -> Iterable[str | None] | None:
    """The primary teacher leads, whatever the order in the record."""
    if record.teachers is None and not record.teacher:
        return None
    return (record.teacher, *(record.teachers or ()))


@strawberry.type(description="A class: it ties students and teachers together.")
class Section(Node):
    """https://dev.clever.com/docs/sections."""

    clever_id: ID = clever_id()
    self_link: str = self_link()
    name: str | None = leaf("Its name, often made of course, teacher and period. Not unique.")
    section_number: str | None = leaf("The number the district gives it.")
    sis_id: str | None = leaf("Its id in the student information system.")
    subject: Subject | None = leaf("What it is about.", lambda record: read_subject(record.subject))
    grade: Grade | None = leaf(
        "The grade it is for. Its students' own grades may differ.", lambda record: read_grade(record.grade)
    )
    period: str | None = leaf("When in the day it meets, in the school's words.")
    created: datetime | None = leaf(
        "When Clever made the record. Not to be relied on for syncing.", lambda record: read_timestamp(record.created)
    )
    last_modified: datetime | None = leaf(
        "When Clever last changed the record. Not to be relied on for syncing.",
        lambda record: read_timestamp(record.last_modified),
    )
    ext: JSON | None = leaf("Extension fields that the district defines.")
    lms_status: LmsStatus | None = leaf("Whether it is matched in the district's LMS.")

    district: ADistrict | None = reference("Its district.", catalogue.DISTRICTS, lambda record: record.district)
    school: ASchool | None = reference(
        "Its school. Its students and teachers may have other primary schools.",
        catalogue.SCHOOLS,
        lambda record: record.school,
    )
    course: ACourse | None = reference(
        "The course it teaches, if any.", catalogue.COURSES, lambda record: record.course
    )
    term: ATerm | None = reference(
        "The term it takes place in, if any.", catalogue.TERMS, lambda record: record.term_id
    )
    teacher: AUser | None = reference(
        "The primary teacher.", catalogue.USERS, lambda record: record.teacher, role=catalogue.TEACHER
    )
    teachers: list[AUser] | None = references(
        "All its teachers: the primary one first, then the co-teachers.",
        catalogue.USERS,
        _teachers,
        role=catalogue.TEACHER,
    )
    students: Users | None = connection("The students enrolled in it.", catalogue.SECTION_USERS, role="student")
    users: Users | None = connection("Its students and teachers.", catalogue.SECTION_USERS, roles=SectionRole)
    resources: Resources | None = connection("The licensed resources assigned to it.", catalogue.SECTION_RESOURCES)


@strawberry.type(description="A row of a list of sections.")
class SectionEdge:
    """A section and its cursor."""

    node: Section = node_field("section")
    cursor: str = cursor_field()


@strawberry.type(description="A page of a list of sections.")
class SectionConnection(ConnectionFields):
    """A connection as Relay's specification has it, with `nodes` beside `edges`."""

    nodes: list[Section] = rows_field("sections")
    edges: list[SectionEdge] = edges_field("sections")
