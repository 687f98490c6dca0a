"""Course, and the connection of courses."""

import strawberry
from strawberry import ID

from gateway.clever import catalogue
from gateway.schema.connections import ConnectionFields, cursor_field, edges_field, node_field, rows_field
from gateway.schema.fields import connection, leaf, reference
from gateway.schema.node import Node, clever_id, self_link
from gateway.schema.refs import ADistrict, Resources, Schools, Sections


@strawberry.type(description="A course that sections teach. Its id may change when the district changes the course.")
class Course(Node):
    """https://dev.clever.com/docs/courses."""

    clever_id: ID = clever_id()
    self_link: str = self_link()
    name: str | None = leaf("Its name.")
    number: str | None = leaf("The number the district gives it.")

    district: ADistrict | None = reference("Its district.", catalogue.DISTRICTS, lambda record: record.district)
    sections: Sections | None = connection("The sections that teach it.", catalogue.COURSE_SECTIONS)
    schools: Schools | None = connection("The schools of the sections that teach it.", catalogue.COURSE_SCHOOLS)
    resources: Resources | None = connection("The licensed resources assigned to it.", catalogue.COURSE_RESOURCES)


@strawberry.type(description="A row of a list of courses.")
class CourseEdge:
    """A course and its cursor."""

    node: Course = node_field("course")
    cursor: str = cursor_field()


@strawberry.type(description="A page of a list of courses.")
class CourseConnection(ConnectionFields):
    """A connection as Relay's specification has it, with `nodes` beside `edges`."""

    nodes: list[Course] = rows_field("courses")
    edges: list[CourseEdge] = edges_field("courses")
