"""The root fields: ways into the graph."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Annotated, Any

import strawberry
from strawberry import ID, UNSET

from gateway.access.wants import Window, want
from gateway.clever import catalogue
from gateway.clever.calls import MAX_LIMIT, RecordCall
from gateway.clever.catalogue import Resource as Collection
from gateway.clever.records import Record
from gateway.errors import BadUserInput
from gateway.schema.context import Info
from gateway.schema.course import Course
from gateway.schema.district import District
from gateway.schema.enums import Role
from gateway.schema.fields import SOURCE, Reference, connection
from gateway.schema.ids import TYPE_OF_RECORD, TYPES, decode_id, decode_key
from gateway.schema.node import Node
from gateway.schema.refs import Courses, Resources, Schools, Sections, Terms, Users
from gateway.schema.resource import Resource
from gateway.schema.school import School
from gateway.schema.section import Section
from gateway.schema.term import Term
from gateway.schema.user import User

MOST_IDS = 1000

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

    def resolve(info: Info, id: AnId) -> Awaitable[Record | None]:  # noqa: A002
        return info.context.loaders.record.load(RecordCall(rows, decode_key("id", id, type_name)))

    return strawberry.field(
        resolver=resolve,
        description=f"The {what} with this id; null if the token shows none.",
        metadata={SOURCE: Reference(rows, lambda _root: None)},
    )


async def _listed_districts(info: Info) -> list[Any]:
    """Read the districts that the token shows: one."""
    listed = await info.context.loaders.rows.load(want(catalogue.DISTRICT_LIST, None, Window(MAX_LIMIT)))
    return list(listed.records)


async def _settle(work: Iterable[Awaitable[Record | None]]) -> list[Any]:
    """Wait for all; a failure stays in its place, so that it costs its own item of the list and no other."""
    return await asyncio.gather(*work, return_exceptions=True)


def _not_too_many(ids: list[ID]) -> None:
    if len(ids) > MOST_IDS:
        raise BadUserInput("ids", f"`ids` holds {len(ids)} ids; at most {MOST_IDS} are allowed. Split the list.")


async def _find(info: Info, argument: str, value: str, expected: str | None = None) -> Record | None:
    """Look a record up by global id, or with `expected` by Clever's own id too."""
    if expected is None:
        type_name, key = decode_id(argument, value)
    else:
        type_name, key = expected, decode_key(argument, value, expected)
    return await info.context.loaders.record.load(RecordCall(TYPES[type_name], key))


async def _node(info: Info, id: GlobalId) -> Any:  # noqa: A002
    return await _find(info, "id", id)


async def _nodes(info: Info, ids: GlobalIds) -> Any:
    _not_too_many(ids)
    return await _settle(_find(info, "ids", value) for value in ids)


async def _users_by_id(info: Info, ids: SomeIds) -> Any:
    _not_too_many(ids)
    return await _settle(_find(info, "ids", value, "User") for value in ids)


async def _district(info: Info, id: ADistrictId = UNSET) -> Any:  # noqa: A002
    key = decode_key("id", id, "District") if id else None
    found = [district for district in await _listed_districts(info) if key in (None, district.id)]
    return found[0] if found else None


async def _districts(info: Info) -> Any:
    return await _listed_districts(info)


@strawberry.type(description="Ways into the roster of the caller's district.")
class Query:
    """Everything is read with the caller's own token: what it does not show is null or left out."""

    node: Node | None = strawberry.field(
        resolver=_node, description="Any object by its global id; null if the token shows none."
    )
    nodes: list[Node | None] = strawberry.field(
        resolver=_nodes,
        description="Objects by their global ids, in the order of the ids; null where the token shows none.",
    )
    district: District | None = strawberry.field(
        resolver=_district, description="The district of the caller's token; null for the id of another one."
    )
    districts: list[District] | None = strawberry.field(
        resolver=_districts, description="Every district that the caller may read: one per token."
    )
    school: School | None = _lookup("school", catalogue.SCHOOLS)
    section: Section | None = _lookup("section", catalogue.SECTIONS)
    course: Course | None = _lookup("course", catalogue.COURSES)
    term: Term | None = _lookup("term", catalogue.TERMS)
    user: User | None = _lookup("person", catalogue.USERS)
    resource: Resource | None = _lookup("licensed resource", catalogue.RESOURCES)
    users_by_id: list[User | None] | None = strawberry.field(
        resolver=_users_by_id, description="People by id, in the order of the ids; null where the token shows none."
    )
    users: Users | None = connection("The district's people.", catalogue.DISTRICT_USERS, roles=Role)
    schools: Schools | None = connection("The district's schools.", catalogue.DISTRICT_SCHOOLS)
    sections: Sections | None = connection("The district's sections.", catalogue.DISTRICT_SECTIONS)
    courses: Courses | None = connection("The district's courses.", catalogue.DISTRICT_COURSES)
    terms: Terms | None = connection("The district's terms.", catalogue.DISTRICT_TERMS)
    resources: Resources | None = connection("The district's licensed resources.", catalogue.DISTRICT_RESOURCES)
