"""Plans: an operation compiled for one schema, and run for many requests.

document -> collect.py -> regions.py and loads.py -> Plan -> run.py -> output Structs -> problems.py -> Answer
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError, GraphQLSchema, OperationType
from graphql.execution.values import VariableValues

from gateway.engine.collect import Collector, Field, Selection, Unsupported
from gateway.engine.estimate import groups, touched
from gateway.engine.loads import LookupStep, make_step
from gateway.engine.operations import Operation
from gateway.engine.problems import Settlement
from gateway.engine.regions import Regions
from gateway.engine.run import Region, Run, Step, Wait
from gateway.engine.writing import LARGE, write_in_slices
from gateway.schema.context import Context
from gateway.schema.sources import Lookup

_MOST_PLANS = 1_000
_MOST_CHARACTERS = 4_000_000


class Plan:
    """One operation, compiled for one combination of the variables in its conditions.

    `touched`: the kinds of records that it reads; `groups`: the sensitive fields.
    """

    __slots__ = ("_names", "_output", "_root", "_steps", "groups", "touched")

    def __init__(self, root: Selection, regions: Regions) -> None:
        self._root = root
        self.touched = touched(root)
        self.groups = groups(root)
        # What is known beforehand: `__typename`.
        self._names = [root.type.name if field.source is None else None for field in root.fields]
        self._output = regions.output(root)
        self._steps = _root_steps(root, regions)

    async def execute(self, context: Context, variables: VariableValues) -> tuple[Any, list[GraphQLError]]:
        """Return the data, as what encodes to it, and the errors in it."""
        withholds = bool(self.groups) and context.held is not None and await context.held.withhold(self.groups)
        run = Run(context, variables, withholds=withholds)
        data: Any = self._output(*self._names)
        await run.go([(step, Wait([data], [None], [1])) for step in self._steps], at_the_root=True)
        errors: list[GraphQLError] = []
        if run.failed:
            settlement = Settlement()
            data, errors = settlement.root(self._root, data), settlement.errors
        return (await write_in_slices(data) if run.rows > LARGE else data), errors


def _root_steps(root: Selection, regions: Regions) -> list[Step]:
    """Return the steps of the root's fields; look-ups that select the same are one step."""
    steps: list[Step] = []
    lookups: dict[tuple[int, ...], tuple[list[tuple[Field, int, Lookup]], Region]] = {}
    for index, field in enumerate(root.fields):
        if field.source is None:
            continue
        region = regions.under(field)
        if isinstance(field.source, Lookup) and region:
            shapes = tuple(selection.shape for selection in field.under.values())
            lookups.setdefault(shapes, ([], region))[0].append((field, index, field.source))
        else:
            steps.append(make_step(field, index, region))
    return [*steps, *[LookupStep(fields, region) for fields, region in lookups.values()]]


def compile_plan(schema: GraphQLSchema, operation: Operation, variables: VariableValues) -> Plan:
    """Compile an operation that validation has found good.

    Raises Unsupported where graphql-core must run it.
    """
    kind = schema.query_type
    if operation.node.operation is not OperationType.QUERY or kind is None:
        raise Unsupported("operation")
    try:
        return Plan(Collector(schema, operation.fragments, operation.node, variables).root(kind), Regions(make_step))
    except (GraphQLError, RecursionError) as error:
        raise Unsupported("condition") from error


class PlanCache:
    """The plans used last, least recently used first out; bounded in number and in characters of their documents."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        # The operation is kept beside its plan, so that its identity stays its own.
        self._plans: OrderedDict[tuple[int, Sequence[Any]], tuple[Operation, Plan | None]] = OrderedDict()
        self._characters = 0

    def plan(self, operation: Operation, variables: VariableValues) -> Plan | None:
        """Return the plan of an operation for the values of the variables in its conditions; None if it has none."""
        conditions = tuple([variables.coerced.get(name) for name in operation.conditions])
        key = id(operation), conditions
        known = self._plans.get(key)
        if known is not None:
            self._plans.move_to_end(key)
            return known[1]
        plan = self._compile(operation, conditions, variables)
        self._plans[key] = operation, plan
        self._characters += operation.size
        while len(self._plans) > _MOST_PLANS or self._characters > _MOST_CHARACTERS:
            _, (dropped, _) = self._plans.popitem(last=False)
            self._characters -= dropped.size
        return plan

    def _compile(self, operation: Operation, conditions: Sequence[Any], variables: VariableValues) -> Plan | None:
        if not all(isinstance(value, bool) for value in conditions):
            return None
        try:
            return compile_plan(self._schema, operation, variables)
        except Unsupported:
            return None
