"""Term, and the connection of terms."""

from datetime import date

import strawberry
from strawberry import ID

from gateway.clever import catalogue
from gateway.clever.values import read_date
from gateway.schema.connections import ConnectionFields, cursor_field, edges_field, node_field, rows_field
from gateway.schema.fields import connection, leaf, reference
from gateway.schema.node import Node, clever_id, self_link
from gateway.schema.refs import ADistrict, Schools, Sections


@strawberry.type(description="A school term. Its id may change when the district changes the term.")
class Term(Node):
    """https://dev.clever.com/docs/terms."""

    clever_id: ID = clever_id()
    self_link: str = self_link()
    name: str | None = leaf("Its name.")
    start_date: date | None = leaf("Its first day.", lambda record: read_date(record.start_date))
    end_date: date | None = leaf("Its last day.", lambda record: read_date(record.end_date))

    district: ADistrict | None = reference("Its district.", catalogue.DISTRICTS, lambda record: record.district)
    sections: Sections | None = connection("The sections that take place in it.", catalogue.TERM_SECTIONS)
    schools: Schools | None = connection("The schools of the sections in it.", catalogue.TERM_SCHOOLS)


@strawberry.type(description="A row of a list of terms.")
class TermEdge:
    """A term and its cursor."""

    node: Term = node_field("term")
    cursor: str = cursor_field()


@strawberry.type(description="A page of a list of terms.")
class TermConnection(ConnectionFields):
    """A connection as Relay's specification has it, with `nodes` beside `edges`."""

    nodes: list[Term] = rows_field("terms")
    edges: list[TermEdge] = edges_field("terms")
