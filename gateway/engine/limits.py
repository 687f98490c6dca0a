"""What a document and its variables may hold, found in one pass over the parsed document, whatever its fragments spell.

A fragment is measured once and its figures are added wherever it is spread: a document of n nodes takes n steps, even
where spreads of spreads stand for billions of fields. This runs before validation, whose rules are slower than that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    is_required_argument,
)

from gateway.errors import LimitExceeded

# Figures beyond this are not told apart: fragments can spell numbers of a thousand digits.
_MANY = 1_000_000_000
# Levels of braces and fragments that are looked into. Each takes two frames of Python's stack.
_DEEPEST = 150

_SCHEMA_LISTS = frozenset({"fields", "interfaces", "possibleTypes", "inputFields"})
_MOST_SCHEMA_LISTS = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one document may hold; each is a setting of the same name, `GATEWAY_MAX_...`."""

    characters: int = 100_000
    tokens: int = 10_000
    operations: int = 50
    fragments: int = 200
    directives: int = 200
    variables: int = 200
    depth: int = 20
    lists: int = 6
    selections: int = 10_000
    root_fields: int = 100
    aliases: int = 100
    lookups: int = 1_000
    connections: int = 100
    values: int = 20_000


# How deep the values of variables may be nested: no input of ours is deeper than a list.
MOST_NESTED_VALUES = 20


@dataclass(slots=True)
class Figures:
    """What a selection set holds, its fragments spelled out."""

    depth: int = 0
    lists: int = 0
    selections: int = 0
    fields: int = 0
    repeats: int = 0
    lookups: int = 0
    connections: int = 0
    schema_lists: int = 0

    def add(self, other: "Figures") -> None:
        """Take in a fragment, which stands beside the fields that are already here."""
        repeats = min(self.repeats + other.repeats, _MANY)
        self.add_below(other, 0, 0, 0)
        self.repeats = repeats
        self.fields = min(self.fields + other.fields, _MANY)

    def add_below(self, other: "Figures", depth: int, lists: int, schema_lists: int) -> None:
        """Take in what stands below a field of so many levels, lists and lists of the schema's own."""
        self.depth = max(self.depth, other.depth + depth)
        self.lists = max(self.lists, other.lists + lists)
        self.schema_lists = max(self.schema_lists, other.schema_lists + schema_lists)
        self.selections = min(self.selections + other.selections, _MANY)
        self.repeats = max(self.repeats, other.repeats)
        self.lookups = min(self.lookups + other.lookups, _MANY)
        self.connections = min(self.connections + other.connections, _MANY)


