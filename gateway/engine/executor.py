"""One operation, from its text to its answer: prepared, then run by its plan, or by graphql-core where it has none."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from graphql import GraphQLError, GraphQLSchema, execute, print_ast
from graphql.execution.values import VariableValues

from gateway.engine.answers import Answer, public_errors, refusal
from gateway.engine.documents import DocumentCache, only_introspects
from gateway.engine.operations import Operation
from gateway.engine.plan import Plan, PlanCache
from gateway.engine.problems import once_a_field
from gateway.errors import BadUserInput, QueryTooComplex, RequestRefused
from gateway.policy import EVERY_GROUP
from gateway.schema.context import Context

# Which of the two runs operations: plans where there are any, or always graphql-core.
Way = Literal["compiled", "graphql-core"]


class Request(msgspec.Struct, frozen=True):
    """What a caller asks: a document's text, which of its operations, and the variables."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] | None = None


class Prepared(msgspec.Struct, frozen=True):
    """A request that can be executed."""

    request: Request
    operation: Operation
    variables: VariableValues

    @property
    def only_introspects(self) -> bool:
        """Say whether answering needs no data, and so no token."""
        return only_introspects(self.operation.node)


class Refused(Exception):
    """The request cannot be executed; `body` is the answer to give."""

    def __init__(self, body: Answer) -> None:
        super().__init__("refused")
        self.body = body


class Engine:
    """Prepares and executes requests against one schema.

    `on_executed` is told for each operation whether a plan ran it.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        on_internal: Callable[[Exception], None] = lambda _error: None,
        on_executed: Callable[[bool], None] = lambda _planned: None,
        way: Way = "compiled",
        documents: DocumentCache | None = None,
    ) -> None:
        self._schema = schema
        self._documents = documents or DocumentCache(schema)
        self._plans = PlanCache(schema)
        self._on_internal = on_internal
        self._on_executed = on_executed
        self._way = way

    def prepare(self, request: Request) -> Prepared:
        """Parse, validate, choose the operation and check the variables.

        Raises Refused with a body of coded errors.
        """
        try:
            if request.variables:
                self._documents.check_values(request.variables)
            document = self._documents.prepare(request.query)
            if document.errors:
                raise Refused(refusal(document.errors, "GRAPHQL_VALIDATION_FAILED"))
            operation = document.prepared(self._schema, request.operation_name or None)
        except RequestRefused as error:
            raise Refused(refusal([error], error.public_code)) from None
        variables = operation.variables.coerce(request.variables or {})
        if isinstance(variables, list):
            raise Refused(refusal([_variable_error(error) for error in variables], BadUserInput.code))
        return Prepared(request, operation, variables)

    async def execute(self, prepared: Prepared, context: Context) -> Answer:
        """Run a prepared request; failures of single fields are errors beside the data.

        Raises Refused where it is known before the first call that it needs more of them than the request may make.
        """
        plan = self.plan(prepared.operation, prepared.variables) if self._way == "compiled" else None
        if plan is not None and context.held is not None:
            try:
                context.held.check_calls(plan.touched)
            except QueryTooComplex as error:
                raise Refused(refusal([error], error.code)) from None
        self._on_executed(plan is not None)
        if plan is None:
            data, errors = await self._interpret(prepared, context)
        else:
            data, errors = await plan.execute(context, prepared.variables)
        return Answer(data, public_errors(errors, self._on_internal)) if errors else Answer(data)

    def plan(self, operation: Operation, variables: VariableValues) -> Plan | None:
        """Return the operation's plan, None where it has none."""
        return self._plans.plan(operation, variables)

    async def _interpret(self, prepared: Prepared, context: Context) -> tuple[Any, list[GraphQLError]]:
        if context.held is not None:
            await context.held.withhold(EVERY_GROUP)
        result = execute(
            self._schema,
            prepared.operation.document,
            context_value=context,
            variable_values=dict(prepared.request.variables or {}),
            operation_name=prepared.request.operation_name or None,
        )
        if inspect.isawaitable(result):
            result = await result
        return result.data, once_a_field(result.errors or [])


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
