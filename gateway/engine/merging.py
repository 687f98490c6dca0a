"""Whether fields that end up under one name in an answer can be merged, in time that grows with the fields alone.

https://spec.graphql.org/draft/#sec-Field-Selection-Merging compares pairs. Whether two fields agree is an equivalence,
so that it is enough to compare each with the first of its group. A group that a fragment repeats is judged once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLObjectType,
    InlineFragmentNode,
    Node,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    is_composite_type,
    is_list_type,
    is_non_null_type,
    print_ast,
)

from gateway.engine.types import FieldInfo, Types

# Fields looked at in all. What the limits let through never comes near it.
_MOST_STEPS = 100_000


class Conflict(Exception):
    """Two fields of the same name in the answer ask for different things."""

    def __init__(self, one: Node, other: Node) -> None:
        super().__init__("conflict")
        self.nodes = (one, other)


@dataclass(slots=True)
class _Asked:
    """A field as it is asked for: where, and what it is."""

    node: FieldNode
    parent: GraphQLCompositeType
    info: FieldInfo


Scope = list[tuple[SelectionSetNode, GraphQLCompositeType]]
Groups = dict[str, list[_Asked]]


class Merging:
    """Judges the operations of one document, whose fields are known to exist."""

    def __init__(self, types: Types, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._types = types
        self._fragments = fragments
        self._judged: set[frozenset[int]] = set()
        self._steps = 0

    def check(self, selection_set: SelectionSetNode, parent: GraphQLCompositeType) -> None:
        """Raise Conflict where fields below cannot be merged."""
        self._judge([(selection_set, parent)])

    def _judge(self, scope: Scope) -> None:
        for group in self._groups(scope).values():
            if len(group) == 1:
                self._go_below(group)
                continue
            _require_same_shape(group)
            parts = _by_parent(group)
            for part in parts:
                _require_same_question(part)
                self._go_below(part)
            if len(parts) > 1:
                self._judge_shapes(_below(group))

    def _judge_shapes(self, scope: Scope) -> None:
        """Judge what stands below fields that never occur together: only its shape must agree."""
        for group in self._groups(scope).values():
            if len(group) > 1:
                _require_same_shape(group)
                self._judge_shapes(_below(group))

    def _go_below(self, group: list[_Asked]) -> None:
        below = _below(group)
        if below:
            key = frozenset(id(one.node) for one in group)
            if key not in self._judged:
                self._judged.add(key)
                self._judge(below)

    def _groups(self, scope: Scope) -> Groups:
        groups: Groups = {}
        seen: set[str] = set()
        rest = scope[::-1]
        while rest:
            selection_set, parent = rest.pop()
            fields = self._types.fields_of(parent)
            for node in selection_set.selections:
                self._steps += 1
                if self._steps > _MOST_STEPS:
                    raise Conflict(node, node)
                if isinstance(node, FieldNode):
                    name = (node.alias or node.name).value
                    asked = _Asked(node, parent, fields[node.name.value])
                    if name in groups:
                        groups[name].append(asked)
                    else:
                        groups[name] = [asked]
                elif isinstance(node, FragmentSpreadNode):
                    if node.name.value not in seen:
                        seen.add(node.name.value)
                        fragment = self._fragments[node.name.value]
                        rest.append((fragment.selection_set, self._condition(fragment.type_condition.name.value)))
                elif isinstance(node, InlineFragmentNode):
                    condition = node.type_condition
                    rest.append((node.selection_set, self._condition(condition.name.value) if condition else parent))
        return groups

    def _condition(self, name: str) -> GraphQLCompositeType:
        kind = self._types.schema.get_type(name)
        assert is_composite_type(kind)  # noqa: S101 - checked before
        return kind


def _below(group: Iterable[_Asked]) -> Scope:
    return [
        (one.node.selection_set, one.info.composite)
        for one in group
        if one.node.selection_set is not None and one.info.composite is not None
    ]


def _by_parent(group: list[_Asked]) -> list[list[_Asked]]:
    """Return the parts of a group whose fields can occur together: those of one object type, with all of interfaces."""
    first = group[0].parent
    if all(one.parent is first for one in group):
        return [group]
    abstract = [one for one in group if not isinstance(one.parent, GraphQLObjectType)]
    concrete: dict[str, list[_Asked]] = {}
    for one in group:
        if isinstance(one.parent, GraphQLObjectType):
            concrete.setdefault(one.parent.name, []).append(one)
    return [[*part, *abstract] for part in concrete.values()] or [abstract]


def _require_same_question(group: list[_Asked]) -> None:
    first = group[0].node
    expected = None
    for one in group[1:]:
        node = one.node
        if node is first:
            continue
        if node.name.value != first.name.value:
            raise Conflict(first, node)
        if node.arguments or first.arguments:
            expected = _arguments(first) if expected is None else expected
            if _arguments(node) != expected:
                raise Conflict(first, node)


def _arguments(node: FieldNode) -> dict[str, tuple[str, bool | None]]:
    return {one.name.value: _written(one.value) for one in node.arguments or ()}


def _written(value: ValueNode) -> tuple[str, bool | None]:
    if isinstance(value, StringValueNode):
        return value.value, bool(value.block)
    return print_ast(value), None


def _require_same_shape(group: list[_Asked]) -> None:
    first = group[0]
    for one in group[1:]:
        if one.info is not first.info and not _same_shape(one.info.type, first.info.type):
            raise Conflict(first.node, one.node)


def _same_shape(one: object, other: object) -> bool:
    while True:
        if one is other:
            return True
        if is_list_type(one) != is_list_type(other) or is_non_null_type(one) != is_non_null_type(other):
            return False
        if not (is_list_type(one) or is_non_null_type(one)):
            return is_composite_type(one) and is_composite_type(other)
        one, other = one.of_type, other.of_type  # type: ignore[attr-defined]
