"""Documents, parsed and validated once and remembered: clients send the same few ones over and over."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    parse,
    validate,
)

from gateway.engine.answers import without_values
from gateway.engine.operations import Operation
from gateway.errors import RequestRefused

# Two of the operations of our own benchmarks hold 500 aliased look-ups, of about twenty tokens each.
MAX_TOKENS = 20_000

_MOST_DOCUMENTS = 1_000
_MOST_CHARACTERS = 8_000_000
# What graphql-core says of a document that would take it too long to validate, and what we say.
_ABORTED = "Validation aborted."
_TOO_MUCH = GraphQLError("The document is too large or too deeply nested to be checked. Send it in parts.")

_INTROSPECTION = frozenset({"__schema", "__type", "__typename"})


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document, what validation found wrong with it, and the length of its text."""

    ast: DocumentNode
    errors: Sequence[GraphQLError]
    size: int = 0
    _prepared: dict[str | None, Operation] = field(default_factory=dict)

    def prepared(self, schema: GraphQLSchema, name: str | None) -> Operation:
        """Return the operation to run, with what of it is worked out once. Raises RequestRefused as `operation`."""
        known = self._prepared.get(name)
        if known is None:
            known = Operation(schema, self.ast, self.operation(name), self.size)
            self._prepared[name] = known
        return known

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation to run: the one of that name, or the only one there is.

        Raises RequestRefused where there is no such one.
        """
        operations = [node for node in self.ast.definitions if isinstance(node, OperationDefinitionNode)]
        if name:
            operations = [node for node in operations if node.name and node.name.value == name]
        if len(operations) == 1:
            return operations[0]
        if name:
            problem = "The document has no operation of the name that `operationName` gives."
        elif operations:
            problem = "The document has several operations: say in `operationName` which one to run."
        else:
            problem = "The document has no operation to run."
        raise RequestRefused("GRAPHQL_VALIDATION_FAILED", problem)


def only_introspects(operation: OperationDefinitionNode) -> bool:
    """Say whether an operation asks for the schema alone, so that no token is needed to answer it."""
    return all(
        isinstance(node, FieldNode) and node.name.value in _INTROSPECTION for node in operation.selection_set.selections
    )


class DocumentCache:
    """The documents seen last, least recently used first out; bounded in number and in characters."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0

    def prepare(self, text: str) -> Document:
        """Return the document of a source text.

        Raises RequestRefused where the text is not GraphQL; what is invalid is told in `Document.errors`.
        """
        known = self._documents.get(text)
        if known is not None:
            self._documents.move_to_end(text)
            return known
        document = self._read(text)
        self._documents[text] = document
        self._characters += len(text)
        while len(self._documents) > _MOST_DOCUMENTS or self._characters > _MOST_CHARACTERS:
            dropped, _ = self._documents.popitem(last=False)
            self._characters -= len(dropped)
        return document

    def _read(self, text: str) -> Document:
        try:
            ast = parse(text, max_tokens=MAX_TOKENS)
            errors = validate(self._schema, ast, max_errors=20)
            told = [_TOO_MUCH if error.message == _ABORTED else error for error in errors]
            return Document(ast, told, len(text))
        except GraphQLSyntaxError as error:
            place = error.locations[0] if error.locations else None
            where = f" (line {place.line}, column {place.column})" if place else ""
            raise RequestRefused("GRAPHQL_PARSE_FAILED", f"{without_values(error.message)}{where}") from None
        except RecursionError:
            raise RequestRefused("GRAPHQL_PARSE_FAILED", "The document is nested too deeply.") from None
