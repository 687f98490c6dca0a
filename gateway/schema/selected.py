"""Which of its own fields a connection was asked for: rows are read only for those who look at them."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLResolveInfo,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionSetNode,
    get_directive_values,
)


def selected_fields(info: GraphQLResolveInfo[Any]) -> set[str]:
    """Return the names of the fields selected one level below the field being resolved.

    Fragments are looked into; what `@skip` or `@include` leaves out is not selected.
    """
    return {name for node in info.field_nodes if node.selection_set for name in _names(info, node.selection_set)}


def _names(info: GraphQLResolveInfo[Any], selections: SelectionSetNode) -> Iterator[str]:
    for node in selections.selections:
        if node.directives and _left_out(info, node):
            continue
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, InlineFragmentNode):
            yield from _names(info, node.selection_set)
        elif isinstance(node, FragmentSpreadNode):
            yield from _names(info, info.fragments[node.name.value].selection_set)


def _left_out(info: GraphQLResolveInfo[Any], node: Any) -> bool:
    skip = get_directive_values(GraphQLSkipDirective, node, info.variable_values)
    include = get_directive_values(GraphQLIncludeDirective, node, info.variable_values)
    return bool(skip and skip["if"]) or bool(include and not include["if"])
