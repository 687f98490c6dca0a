"""The root fields: ways into the graph."""

from collections.abc import Callable
from typing import Annotated, Any

import strawberry
from strawberry import ID, UNSET

from gateway.access.scoped import Who
from gateway.access.wants import Edge, Window
from gateway.clever import catalogue
from gateway.clever.calls import MAX_LIMIT, RecordCall
from gateway.clever.catalogue import Resource as Collection
from gateway.clever.records import Record
from gateway.errors import BadUserInput
from gateway.schema.context import Context
from gateway.schema.course import Course
from gateway.schema.district import District
from gateway.schema.enums import Role
from gateway.schema.fields import connection, loaded, lookup
from gateway.schema.ids import TYPE_OF_RECORD, TYPES, decode_id, decode_key
from gateway.schema.node import Node
from gateway.schema.refs import Courses, Resources, Schools, Sections, Terms, Users
from gateway.schema.resource import Resource
from gateway.schema.school import School
from gateway.schema.section import Section
from gateway.schema.term import Term
from gateway.schema.user import User
from gateway.schema.viewer import Viewer

MOST_IDS = 1000

_DISTRICTS = Edge(catalogue.DISTRICT_LIST, Window(MAX_LIMIT))

AnId = Annotated[ID, strawberry.argument(description="A global id, or Clever's own id.")]
GlobalId = Annotated[ID, strawberry.argument(description="A global id, as an object's `id` gives it.")]
GlobalIds = Annotated[list[ID], strawberry.argument(description=f"Global ids, at most {MOST_IDS}.")]
SomeIds = Annotated[list[ID], strawberry.argument(description=f"Global ids or Clever's own ids, at most {MOST_IDS}.")]
ADistrictId = Annotated[
    ID | None,
    strawberry.argument(description="A global id, or Clever's own id; not needed where the token shows one district."),
]


def _lookup(what: str, rows: Collection) -> Any:
    """Declare a root field that fetches one record by id."""
    type_name = TYPE_OF_RECORD[rows.record]

    def call(id: AnId) -> RecordCall:  # noqa: A002
        return RecordCall(rows, decode_key("id", id, type_name))

    return lookup(f"The {what} with this id; null if the token shows none.", call)


def _by_global_id(argument: str, value: str) -> RecordCall:
    type_name, key = decode_id(argument, value)
    return RecordCall(TYPES[type_name], key)


def _each(ids: list[ID], read: Callable[[str], RecordCall]) -> list[RecordCall | Exception]:
    """Read ids into calls; a bad id stays in its place as an error, so that it costs its own item and no other."""
    if len(ids) > MOST_IDS:
        raise BadUserInput("ids", f"`ids` holds {len(ids)} ids; at most {MOST_IDS} are allowed. Split the list.")
    calls: list[RecordCall | Exception] = []
    for value in ids:
        try:
            calls.append(read(value))
        except BadUserInput as error:
            calls.append(error)
    return calls


def _node(id: GlobalId) -> RecordCall:  # noqa: A002
    return _by_global_id("id", id)


def _nodes(ids: GlobalIds) -> list[RecordCall | Exception]:
    return _each(ids, lambda value: _by_global_id("ids", value))


def _users_by_id(ids: SomeIds) -> list[RecordCall | Exception]:
    return _each(ids, lambda value: RecordCall(catalogue.USERS, decode_key("ids", value, "User")))


async def _districts(context: Context) -> list[Record]:
    """Read the districts that the token shows: one."""
    (listed,) = await context.loaders.rows_of(_DISTRICTS, [None])
    if isinstance(listed, BaseException):
        raise listed
    return list(listed.records)


async def _district(context: Context, id: ADistrictId = UNSET) -> Record | None:  # noqa: A002
    key = decode_key("id", id, "District") if id else None
    found = [district for district in await _districts(context) if key in (None, district.id)]
    return found[0] if found else None


async def _viewer(context: Context) -> Who:
    return await context.loaders.who()


@strawberry.type(description="Ways into the roster of the caller's district.")
class Query:
    """Everything is read with the caller's own token: what it does not show is null or left out."""

    viewer: Viewer | None = loaded("Who asks, and what they are permitted.", _viewer)
    node: Node | None = lookup("Any object by its global id; null if the token shows none.", _node)
    nodes: list[Node | None] = lookup(
        "Objects by their global ids, in the order of the ids; null where the token shows none.", _nodes
    )
    district: District | None = loaded("The district of the caller's token; null for the id of another one.", _district)
    districts: list[District] | None = loaded("Every district that the caller may read: one per token.", _districts)
    school: School | None = _lookup("school", catalogue.SCHOOLS)
    section: Section | None = _lookup("section", catalogue.SECTIONS)
    course: Course | None = _lookup("course", catalogue.COURSES)
    term: Term | None = _lookup("term", catalogue.TERMS)
    user: User | None = _lookup("person", catalogue.USERS)
    resource: Resource | None = _lookup("licensed resource", catalogue.RESOURCES)
    users_by_id: list[User | None] | None = lookup(
        "People by id, in the order of the ids; null where the token shows none.", _users_by_id
    )
    users: Users | None = connection("The district's people.", catalogue.DISTRICT_USERS, roles=Role)
    schools: Schools | None = connection("The district's schools.", catalogue.DISTRICT_SCHOOLS)
    sections: Sections | None = connection("The district's sections.", catalogue.DISTRICT_SECTIONS)
    courses: Courses | None = connection("The district's courses.", catalogue.DISTRICT_COURSES)
    terms: Terms | None = connection("The district's terms.", catalogue.DISTRICT_TERMS)
    resources: Resources | None = connection("The district's licensed resources.", catalogue.DISTRICT_RESOURCES)
