"""Documents, parsed and validated once and remembered: clients send the same few ones over and over."""

from collections import OrderedDict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import OverlappingFieldsCanBeMergedRule

from gateway.engine.answers import without_values
from gateway.engine.limits import LimitRules, Limits
from gateway.engine.merging import Conflict
from gateway.engine.operations import Named, Operation
from gateway.engine.reading import read_document
from gateway.engine.tokens import Tokens, Unread
from gateway.engine.types import Types
from gateway.engine.validity import Invalid, check_validity
from gateway.errors import RequestRefused

_MOST_DOCUMENTS = 1_000
# A parsed document takes some eighty bytes for each of its characters.
_MOST_CHARACTERS = 2_000_000
# Of a document's SHA-256, enough to tell it from the others in sight.
_SHOWN_DIGITS = 8
# What graphql-core says of a document that would take it too long to validate, and what we say.
_ABORTED = "Validation aborted."
_TOO_MUCH = GraphQLError("The document is too large or too deeply nested to be checked. Send it in parts.")

# A wrong document that is larger is told where it is wrong, and not how: graphql-core would take too long to say.
_EXPLAINED_TOKENS = 1_000
_EXPLAINED_CHARACTERS = 8_000
# This rule compares fields pair by pair, and is judged by us.
_EXPLAINING_RULES = [rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule]

_INTROSPECTION = frozenset({"__schema", "__type", "__typename"})


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document, what validation found wrong with it, the length and SHA-256 of its text, is it trusted?"""

    ast: DocumentNode
    errors: Sequence[GraphQLError]
    size: int = 0
    sha256: str = ""
    trusted: bool = False
    _prepared: dict[str | None, Operation] = field(default_factory=dict)

    def prepared(self, schema: GraphQLSchema, name: str | None) -> Operation:
        """Return the operation to run, with what of it is worked out once. Raises RequestRefused as `operation`."""
        known = self._prepared.get(name)
        if known is None:
            node = self.operation(name)
            named = Named(node.name.value if self.trusted and node.name else "", self.sha256[:_SHOWN_DIGITS])
            known = Operation(schema, self.ast, node, self.size, named)
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

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits | None = None,
        trusted: Container[str] = frozenset(),
        *,
        suggestions: bool = True,
    ) -> None:
        """Read documents of `schema` within `limits`; the `trusted` texts have none.

        Without `suggestions` no message names a field or type that the caller did not name.
        """
        self._schema = schema
        self._types = Types(schema)
        self._rules = LimitRules(schema, limits or Limits())
        self._trusted = trusted
        self._suggestions = suggestions
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0

    def prepare(self, text: str) -> Document:
        """Return the document of a source text.

        Raises RequestRefused where the text is not GraphQL, LimitExceeded where it holds too much; what is invalid is
        told in `Document.errors`. A document that is known has passed the limits.
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

    def check_values(self, values: Mapping[str, Any]) -> None:
        """Raise LimitExceeded where variables hold too many values, or too deep ones."""
        self._rules.check_values(values)

    def _read(self, text: str) -> Document:
        limits = None if text in self._trusted else self._rules
        if limits:
            limits.check_length(text)
        try:
            ast = self._parse(text, limits)
            if limits:
                limits.check(ast)
            digest = sha256(text.encode(errors="replace")).hexdigest()
            return Document(ast, self._mistakes(ast, text), len(text), digest, text in self._trusted)
        except GraphQLSyntaxError as error:
            place = error.locations[0] if error.locations else None
            where = f" (line {place.line}, column {place.column})" if place else ""
            raise RequestRefused("GRAPHQL_PARSE_FAILED", f"{without_values(error.message)}{where}") from None
        except RecursionError:
            raise RequestRefused("GRAPHQL_PARSE_FAILED", "The document is nested too deeply.") from None

    def _parse(self, text: str, limits: LimitRules | None) -> DocumentNode:
        try:
            tokens = Tokens(text)
            if limits:
                limits.check_tokens(len(tokens))
            return read_document(tokens)
        except Unread as unread:
            if len(text) <= _EXPLAINED_CHARACTERS:
                return parse(text)
            line = text.count("\n", 0, unread.position) + 1
            column = unread.position - text.rfind("\n", 0, unread.position)
            raise RequestRefused(
                "GRAPHQL_PARSE_FAILED",
                f"Syntax Error: this is not GraphQL (line {line}, column {column}). A document of at most "
                f"{_EXPLAINED_CHARACTERS} characters is told why.",
            ) from None

    def _mistakes(self, ast: DocumentNode, text: str) -> list[GraphQLError]:
        """Return what is wrong with a document; nothing where it is valid."""
        try:
            check_validity(self._types, ast)
        except Conflict as conflict:
            problem = "Two fields of one name ask for different things here. Give one of them an alias."
            return [GraphQLError(problem, list(conflict.nodes))]
        except Invalid as invalid:
            return self._explained(ast, text) or [
                GraphQLError(
                    "The document does not fit the schema here. A document of at most "
                    f"{_EXPLAINED_TOKENS} tokens is told why.",
                    [invalid.node],
                )
            ]
        except RecursionError:
            return [_TOO_MUCH]
        return []

    def _explained(self, ast: DocumentNode, text: str) -> list[GraphQLError]:
        if ast.token_count > _EXPLAINED_TOKENS:
            return []
        errors = validate(
            self._schema, parse(text), _EXPLAINING_RULES, max_errors=20, hide_suggestions=not self._suggestions
        )
        return [_TOO_MUCH if error.message == _ABORTED else error for error in errors]
