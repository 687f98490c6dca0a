"""School, and the connection of schools."""

from datetime import datetime

import strawberry
from strawberry import ID

from gateway.clever import catalogue
from gateway.clever.values import read_timestamp
from gateway.schema.connections import ConnectionFields, cursor_field, edges_field, node_field, rows_field
from gateway.schema.enums import Grade, SchoolRole, read_grade
from gateway.schema.fields import connection, leaf, reference
from gateway.schema.node import Node, clever_id, self_link
from gateway.schema.parts import Location
from gateway.schema.refs import ADistrict, Courses, Sections, Terms, Users
from gateway.schema.scalars import JSON


@strawberry.type(description="A school's principal.")
class Principal:
    """`principal`."""

    name: str | None = leaf("The principal's whole name.")
    email: str | None = leaf("The principal's email.")


@strawberry.type(description="A school of the district.")
class School(Node):
    """https://dev.clever.com/docs/schools."""

    clever_id: ID = clever_id()
    self_link: str = self_link()
    name: str | None = leaf("The school's name.")
    school_number: str | None = leaf("The number the district gives it.")
    sis_id: str | None = leaf("Its id in the student information system.")
    state_id: str | None = leaf("Its id at the state.")
    nces_id: str | None = leaf("Federal NCES id.")
    mdr_number: str | None = leaf("MDR number.")
    low_grade: Grade | None = leaf("The lowest grade it teaches.", lambda record: read_grade(record.low_grade))
    high_grade: Grade | None = leaf("The highest grade it teaches.", lambda record: read_grade(record.high_grade))
    phone: str | None = leaf("Its phone number.")
    principal: Principal | None = leaf("Its principal.")
    location: Location | None = leaf("Its address.")
    created: datetime | None = leaf(
        "When Clever made the record. Not to be relied on for syncing.", lambda record: read_timestamp(record.created)
    )
    last_modified: datetime | None = leaf(
        "When Clever last changed the record. Not to be relied on for syncing.",
        lambda record: read_timestamp(record.last_modified),
    )
    ext: JSON | None = leaf("Extension fields that the district defines.")

    district: ADistrict | None = reference("Its district.", catalogue.DISTRICTS, lambda record: record.district)
    sections: Sections | None = connection("The sections whose school it is.", catalogue.SCHOOL_SECTIONS)
    users: Users | None = connection(
        "Its people: those whose own role lists this school, whether or not it is their primary one. Contacts and "
        "district admins belong to no school.",
        catalogue.SCHOOL_USERS,
        roles=SchoolRole,
    )
    students: Users | None = connection(
        "Students who list this school; it need not be their primary one.", catalogue.SCHOOL_USERS, role="student"
    )
    teachers: Users | None = connection(
        "Teachers who list this school; it need not be their primary one.", catalogue.SCHOOL_USERS, role="teacher"
    )
    staff: Users | None = connection("Staff who list this school.", catalogue.SCHOOL_USERS, role="staff")
    terms: Terms | None = connection("The terms of its sections.", catalogue.SCHOOL_TERMS)
    courses: Courses | None = connection("The courses of its sections.", catalogue.SCHOOL_COURSES)


@strawberry.type(description="A row of a list of schools.")
class SchoolEdge:
    """A school and its cursor."""

    node: School = node_field("school")
    cursor: str = cursor_field()


@strawberry.type(description="A page of a list of schools.")
class SchoolConnection(ConnectionFields):
    """A connection as Relay's specification has it, with `nodes` beside `edges`."""

    nodes: list[School] = rows_field("schools")
    edges: list[SchoolEdge] = edges_field("schools")
