"""Resource, and the connection of resources."""

from datetime import datetime

import strawberry
from strawberry import ID

from gateway.clever import catalogue
from gateway.clever.values import read_timestamp
from gateway.schema.connections import ConnectionFields, cursor_field, edges_field, node_field, rows_field
from gateway.schema.enums import Role, SectionRole, read_roles
from gateway.schema.fields import connection, leaf, reference
from gateway.schema.node import Node, clever_id, self_link
from gateway.schema.refs import ADistrict, Courses, Sections, Users


@strawberry.type(description="A licensed resource that the district assigns to courses, sections and people.")
class Resource(Node):
    """https://dev.clever.com/docs/resources."""

    clever_id: ID = clever_id()
    self_link: str = self_link()
    resource_id: str | None = leaf("The vendor's own id of it.")
    title: str | None = leaf("Its title.")
    roles: list[Role] = leaf("Whom it is meant for.", lambda record: read_roles(record.roles))
    created: datetime | None = leaf("When it was made.", lambda record: read_timestamp(record.created))
    updated: datetime | None = leaf("When it last changed.", lambda record: read_timestamp(record.updated))

    district: ADistrict | None = reference("Its district.", catalogue.DISTRICTS, lambda record: record.district)
    courses: Courses | None = connection("The courses it is assigned to.", catalogue.RESOURCE_COURSES)
    sections: Sections | None = connection("The sections it is assigned to.", catalogue.RESOURCE_SECTIONS)
    users: Users | None = connection("The people it is assigned to.", catalogue.RESOURCE_USERS, roles=SectionRole)


@strawberry.type(description="A row of a list of resources.")
class ResourceEdge:
    """A resource and its cursor."""

    node: Resource = node_field("resource")
    cursor: str = cursor_field()


@strawberry.type(description="A page of a list of resources.")
class ResourceConnection(ConnectionFields):
    """A connection as Relay's specification has it, with `nodes` beside `edges`."""

    nodes: list[Resource] = rows_field("resources")
    edges: list[ResourceEdge] = edges_field("resources")
