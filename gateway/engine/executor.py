"""One operation, from its text to its answer."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, execute, print_ast
from graphql.execution import get_variable_values

from gateway.engine.answers import Answer, public_errors, refusal
from gateway.engine.documents import DocumentCache, only_introspects
from gateway.errors import BadUserInput, RequestRefused
from gateway.schema.context import Context


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks: a document's text, which of its operations, and the variables."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that can be executed."""

    request: Request
    document: Any
    operation: OperationDefinitionNode

    @property
    def only_introspects(self) -> bool:
        """Say whether answering needs no data, and so no token."""
        return only_introspects(self.operation)


class Refused(Exception):
    """The request cannot be executed; `body` is the answer to give."""

    def __init__(self, body: Answer) -> None:
        super().__init__("refused")
        self.body = body


class Engine:
    """Prepares and executes requests against one schema."""

    def __init__(
        self,
        schema: GraphQLSchema,
        on_internal: Callable[[Exception], None] = lambda _error: None,
        documents: DocumentCache | None = None,
    ) -> None:
        self._schema = schema
        self._documents = documents or DocumentCache(schema)
        self._on_internal = on_internal

    def prepare(self, request: Request) -> Prepared:
        """Parse, validate, choose the operation and check the variables.

        Raises Refused with a body of coded errors.
        """
        try:
            self._documents.check_values(request.variables or {})
            document = self._documents.prepare(request.query)
            if document.errors:
                raise Refused(refusal(document.errors, "GRAPHQL_VALIDATION_FAILED"))
            operation = document.operation(request.operation_name)
        except RequestRefused as error:
            raise Refused(refusal([error], error.public_code)) from None
        self._check_variables(operation, request.variables or {})
        return Prepared(request, document.ast, operation)

    async def execute(self, prepared: Prepared, context: Context) -> Answer:
        """Run a prepared request; failures of single fields are errors beside the data."""
        result = execute(
            self._schema,
            prepared.document,
            context_value=context,
            variable_values=dict(prepared.request.variables or {}),
            operation_name=prepared.request.operation_name or None,
        )
        if inspect.isawaitable(result):
            result = await result
        answer: Answer = {"data": result.data}
        if result.errors:
            answer["errors"] = public_errors(result.errors, self._on_internal)
        return answer

    def _check_variables(self, operation: OperationDefinitionNode, values: Mapping[str, Any]) -> None:
        coerced = get_variable_values(self._schema, operation.variable_definitions or (), dict(values), max_errors=5)
        if isinstance(coerced, list):
            raise Refused(refusal([_variable_error(error) for error in coerced], BadUserInput.code))


def _variable_error(error: GraphQLError) -> BadUserInput:
    """Say which variable does not fit its type; graphql-core's own message would repeat the value."""
    definition = error.nodes[0] if error.nodes else None
    name = getattr(getattr(getattr(definition, "variable", None), "name", None), "value", None)
    if name is None:
        return BadUserInput("variables", "A variable's value does not fit its type.")
    expected = print_ast(definition.type)  # type: ignore[union-attr]
    return BadUserInput(
        f"${name}", f"Variable `${name}` takes a value of type `{expected}`; what was sent, or left out, does not fit."
    )
