"""How a field is answered, said once where it is declared: from the record, by reference, or as a connection.

Each helper makes the resolver, and leaves what was declared in the field's metadata under `SOURCE`, for whoever reads
the schema as data. Resolvers of relations load through the request's loaders and through nothing else.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

from gateway.access.wants import Rows, Want, want
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import Relation, Resource, Selection
from gateway.clever.records import Record
from gateway.schema.context import Info
from gateway.schema.ids import TYPE_OF_RECORD
from gateway.schema.paging import read_window
from gateway.schema.selected import selected_fields

SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Leaf:
    """Answered from the object at hand; `read` is None where it is the attribute of the field's name."""

    read: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """Another record, whose id `key` reads from the object at hand."""

    rows: Resource
    key: Callable[[Any], str | None]
    role: str | None = None


@dataclass(frozen=True, slots=True)
class References:
    """Other records, whose ids `keys` reads; in that order, without repeats and without those not shared."""

    rows: Resource
    keys: Callable[[Any], Iterable[str | None] | None]
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection over a relation, of one `role` where the field fixes it."""

    relation: Relation
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """What a connection's fields are answered from: the want, and its rows if they were asked for."""

    want: Want
    rows: Rows


def read_attribute(source: Any, name: str) -> Any:
    """Read a leaf of the field's own name; Clever's `""` means the same as absent."""
    value = getattr(source, name)
    return None if value == "" else value


def leaf(description: str, read: Callable[[Any], Any] | None = None) -> Any:
    """Declare a field answered from the object at hand; without `read`, from the attribute of its name."""
    metadata = {SOURCE: Leaf(read)}
    if read is None:
        return strawberry.field(description=description, metadata=metadata)

    def resolve(root: Any) -> Any:
        return read(root)

    return strawberry.field(resolver=resolve, description=description, metadata=metadata)


def reference(description: str, rows: Resource, key: Callable[[Any], str | None], role: str | None = None) -> Any:
    """Declare a field that is another record, looked up by the id that this one holds; `role` is one it must hold."""

    def resolve(root: Any, info: Info) -> Awaitable[Record | None] | None:
        found = key(root)
        return info.context.loaders.record.load(RecordCall(rows, found, role)) if found else None

    return strawberry.field(resolver=resolve, description=description, metadata={SOURCE: Reference(rows, key, role)})


def references(
    description: str, rows: Resource, keys: Callable[[Any], Iterable[str | None] | None], role: str | None = None
) -> Any:
    """Declare a plain list of other records, looked up by the ids that this one holds; `role` as in `reference`."""

    async def resolve(root: Any, info: Info) -> list[Record] | None:
        ids = keys(root)
        if ids is None:
            return None
        load = info.context.loaders.record.load
        found = await asyncio.gather(*[load(RecordCall(rows, key, role)) for key in dict.fromkeys(ids) if key])
        return [record for record in found if record is not None]

    return strawberry.field(resolver=resolve, description=description, metadata={SOURCE: References(rows, keys, role)})


def connection(
    description: str, relation: Relation, *, role: str | None = None, roles: type[Enum] | None = None
) -> Any:
    """Declare a connection over a relation.

    `role` fixes the role of the people in it; `roles` lets the caller choose one instead. `primary` is an argument
    wherever the relation takes it, but for staff, who have no primary school.
    """
    type_name = TYPE_OF_RECORD[relation.rows.record]
    takes_primary = relation.takes_primary and role != "staff"

    async def resolve(root: Any, info: Info, **arguments: Any) -> Connection:
        chosen = arguments.pop("role", None) or None
        selection = Selection(chosen.value if chosen else role, bool(arguments.pop("primary", None)))
        paging = {name: arguments.get(name) for name in ("first", "after", "last", "before")}
        window = read_window(type_name, **paging)
        asked = selected_fields(info._raw_info)
        one = want(relation, root, window, selection, whole="totalCount" in asked)
        needs_rows = window.limit > 0 and asked & {"nodes", "edges"}
        if not needs_rows and "pageInfo" not in asked:
            return Connection(one, Rows())
        rows = await info.context.loaders.rows.load(one)
        info.context.allowance.take_rows(len(rows.records))
        return Connection(one, rows)

    _take(resolve, [*_role_argument(roles), *_primary_argument(takes_primary), *_paging_arguments(type_name)])
    return strawberry.field(resolver=resolve, description=description, metadata={SOURCE: Connected(relation, role)})


def _argument(name: str, kind: Any, description: str, default: Any = UNSET) -> inspect.Parameter:
    annotation = Annotated[kind, strawberry.argument(description=description)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _role_argument(roles: type[Enum] | None) -> list[inspect.Parameter]:
    return [_argument("role", roles | None, "Only people who hold this role.")] if roles else []


def _primary_argument(takes: bool) -> list[inspect.Parameter]:
    text = "Only where it is the primary school of the person."
    return [_argument("primary", bool | None, text, default=False)] if takes else []


def _paging_arguments(type_name: str) -> list[inspect.Parameter]:
    return [
        _argument("first", int | None, "How many to take from the front: 0 to 10000, 100 if neither end is asked for."),
        _argument("after", str | None, f"A cursor: take those behind it. From a list of {type_name}s."),
        _argument("last", int | None, "How many to take from the back: 0 to 10000."),
        _argument("before", str | None, f"A cursor: take those in front of it. From a list of {type_name}s."),
    ]


def _take(resolver: Any, arguments: list[inspect.Parameter]) -> None:
    """Give a resolver the signature from which Strawberry reads a field's arguments."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    own = [inspect.Parameter("root", kind, annotation=Any), inspect.Parameter("info", kind, annotation=Info)]
    resolver.__signature__ = inspect.Signature([*own, *arguments])
