"""First step of a plan: which fields an operation selects, position by position, with fragments and conditions settled.

graphql-core's own collection does it, so that merging, aliases, type conditions, @skip and @include are exactly its.
Conditions by variables are settled too: a plan is good for one combination of their values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeNameMetaFieldDef,
    get_named_type,
    is_abstract_type,
    is_object_type,
)
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetails,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from gateway.schema.sources import Source, source_of

# Nested fragments can select more positions than there is memory; graphql-core meets them one by one.
MOST_FIELDS = 20_000

_TYPENAME = "__typename"


class Unsupported(Exception):
    """The operation holds something that plans do not know; graphql-core runs it."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field selected at one position: under which name, from which source, and what is selected of its value.

    `nodes` are its places in the document. `under` has a selection for each object type that the value may be of.
    `source` is None for `__typename` alone.
    """

    response: str
    name: str
    parent: GraphQLObjectType
    nodes: Sequence[FieldNode]
    definition: GraphQLField
    source: Source | None = None
    under: "Mapping[str, Selection]" = field(default_factory=dict)

    @property
    def asked(self) -> set[str]:
        """Return the names of the fields that are selected of the value."""
        return {one.name for selection in self.under.values() for one in selection.fields}


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What is selected of an object of one type. Selections of the same `shape` are answered by the same code."""

    type: GraphQLObjectType
    fields: tuple[Field, ...]
    shape: int


class Collector:
    """Collects one operation. Equal parts of it share their shape; the same part is collected once."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDetails],
        operation: OperationDefinitionNode,
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._operation = operation
        self._variables = variables
        self._collected: dict[tuple[str, tuple[int, ...]], Selection] = {}
        self._shapes: dict[object, int] = {}
        self._count = 0

    def root(self, kind: GraphQLObjectType) -> Selection:
        """Return what the operation selects of the root type.

        Raises Unsupported where plans do not know a part of it.
        """
        return self._select(kind, collect_fields(self._schema, self._fragments, self._variables, kind, self._operation))

    def _under(self, kind: GraphQLObjectType, details: list[FieldDetails]) -> Selection:
        key = kind.name, tuple([id(one.node.selection_set) for one in details])
        known = self._collected.get(key)
        if known is None:
            collected = collect_subfields(
                self._schema, self._fragments, self._variables, self._operation, kind, details
            )
            known = self._collected[key] = self._select(kind, collected)
        return known

    def _select(self, kind: GraphQLObjectType, collected: CollectedFields) -> Selection:
        if collected.new_defer_usages:
            raise Unsupported("defer")
        fields = tuple([self._field(kind, name, details) for name, details in collected.grouped_field_set.items()])
        key = kind.name, tuple([_key(one) for one in fields])
        return Selection(kind, fields, self._shapes.setdefault(key, len(self._shapes)))

    def _field(self, parent: GraphQLObjectType, response: str, details: list[FieldDetails]) -> Field:
        self._count += 1
        if self._count > MOST_FIELDS:
            raise Unsupported("size")
        nodes = [one.node for one in details]
        name = nodes[0].name.value
        if name == _TYPENAME:
            return Field(response, name, parent, nodes, TypeNameMetaFieldDef)
        definition = parent.fields.get(name)
        source = source_of(definition) if definition else None
        if definition is None or source is None:
            raise Unsupported("field")
        under = {kind.name: self._under(kind, details) for kind in self._objects(definition)}
        return Field(response, name, parent, nodes, definition, source, under)

    def _objects(self, definition: GraphQLField) -> Iterator[GraphQLObjectType]:
        named = get_named_type(definition.type)
        if is_abstract_type(named):
            yield from self._schema.get_possible_types(named)
        elif is_object_type(named):
            yield named


def _key(one: Field) -> tuple[object, ...]:
    """Return what tells a field from others of its type: arguments are never equal to those of another place."""
    arguments = id(one.nodes[0]) if one.nodes[0].arguments else 0
    return one.response, one.name, arguments, *[selection.shape for selection in one.under.values()]
