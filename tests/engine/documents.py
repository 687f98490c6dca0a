"""Documents for both ways to run them: generated, and made crooked with everything that GraphQL allows."""

import random
from typing import Any, cast

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    parse,
)
from graphql.language import FieldNode, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode

from gateway.schema.ids import encode_cursor, encode_id
from tests.engine.world import World

CONDITIONS = ("true", "false", "$yes", "$no")


class Documents:
    """Writes documents with the variables that go with them, from a seed."""

    def __init__(self, schema: GraphQLSchema, world: World, seed: int) -> None:
        self._schema = schema
        self._world = world
        self._random = random.Random(seed)
        self._fragments: list[str] = []
        self._declared: dict[str, tuple[str, Any]] = {"yes": ("Boolean!", True), "no": ("Boolean!", False)}
        self._aliases = 0
        self._left = 60

    def generated(self, depth: int = 5) -> tuple[str, dict[str, Any]]:
        """Return a document of our own making and its variables."""
        return self._document(self._fields(self._root, depth, roots=True))

    def crooked(self, text: str) -> tuple[str, dict[str, Any]]:
        """Return a document that selects what another one does, and more, in other ways; arguments are made anew."""
        (operation,) = [one for one in parse(text).definitions if isinstance(one, OperationDefinitionNode)]
        return self._document(self._reselected(self._root, operation.selection_set))

    @property
    def _node(self) -> GraphQLInterfaceType:
        return cast("GraphQLInterfaceType", self._schema.type_map["Node"])

    @property
    def _root(self) -> GraphQLObjectType:
        assert self._schema.query_type is not None
        return self._schema.query_type

    def _document(self, selections: list[str]) -> tuple[str, dict[str, Any]]:
        body = self._set(self._root, selections)
        named = [
            name for name in self._declared if f"${name}" in body or any(f"${name}" in one for one in self._fragments)
        ]
        given = ", ".join(f"${name}: {self._declared[name][0]}" for name in named)
        text = "\n".join([f"query {f'({given})' if given else ''} {body}", *self._fragments])
        return text, {name: self._declared[name][1] for name in named}

    # Selections

    def _fields(self, kind: GraphQLNamedType, depth: int, *, roots: bool = False) -> list[str]:
        """Select some fields of a type, out of nothing."""
        if is_abstract_type(kind):
            possible = self._schema.get_possible_types(kind)
            some = self._random.sample(possible, 2)
            return [
                self._field("id", self._node.fields["id"], []),
                *[self._spread(one, self._fields(one, depth)) for one in some],
            ]
        assert isinstance(kind, GraphQLObjectType)
        found = []
        names = list(kind.fields)
        for name in self._random.sample(
            names, min(len(names), self._random.choice([1, 2, 3] if roots else [1, 2, 4, 7]))
        ):
            definition = kind.fields[name]
            target = get_named_type(definition.type)
            if is_leaf_type(target):
                found.append(self._field(name, definition, []))
            elif depth > 0 and self._left > 0:
                self._left -= 1
                found.append(self._field(name, definition, [self._set(target, self._fields(target, depth - 1))]))
        return found or ["__typename"]

    def _reselected(self, kind: Any, selections: SelectionSetNode) -> list[str]:
        """Select what a selection set selects."""
        found = []
        for node in selections.selections:
            if isinstance(node, InlineFragmentNode):
                on = self._schema.type_map[node.type_condition.name.value] if node.type_condition else kind
                found.append(self._spread(on, self._reselected(on, node.selection_set)))
            elif isinstance(node, FieldNode) and node.name.value != "__typename":
                definition = kind.fields[node.name.value]
                target = get_named_type(definition.type)
                inner = self._reselected(target, node.selection_set) if node.selection_set else []
                found.append(self._field(node.name.value, definition, [self._set(target, inner)] if inner else []))
        return found or ["__typename"]

    def _set(self, kind: Any, selections: list[str]) -> str:
        """Write a selection set, with fragments and repetitions thrown in."""
        dice = self._random.random
        pieces = list(selections)
        if dice() < 0.2:
            pieces.insert(
                self._random.randrange(len(pieces) + 1), self._random.choice(["__typename", "kind: __typename"])
            )
        if dice() < 0.15:
            pieces.append(self._random.choice(pieces))
        if dice() < 0.25:
            cut = self._random.randrange(len(pieces))
            pieces[cut:] = [self._spread(kind, pieces[cut:])]
        return "{ " + " ".join(pieces) + " }"

    def _spread(self, kind: Any, selections: list[str]) -> str:
        """Write an inline or named fragment."""
        body = "{ " + " ".join(selections) + " }"
        on = (
            self._random.choice([f"on {kind.name} ", f"on {kind.name} ", ""])
            if isinstance(kind, GraphQLObjectType)
            else f"on {kind.name} "
        )
        if self._random.random() < 0.5 or not on:
            on = on or f"on {kind.name} "
            return f"... {on}{self._condition(0.15)} {body}"
        name = f"F{len(self._fragments)}"
        self._fragments.append(f"fragment {name} on {kind.name} {body}")
        return f"...{name} {self._condition(0.15)}"

    def _condition(self, chance: float) -> str:
        if self._random.random() >= chance:
            return ""
        return f"@{self._random.choice(['skip', 'include'])}(if: {self._random.choice(CONDITIONS)})"

    def _field(self, name: str, definition: GraphQLField, inner: list[str]) -> str:
        arguments = self._arguments(definition)
        alias = ""
        if arguments or self._random.random() < 0.15:
            self._aliases += 1
            alias = f"{self._random.choice(['a', 'f0', 'class', '__x', 'def'])}{self._aliases}: "
        given = f"({', '.join(arguments)})" if arguments else ""
        return " ".join([f"{alias}{name}{given}", self._condition(0.08), *inner])

    # Arguments

    def _arguments(self, definition: GraphQLField) -> list[str]:
        pick = self._random
        if "id" in definition.args:
            optional = definition.args["id"].type == get_named_type(definition.args["id"].type)
            return [] if optional and pick.random() < 0.6 else [self._argument("id", "ID!", self._an_id(definition))]
        if "ids" in definition.args:
            return [self._argument("ids", "[ID!]!", [self._an_id(definition) for _ in range(pick.randrange(5))])]
        found = []
        size, cursor = pick.choice([("first", "after"), ("first", "after"), ("last", "before"), ("first", "before")])
        if size in definition.args:
            if pick.random() < 0.6:
                found.append(self._argument(size, "Int", pick.choice([0, 1, 2, 3, 50, None, -1, 20_000])))
            if pick.random() < 0.15:
                found.append(self._argument(cursor, "String", self._a_cursor()))
        if "primary" in definition.args and pick.random() < 0.3:
            found.append(self._argument("primary", "Boolean", pick.choice([True, False, None])))
        if "role" in definition.args and pick.random() < 0.4:
            kind = cast("GraphQLEnumType", get_named_type(definition.args["role"].type))
            found.append(self._argument("role", kind.name, pick.choice([*kind.values, None]), enum=True))
        return found

    def _argument(self, name: str, kind: str, value: Any, *, enum: bool = False) -> str:
        if self._random.random() < 0.3:
            variable = f"v{len(self._declared)}"
            self._declared[variable] = kind, value
            return f"{name}: ${variable}"
        return f"{name}: {_literal(value, enum)}"

    def _an_id(self, definition: GraphQLField) -> str:
        pick = self._random
        target = get_named_type(definition.type).name
        record = pick.choice(
            [
                one
                for one in self._world.records.values()
                if type(one).__name__ == target or pick.random() < 0.05 or target == "Node"
            ]
        )
        return pick.choice([encode_id(record), encode_id(record), record.id, record.id.upper(), "e" * 24, "bad", ""])

    def _a_cursor(self) -> str:
        return self._random.choice([encode_cursor(self._random.choice(list(self._world.records.values()))), "bad"])


def _literal(value: Any, enum: bool) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_literal(item, enum) for item in value)}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if enum or isinstance(value, int) else f'"{value}"'
