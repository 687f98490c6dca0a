"""Operations of known documents: what of them is worked out once, and kept for every request that sends them again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
    coerce_input_value,
    is_non_null_type,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.pyutils import Undefined

_MOST_ERRORS = 5
_NONE = VariableValues({}, {})


@dataclass(frozen=True, slots=True)
class Named:
    """What an operation is called where no word of a stranger's may stand, as in a metric or on a page of ours.

    `name` is the operation's own if its document is trusted, else empty; `digest` the first digits of the document's
    SHA-256.
    """

    name: str = ""
    digest: str = ""


class Variables:
    """The variables of one operation: their types are looked up once, their values are checked in each request."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        signatures = [get_variable_signature(schema, one) for one in self._definitions]
        self._signatures = [one for one in signatures if isinstance(one, GraphQLVariableSignature)]
        self._plain = len(self._signatures) == len(signatures)

    def coerce(self, values: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """Return the values as their types take them, or what is wrong with them."""
        if not self._definitions:
            return _NONE
        found = self._coerced(values) if self._plain else None
        if found is None:
            return get_variable_values(self._schema, self._definitions, dict(values), max_errors=_MOST_ERRORS)
        return found

    def _coerced(self, values: Mapping[str, Any]) -> VariableValues | None:
        """Return the coerced values, or None where graphql-core has to look closer."""
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for signature in self._signatures:
            value = values.get(signature.name, Undefined)
            if value is Undefined:
                if signature.default is not None or is_non_null_type(signature.type):
                    return None
                sources[signature.name] = VariableValueSource(signature)
                continue
            try:
                taken = coerce_input_value(value, signature.type)
            except (GraphQLError, RecursionError, ValueError, TypeError):
                return None
            if taken is Undefined:
                return None
            sources[signature.name] = VariableValueSource(signature, value)
            coerced[signature.name] = taken
        return VariableValues(sources, coerced)


class Operation:
    """One operation of a document, whose text is `size` characters long."""

    __slots__ = ("__weakref__", "conditions", "document", "fragments", "named", "node", "size", "variables")

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode, size: int, named: Named
    ) -> None:
        definitions = [one for one in document.definitions if isinstance(one, FragmentDefinitionNode)]
        self.document = document
        self.node = node
        self.size = size
        self.named = named
        self.fragments = {one.name.value: FragmentDetails(one, None) for one in definitions}
        self.variables = Variables(schema, node)
        self.conditions = sorted({name for one in (node, *definitions) for name in _conditions(one.selection_set)})


def _conditions(selections: Any) -> Iterator[str]:
    """Return the names of the variables in the conditions (@skip, @include) of a selection set."""
    waiting = [selections]
    while waiting:
        for node in waiting.pop().selections:
            for directive in node.directives or ():
                for argument in directive.arguments or ():
                    if isinstance(argument.value, VariableNode):
                        yield argument.value.name.value
            if getattr(node, "selection_set", None):
                waiting.append(node.selection_set)
