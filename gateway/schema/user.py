"""User: one person with every role held, and the connection of users."""

from datetime import datetime
from operator import attrgetter
from typing import Any

import strawberry
from strawberry import ID

from gateway.clever import catalogue, records
from gateway.clever.values import read_timestamp
from gateway.policy import Group
from gateway.schema.connections import ConnectionFields, cursor_field, edges_field, node_field, rows_field
from gateway.schema.enums import Role
from gateway.schema.facets import Contact, DistrictAdmin, Staff, Student, Teacher
from gateway.schema.fields import connection, leaf, reference
from gateway.schema.node import Node, clever_id, self_link
from gateway.schema.parts import LmsStatus, Name
from gateway.schema.refs import ADistrict, Resources, Schools, Sections, Users

_ROLES = tuple((str(role.value), role) for role in Role)


def roles_held(user: records.User) -> list[Role]:
    """Return every role that a person holds."""
    roles = user.roles
    return [role for name, role in _ROLES if getattr(roles, name) is not None]


def _facet(role: str, description: str) -> Any:
    attribute = f"roles.{role}"
    return leaf(description, attrgetter(attribute), group=Group.DETAILS, held=attribute)


@strawberry.type(
    description="A person. Employees may hold several roles under one id; students and contacts hold just one. The "
    "facet of a role that the person does not hold is null."
)
class User(Node):
    """https://dev.clever.com/docs/users."""

    clever_id: ID = clever_id()
    self_link: str = self_link()
    email: str | None = leaf(
        "Email, as the district keeps it: not always unique, not always well formed.", group=Group.DETAILS
    )
    name: Name | None = leaf("The person's name.")
    created: datetime | None = leaf(
        "When Clever made the record. Not to be relied on for syncing.",
        lambda user: read_timestamp(user.created),
        group=Group.DETAILS,
        held="created",
    )
    last_modified: datetime | None = leaf(
        "When Clever last changed the record. Not to be relied on for syncing.",
        lambda user: read_timestamp(user.last_modified),
        group=Group.DETAILS,
        held="last_modified",
    )
    lms_status: LmsStatus | None = leaf("Whether the person is matched in the district's LMS.", group=Group.DETAILS)
    roles: list[Role] = leaf("Every role the person holds.", roles_held)
    student: Student | None = _facet("student", "What the person is as a student.")
    teacher: Teacher | None = _facet("teacher", "What the person is as a teacher.")
    staff: Staff | None = _facet("staff", "What the person is as school staff.")
    district_admin: DistrictAdmin | None = leaf(
        "What the person is as a district admin.",
        lambda user: user.roles.district_admin,
        group=Group.DETAILS,
        held="roles.district_admin",
    )
    contact: Contact | None = leaf(
        "What the person is as a contact of students.",
        lambda user: user.roles.contact,
        group=Group.DETAILS,
        held="roles.contact",
    )

    district: ADistrict | None = reference("The person's district.", catalogue.DISTRICTS, lambda user: user.district)
    schools: Schools | None = connection(
        "The schools of all the person's roles together. Contacts and district admins have none.",
        catalogue.USER_SCHOOLS,
    )
    sections: Sections | None = connection(
        "The sections the person studies in or teaches, at whatever school.", catalogue.USER_SECTIONS
    )
    students: Users | None = connection(
        "For a teacher the students of the sections taught, for a contact the related students; else empty.",
        catalogue.USER_STUDENTS,
    )
    teachers: Users | None = connection(
        "For a student the teachers of all sections studied in; else empty.", catalogue.USER_TEACHERS
    )
    contacts: Users | None = connection("For a student the contacts; else empty.", catalogue.USER_CONTACTS)
    resources: Resources | None = connection("The licensed resources assigned to the person.", catalogue.USER_RESOURCES)


@strawberry.type(description="A row of a list of people.")
class UserEdge:
    """A user and their cursor."""

    node: User = node_field("person")
    cursor: str = cursor_field()


@strawberry.type(description="A page of a list of people.")
class UserConnection(ConnectionFields):
    """A connection as Relay's specification has it, with `nodes` beside `edges`."""

    nodes: list[User] = rows_field("people")
    edges: list[UserEdge] = edges_field("people")
