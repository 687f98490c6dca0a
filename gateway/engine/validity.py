"""Whether a document is valid, decided in time linear in its size: the rules of graphql-core, without their messages.

graphql-core's own rules visit a document through layers of visitors and compare fields pair by pair. Here a definition
is walked once, and a fragment is never walked again where it is spread. Whatever is found to be invalid is left to
graphql-core to explain, where it is small enough for that. A test compares both on generated documents.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLCompositeType,
    GraphQLInputType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_nullable_type,
    is_composite_type,
    is_input_type,
    is_list_type,
    type_from_ast,
)
from graphql.utilities import validate_input_literal
from graphql.utilities.type_comparators import do_types_overlap
from graphql.validation.rules.variables_in_allowed_position import allowed_variable_usage

from gateway.engine.merging import Merging
from gateway.engine.types import Types


class Invalid(Exception):
    """The document is not valid, or not certainly so; `node` is where that shows."""

    def __init__(self, node: Node) -> None:
        super().__init__("invalid")
        self.node = node


# A variable, the type of the place it stands in, and whether that place has a default value.
Usage = tuple[str, GraphQLInputType, bool]


@dataclass(slots=True)
class _Found:
    """What a definition spreads, and which variables it uses where."""

    spreads: dict[str, FragmentSpreadNode] = field(default_factory=dict)
    usages: dict[Usage, VariableNode] = field(default_factory=dict)


def check_validity(types: Types, document: DocumentNode) -> None:
    """Raise Invalid, or Conflict where fields of one name cannot be merged, unless a document is valid."""
    _Check(types, document).run()


class _Check:
    def __init__(self, types: Types, document: DocumentNode) -> None:
        self._types = types
        self._schema: GraphQLSchema = types.schema
        self._document = document
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        self._found: dict[str, _Found] = {}

    def run(self) -> None:
        operations: list[OperationDefinitionNode] = []
        for node in self._document.definitions:
            if isinstance(node, OperationDefinitionNode):
                operations.append(node)
            elif isinstance(node, FragmentDefinitionNode) and node.name.value not in self._fragments:
                self._fragments[node.name.value] = node
            else:
                raise Invalid(node)
        names = {node.name.value if node.name else None for node in operations}
        if len(names) != len(operations) or (None in names and len(operations) > 1):
            raise Invalid(operations[-1])
        for name, fragment in self._fragments.items():
            self._found[name] = self._walk_fragment(fragment)
        order = self._without_circles()
        walked = [self._operation(node) for node in operations]
        reached = _Reached(self._found, order)
        used: set[str] = set()
        for operation, (found, _) in zip(operations, walked, strict=True):
            fragments, usages = reached.of(found)
            used |= fragments
            self._check_variables(operation, usages)
        for name, fragment in self._fragments.items():
            if name not in used:
                raise Invalid(fragment)
        merging = Merging(self._types, self._fragments)
        for operation, (_, parent) in zip(operations, walked, strict=True):
            merging.check(operation.selection_set, parent)

    def _walk_fragment(self, fragment: FragmentDefinitionNode) -> _Found:
        found = _Found()
        parent = self._condition(fragment.type_condition.name.value, fragment)
        self._directives(fragment.directives, "FRAGMENT_DEFINITION", found)
        self._walk(fragment.selection_set, parent, found)
        return found

    def _operation(self, node: OperationDefinitionNode) -> tuple[_Found, GraphQLCompositeType]:
        parent = self._schema.get_root_type(node.operation)
        # A subscription has rules of its own.
        if parent is None or node.operation.value == "subscription":
            raise Invalid(node)
        found = _Found()
        self._directives(node.directives, node.operation.value.upper(), found)
        self._walk(node.selection_set, parent, found)
        return found, parent

    def _walk(self, selection_set: SelectionSetNode, parent: GraphQLCompositeType, found: _Found) -> None:
        fields = self._types.fields_of(parent)
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                info = fields.get(node.name.value)
                if info is None:
                    raise Invalid(node)
                if node.directives:
                    self._directives(node.directives, "FIELD", found)
                if node.arguments or info.required:
                    self._arguments(node, info.arguments, info.required, found)
                if (node.selection_set is None) is not (info.composite is None):
                    raise Invalid(node)
                if node.selection_set is not None and info.composite is not None:
                    self._walk(node.selection_set, info.composite, found)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments.get(node.name.value)
                if fragment is None:
                    raise Invalid(node)
                self._directives(node.directives, "FRAGMENT_SPREAD", found)
                self._overlaps(self._condition(fragment.type_condition.name.value, node), parent, node)
                found.spreads.setdefault(node.name.value, node)
            elif isinstance(node, InlineFragmentNode):
                self._directives(node.directives, "INLINE_FRAGMENT", found)
                inner = parent
                if node.type_condition:
                    inner = self._condition(node.type_condition.name.value, node)
                    self._overlaps(inner, parent, node)
                self._walk(node.selection_set, inner, found)

    def _condition(self, name: str, node: Node) -> GraphQLCompositeType:
        kind = self._schema.get_type(name)
        if kind is None or not is_composite_type(kind):
            raise Invalid(node)
        return kind

    def _overlaps(self, one: GraphQLCompositeType, other: GraphQLCompositeType, node: Node) -> None:
        if one is not other and not do_types_overlap(self._schema, one, other):
            raise Invalid(node)

    def _directives(self, nodes: Sequence[DirectiveNode] | None, location: str, found: _Found) -> None:
        seen: set[str] = set()
        for node in nodes or ():
            info = self._types.directives.get(node.name.value)
            if info is None or location not in info.locations or node.name.value in seen:
                raise Invalid(node)
            if not info.is_repeatable:
                seen.add(node.name.value)
            self._arguments(node, info.arguments, info.required, found)

    def _arguments(
        self,
        node: FieldNode | DirectiveNode,
        known: Mapping[str, GraphQLArgument],
        required: frozenset[str],
        found: _Found,
    ) -> None:
        given: set[str] = set()
        for one in node.arguments or ():
            name = one.name.value
            argument = known.get(name)
            if argument is None or name in given:
                raise Invalid(one)
            given.add(name)
            has_default = argument.default_value is not Undefined
            self._value(one.value, argument.type, has_default, found)
        if not required <= given:
            raise Invalid(node)

    def _value(self, node: ValueNode, kind: GraphQLInputType, has_default: bool, found: _Found) -> None:
        if isinstance(node, VariableNode):
            found.usages.setdefault((node.name.value, kind, has_default), node)
        elif isinstance(node, ListValueNode) and is_list_type(inner := get_nullable_type(kind)):
            for item in node.values:
                self._value(item, inner.of_type, False, found)
        elif isinstance(node, ObjectValueNode | ListValueNode):
            # No input of ours takes these: what they may hold is left to graphql-core.
            raise Invalid(node)
        elif not self._types.is_plainly(node, kind):
            validate_input_literal(node, kind, _raise_invalid(node))

    def _check_variables(self, operation: OperationDefinitionNode, usages: Iterable[Usage]) -> None:
        declared: dict[str, tuple[VariableDefinitionNode, Any]] = {}
        nothing = _Found()
        for node in operation.variable_definitions or ():
            kind = type_from_ast(self._schema, node.type)
            if kind is None or not is_input_type(kind) or node.variable.name.value in declared:
                raise Invalid(node)
            self._directives(node.directives, "VARIABLE_DEFINITION", nothing)
            if node.default_value is not None:
                self._value(node.default_value, kind, False, nothing)
            declared[node.variable.name.value] = (node, kind)
        if nothing.usages:
            raise Invalid(operation)
        used: set[str] = set()
        for name, place, has_default in usages:
            if name not in declared:
                raise Invalid(operation)
            definition, kind = declared[name]
            default = None if has_default else Undefined
            if kind is not place and not allowed_variable_usage(
                self._schema, kind, definition.default_value, place, default
            ):
                raise Invalid(definition)
            used.add(name)
        if len(used) != len(declared):
            raise Invalid(operation)

    def _without_circles(self) -> list[str]:
        """Return the fragments in an order in which each comes after those that it spreads."""
        order: list[str] = []
        done: set[str] = set()
        for root in self._found:
            path = [(root, iter(self._found[root].spreads.items()))] if root not in done else []
            on_path = {root}
            while path:
                name, rest = path[-1]
                for spread, node in rest:
                    if spread in on_path:
                        raise Invalid(node)
                    if spread not in done:
                        path.append((spread, iter(self._found[spread].spreads.items())))
                        on_path.add(spread)
                        break
                else:
                    path.pop()
                    on_path.discard(name)
                    done.add(name)
                    order.append(name)
        return order


class _Reached:
    """The fragments that are reached from a definition, and the usages of variables in all of them."""

    def __init__(self, found: Mapping[str, _Found], order: Iterable[str]) -> None:
        self._fragments: dict[str, set[str]] = {}
        self._usages: dict[str, set[Usage]] = {}
        for name in order:
            fragments, usages = self.of(found[name])
            self._fragments[name] = {name, *fragments}
            self._usages[name] = usages

    def of(self, found: _Found) -> tuple[set[str], set[Usage]]:
        """Return both for a definition whose spreads are known."""
        fragments: set[str] = set()
        usages: set[Usage] = set(found.usages)
        for name in found.spreads:
            if name not in fragments:
                fragments |= self._fragments[name]
                usages |= self._usages[name]
        return fragments, usages


def _raise_invalid(node: Node) -> Any:
    def report(_error: Exception, _path: Any) -> None:
        raise Invalid(node)

    return report
