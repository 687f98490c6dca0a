"""Where a field's value comes from, as data: what resolvers do one by one, the engine's plans do for whole batches.

Each field of the schema leaves one of these in its metadata under `SOURCE`.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import msgspec
from graphql import GraphQLField

from gateway.access.wants import Edge, Rows
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import Relation, Resource, Selection
from gateway.clever.records import Record
from gateway.policy import Group
from gateway.schema.context import Context
from gateway.schema.ids import TYPE_OF_RECORD
from gateway.schema.paging import read_window

SOURCE = "source"

# Where Strawberry keeps its own field beside graphql-core's.
_DECLARED = "strawberry-definition"


@dataclass(frozen=True, slots=True)
class Leaf:
    """Answered from the object at hand: what `read` returns, or without it an attribute, where `""` is null.

    The attribute is of the field's own name unless `attribute` names another. `read_all` reads text from many objects,
    each as `read` does, where that is cheaper. `group` names the sensitive fields that it belongs to. `checked` is
    `read`, raising FieldForbidden where the viewer is not granted them.
    """

    read: Callable[[Any], Any] | None = None
    attribute: str | None = None
    read_all: Callable[[Sequence[Any]], Sequence[str]] | None = None
    group: Group | None = None
    checked: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Contextual:
    """Answered from the object at hand and the request's context."""

    read: Callable[[Any, Context], Any]


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

    def edge(self, arguments: Mapping[str, Any], asked: Set[str]) -> Edge:
        """Read the field's arguments; `asked` names the fields that are selected of the connection.

        Raises BadUserInput where an argument is malformed or out of range.
        """
        chosen = arguments.get("role")
        selection = Selection(chosen.value if chosen else self.role, bool(arguments.get("primary")))
        window = read_window(
            TYPE_OF_RECORD[self.relation.rows.record],
            first=arguments.get("first"),
            after=arguments.get("after"),
            last=arguments.get("last"),
            before=arguments.get("before"),
        )
        return Edge(self.relation, window, selection, whole="totalCount" in asked)


def needs_rows(edge: Edge, asked: Set[str]) -> bool:
    """Say whether a connection's rows must be read to answer the fields that are asked of it."""
    return "pageInfo" in asked or (edge.window.limit > 0 and not asked.isdisjoint(("nodes", "edges")))


@dataclass(frozen=True, slots=True)
class Total:
    """How many rows the whole list of the connection at hand has."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Records by the ids in the field's arguments, which `calls` reads: one, or a list.

    A list may hold an exception in the place of an id that is malformed: it costs its own item and no other.
    """

    calls: Callable[..., RecordCall | list[RecordCall | Exception]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Records that `load` reads, given the request's context and the field's arguments."""

    load: Callable[..., Awaitable[Any]]


Source = Leaf | Contextual | Reference | References | Connected | Total | Lookup | Loaded


class Connection(msgspec.Struct, frozen=True, gc=False):
    """What a connection's fields are answered from: whose edge it is, and its rows if they were asked for."""

    edge: Edge
    parent: Record | None
    rows: Rows


def source_of(definition: GraphQLField) -> Source | None:
    """Return where a field's value comes from; None where the schema does not say, or where more is to be done."""
    declared = definition.extensions.get(_DECLARED)
    if declared is None or declared.permission_classes or declared.extensions:
        return None
    source: Source | None = declared.metadata.get(SOURCE)
    return source


def attribute_of(definition: GraphQLField) -> str:
    """Return the attribute that answers a field whose source is a `Leaf` without `read`."""
    declared = definition.extensions[_DECLARED]
    name: str = declared.metadata[SOURCE].attribute or declared.python_name
    return name
