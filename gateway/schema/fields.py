"""How a field is answered, said once where it is declared: from the record, by reference, or as a connection.

Each helper makes the resolver, and leaves what was declared in the field's metadata (`sources.py`), from which the
engine compiles its plans. Resolvers of relations load through the request's loaders and through nothing else.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import Enum
from operator import attrgetter
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

from gateway.access.masks import WITHHELD
from gateway.access.wants import Rows
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import Relation, Resource
from gateway.clever.records import Record
from gateway.errors import FieldForbidden
from gateway.policy import Group
from gateway.schema.context import Context, Info
from gateway.schema.ids import TYPE_OF_RECORD
from gateway.schema.selected import selected_fields
from gateway.schema.sources import (
    SOURCE,
    Connected,
    Connection,
    Contextual,
    Leaf,
    Loaded,
    Lookup,
    Reference,
    References,
    Total,
    needs_rows,
)


def read_attribute(source: Any, name: str) -> Any:
    """Read a leaf of the field's own name; Clever's `""` means the same as absent.

    Raises FieldForbidden where the viewer is not granted it.
    """
    value = getattr(source, name)
    if value is WITHHELD:
        raise FieldForbidden
    return None if value == "" else value


def leaf(
    description: str,
    read: Callable[[Any], Any] | None = None,
    *,
    attribute: str | None = None,
    read_all: Callable[[Sequence[Any]], Sequence[str]] | None = None,
    group: Group | None = None,
    held: str | None = None,
) -> Any:
    """Declare a field answered from the object at hand; without `read`, from its `attribute`, else that of its name.

    `read_all` does for many objects what `read` does for one. A sensitive field names its `group`, and where it has a
    `read`, in `held` the attribute that this one reads.
    """
    checked = unless_withheld(read, held) if read and held else read
    metadata = {SOURCE: Leaf(read, attribute, read_all, group, checked)}
    if read is None and attribute is None:
        return strawberry.field(description=description, metadata=metadata)

    def resolve(root: Any) -> Any:
        return checked(root) if checked else read_attribute(root, attribute or "")

    return strawberry.field(resolver=resolve, description=description, metadata=metadata)


def unless_withheld(read: Callable[[Any], Any], held: str) -> Callable[[Any], Any]:
    """Return `read`, raising FieldForbidden where the attribute that it reads is withheld."""
    holds = attrgetter(held)

    def checked(source: Any) -> Any:
        if holds(source) is WITHHELD:
            raise FieldForbidden
        return read(source)

    return checked


def contextual(description: str, read: Callable[[Any, Context], Any]) -> Any:
    """Declare a field answered from the object at hand and the request's context."""

    def resolve(root: Any, info: Info) -> Any:
        return read(root, info.context)

    return strawberry.field(resolver=resolve, description=description, metadata={SOURCE: Contextual(read)})


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
    source = Connected(relation, role)

    async def resolve(root: Any, info: Info, **arguments: Any) -> Connection:
        asked = selected_fields(info._raw_info)
        edge = source.edge(arguments, asked)
        if not needs_rows(edge, asked):
            return Connection(edge, root, Rows())
        rows = await info.context.loaders.rows.load(edge.of(root))
        info.context.allowance.take_rows(len(rows.records))
        return Connection(edge, root, rows)

    takes_primary = relation.takes_primary and role != "staff"
    paging = _paging_arguments(TYPE_OF_RECORD[relation.rows.record])
    _take(resolve, [_ROOT, _INFO], [*_role_argument(roles), *_primary_argument(takes_primary), *paging])
    return strawberry.field(resolver=resolve, description=description, metadata={SOURCE: source})


def total(description: str) -> Any:
    """Declare a connection's `totalCount`."""

    def resolve(root: Connection, info: Info) -> Awaitable[int | None]:
        return info.context.loaders.total.load(root.edge.of(root.parent))

    return strawberry.field(resolver=resolve, description=description, metadata={SOURCE: Total()})


def lookup(description: str, calls: Callable[..., RecordCall | list[RecordCall | Exception]]) -> Any:
    """Declare a root field that fetches records by the ids in its arguments, which `calls` declares and reads."""

    async def find(info: Info, call: RecordCall | Exception) -> Record | None:
        if isinstance(call, Exception):
            raise call
        return await info.context.loaders.record.load(call)

    async def resolve(info: Info, **arguments: Any) -> Any:
        asked = calls(**arguments)
        if isinstance(asked, RecordCall):
            return await find(info, asked)
        return await asyncio.gather(*[find(info, call) for call in asked], return_exceptions=True)

    _take(resolve, [_INFO], inspect.signature(calls).parameters.values())
    return strawberry.field(resolver=resolve, description=description, metadata={SOURCE: Lookup(calls)})


def loaded(description: str, load: Callable[..., Awaitable[Any]]) -> Any:
    """Declare a root field that `load` answers, given the context and the arguments that it declares."""

    async def resolve(info: Info, **arguments: Any) -> Any:
        return await load(info.context, **arguments)

    _context, *arguments = inspect.signature(load).parameters.values()
    _take(resolve, [_INFO], arguments)
    return strawberry.field(resolver=resolve, description=description, metadata={SOURCE: Loaded(load)})


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


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)


_ROOT, _INFO = _parameter("root", Any), _parameter("info", Info)


def _take(resolver: Any, own: list[inspect.Parameter], arguments: Iterable[inspect.Parameter]) -> None:
    """Give a resolver the signature from which Strawberry reads a field's arguments."""
    given = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in arguments]
    resolver.__signature__ = inspect.Signature([*own, *given])