class LimitRules:
    """The limits over one schema."""

    def __init__(self, schema: GraphQLSchema, limits: Limits) -> None:
        self.limits = limits
        self._schema = schema
        self._kinds: dict[str, dict[str, _Kind]] = {}

    def check_length(self, text: str) -> None:
        """Raise LimitExceeded where a text is too long to be looked at."""
        _compare("characters in the document", len(text), self.limits.characters, "max_characters")

    def check_tokens(self, number: int) -> None:
        """Raise LimitExceeded where a document has too many tokens to be parsed."""
        _compare("tokens in the document", number, self.limits.tokens, "max_tokens")

    def check_values(self, values: Mapping[str, Any]) -> None:
        """Raise LimitExceeded where variables hold too many values, or too deep ones."""
        level: list[Any] = [values]
        count = depth = 0
        while level:
            depth += 1
            _compare("levels of nested values in the variables", depth, MOST_NESTED_VALUES)
            inner: list[Any] = []
            for one in level:
                found = one.values() if isinstance(one, Mapping) else one
                count += len(found)
                _compare("values in the variables", count, self.limits.values, "max_values")
                inner.extend(value for value in found if isinstance(value, dict | list))
            level = inner

    def check(self, document: DocumentNode) -> None:
        """Raise LimitExceeded for the first limit that a parsed document goes beyond."""
        _Measured(self._schema, self._kinds, self.limits).check(document)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What counts of a field, wherever it stands: known from its type."""

    type: GraphQLNamedType | None
    is_connection: bool = False
    is_lookup: bool = False
    is_list: bool = False
    is_schema_list: bool = False
    is_counted_apart: bool = False


_UNKNOWN = _Kind(None)


class _Measured:
    def __init__(self, schema: GraphQLSchema, kinds: dict[str, dict[str, _Kind]], limits: Limits) -> None:
        self._schema = schema
        self._kinds = kinds
        self._limits = limits
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        self._known: dict[str, Figures] = {}
        self._directives = 0

    def check(self, document: DocumentNode) -> None:
        limits = self._limits
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        fragments = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
        _compare("operations in the document", len(operations), limits.operations, "max_operations")
        _compare("fragments in the document", len(fragments), limits.fragments, "max_fragments")
        variables = sum(len(node.variable_definitions or ()) for node in operations)
        _compare("variables in the document", variables, limits.variables, "max_variables")
        self._fragments = {node.name.value: node for node in fragments}
        for node in operations:
            self._directives += len(node.directives or ())
            found = self._measure(node.selection_set, self._schema.get_root_type(node.operation), 0, set())
            _compare(
                "root fields besides look-ups and connections", found.fields, limits.root_fields, "max_root_fields"
            )
            self._judge(found)
        for fragment in fragments:
            self._judge(self._fragment(fragment.name.value, 0))
        _compare("directives in the document", self._directives, limits.directives, "max_directives")

    def _judge(self, found: Figures) -> None:
        limits = self._limits
        _compare("levels of nested fields", found.depth, limits.depth, "max_depth")
        _compare("levels of lists within lists", found.lists, limits.lists, "max_lists")
        _compare("levels of lists within lists of the schema's own", found.schema_lists, _MOST_SCHEMA_LISTS)
        _compare("connections", found.connections, limits.connections, "max_connections")
        _compare("look-ups by id", found.lookups, limits.lookups, "max_lookups")
        _compare("fields of one object asked for over again", found.repeats, limits.aliases, "max_aliases")
        _compare("fields, its fragments spelled out", found.selections, limits.selections, "max_selections")

    def _measure(
        self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None, level: int, seen: set[str]
    ) -> Figures:
        """Measure a selection set; `seen` holds the names asked for so far in the set that it is part of."""
        if level > _DEEPEST:
            raise LimitExceeded("levels of nested fields and fragments", level, _DEEPEST)
        kinds = self._kinds_of(parent)
        total = Figures(selections=min(len(selection_set.selections), _MANY))
        leaves = 0
        for node in selection_set.selections:
            if node.directives:
                self._directives += len(node.directives)
            if isinstance(node, FieldNode):
                name = node.name.value
                kind = kinds.get(name, _UNKNOWN)
                if not kind.is_counted_apart:
                    total.fields += 1
                    if name in seen:
                        total.repeats += 1
                    else:
                        seen.add(name)
                if node.selection_set is None:
                    leaves += 1
                else:
                    self._take_below(total, node.selection_set, kind, level)
            elif isinstance(node, FragmentSpreadNode):
                spread = f"...{node.name.value}"
                total.repeats += spread in seen
                seen.add(spread)
                total.add(self._fragment(node.name.value, level + 1))
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = self._schema.get_type(condition.name.value) if condition else parent
                total.add(self._measure(node.selection_set, inner, level + 1, seen))
        if leaves:
            total.depth = max(total.depth, 1)
        return total

    def _take_below(self, total: Figures, selection_set: SelectionSetNode, kind: _Kind, level: int) -> None:
        total.connections += kind.is_connection
        total.lookups += kind.is_lookup
        below = self._measure(selection_set, kind.type, level + 1, set())
        total.add_below(below, 1, kind.is_list or kind.is_connection, kind.is_schema_list)

    def _fragment(self, name: str, level: int) -> Figures:
        known = self._known.get(name)
        if known is None:
            # Whoever comes here again from within has found a circle, which validation refuses.
            self._known[name] = Figures()
            fragment = self._fragments.get(name)
            if fragment is None:
                return self._known[name]
            self._directives += len(fragment.directives or ())
            kind = self._schema.get_type(fragment.type_condition.name.value)
            known = self._known[name] = self._measure(fragment.selection_set, kind, level, set())
        return known

    def _kinds_of(self, parent: GraphQLNamedType | None) -> Mapping[str, _Kind]:
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return {}
        known = self._kinds.get(parent.name)
        if known is None:
            own = dict(parent.fields)
            if parent is self._schema.query_type:
                own |= {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
            known = {name: self._classify(parent, field, name) for name, field in own.items()}
            self._kinds[parent.name] = known
        return known

    def _classify(self, parent: GraphQLObjectType | GraphQLInterfaceType, field: GraphQLField, name: str) -> _Kind:
        target = get_named_type(field.type)
        listed = is_list_type(get_nullable_type(field.type)) and is_composite_type(target)
        is_root = parent is self._schema.query_type
        needs_argument = any(is_required_argument(argument) for argument in field.args.values())
        own = name.startswith("__") or parent.name.startswith("__")
        is_lookup = is_root and is_composite_type(target) and needs_argument and not own
        return _Kind(
            target,
            is_connection=_is_connection(target),
            is_lookup=is_lookup,
            # A connection's own lists are the very rows that it stands for.
            is_list=listed and not own and not _is_connection(parent),
            is_schema_list=listed and parent.name == "__Type" and name in _SCHEMA_LISTS,
            is_counted_apart=is_lookup or _is_connection(target),
        )


def _is_connection(kind: GraphQLNamedType) -> bool:
    return isinstance(kind, GraphQLObjectType) and "pageInfo" in kind.fields


def _compare(what: str, number: int, limit: int, setting: str | None = None) -> None:
    if number > limit:
        raise LimitExceeded(what, number, limit, setting)
