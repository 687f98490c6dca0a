"""A schema's types as the checks of documents read them: worked out once, looked up often."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLCompositeType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    IntValueNode,
    NullValueNode,
    SchemaMetaFieldDef,
    StringValueNode,
    TypeMetaFieldDef,
    TypeNameMetaFieldDef,
    ValueNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_non_null_type,
    is_required_argument,
)

# Digits that always fit into GraphQL's Int.
_SMALL = 9


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field: its type, the composite type that is selected from (None of a leaf), and its arguments."""

    type: GraphQLOutputType
    composite: GraphQLCompositeType | None
    arguments: Mapping[str, GraphQLArgument]
    required: frozenset[str]


@dataclass(frozen=True, slots=True)
class DirectiveInfo:
    """A directive: where it may stand, and its arguments."""

    locations: frozenset[str]
    arguments: Mapping[str, GraphQLArgument]
    required: frozenset[str]
    is_repeatable: bool


class Types:
    """The types of one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self._fields: dict[str, dict[str, FieldInfo]] = {}
        self.directives = {
            one.name: DirectiveInfo(
                frozenset(location.name for location in one.locations),
                one.args,
                _required(one.args),
                one.is_repeatable,
            )
            for one in schema.directives
        }

    def fields_of(self, kind: GraphQLCompositeType) -> Mapping[str, FieldInfo]:
        """Return what may be selected from a type, introspection included."""
        known = self._fields.get(kind.name)
        if known is None:
            own: dict[str, GraphQLField] = {} if isinstance(kind, GraphQLUnionType) else dict(kind.fields)
            own["__typename"] = TypeNameMetaFieldDef
            if kind is self.schema.query_type:
                own |= {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
            known = self._fields[kind.name] = {name: _field(one) for name, one in own.items()}
        return known

    def is_plainly(self, node: ValueNode, kind: Any) -> bool:
        """Say whether a literal, which is no list and no object, is obviously of a type."""
        if isinstance(node, NullValueNode):
            return not is_non_null_type(kind)
        plain = get_nullable_type(kind)
        if isinstance(node, StringValueNode):
            return plain is GraphQLID or plain is GraphQLString
        if isinstance(node, IntValueNode):
            return plain is GraphQLID or (plain is GraphQLInt and len(node.value) <= _SMALL)
        if isinstance(node, BooleanValueNode):
            return plain is GraphQLBoolean
        return isinstance(node, EnumValueNode) and isinstance(plain, GraphQLEnumType) and node.value in plain.values


def _field(one: GraphQLField) -> FieldInfo:
    named = get_named_type(one.type)
    return FieldInfo(one.type, named if is_composite_type(named) else None, one.args, _required(one.args))


def _required(arguments: Mapping[str, GraphQLArgument]) -> frozenset[str]:
    return frozenset(name for name, argument in arguments.items() if is_required_argument(argument))
