"""The steps of a plan: how a field of each source is answered for all who wait for it, with one load for them all."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from graphql import get_argument_values
from graphql.execution.values import VariableValues

from gateway.access.wants import Edge, Rows
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import Resource
from gateway.engine.collect import Field, Unsupported
from gateway.engine.columns import put_lists
from gateway.engine.problems import Failed, complete, item_type
from gateway.engine.regions import absent
from gateway.engine.run import Place, Region, Run, Step, Wait
from gateway.errors import GatewayError
from gateway.schema.fields import read_attribute
from gateway.schema.sources import (
    Connected,
    Connection,
    Leaf,
    Loaded,
    Lookup,
    Reference,
    References,
    Total,
    attribute_of,
    needs_rows,
)

_NO_ROWS = Rows()
_LARGEST_INT = 2**31


class Arguments:
    """A field's arguments: read once where they hold no variables, else once for each execution."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._constant: dict[str, Any] | None = None
        given = field.nodes[0].arguments or ()
        if all(argument.value.kind != "variable" and not _holds_variable(argument.value) for argument in given):
            try:
                self._constant = self._read(None)
            except Exception:  # noqa: BLE001 - it is raised again where it belongs: in the field, when it is answered
                self._constant = None

    @property
    def are_constant(self) -> bool:
        """Say whether the values are the same in each execution."""
        return self._constant is not None

    def of(self, run: Run) -> dict[str, Any]:
        """Return the values. Raises GraphQLError where one does not fit."""
        return self._read(run.variables) if self._constant is None else self._constant

    def _read(self, variables: VariableValues | None) -> dict[str, Any]:
        return get_argument_values(self._field.definition, self._field.nodes[0], variables)


def _holds_variable(value: Any) -> bool:
    return any(item.kind == "variable" or _holds_variable(item) for item in getattr(value, "values", None) or ())


class ReferenceStep(Step):
    """Other records by their ids: one look-up for each distinct id, projected once and shared."""

    def __init__(self, field: Field, index: int, region: Region, source: Reference) -> None:
        super().__init__(field, index, region)
        self._source = source
        self._region = region
        self.reads = source.key

    async def load(self, run: Run, wait: Wait) -> None:
        """Look the ids up."""
        keys = [key for key in dict.fromkeys(wait.sources) if key]
        found = await run.context.loaders.records_of(self._source.rows, keys, self._source.role)
        counts: list[int] = []
        if self.charges:
            tally = dict.fromkeys(keys, 0)
            for key, count in zip(wait.sources, wait.counts, strict=True):
                if key:
                    tally[key] += count
            counts = list(tally.values())
        outs, below = await run.place(self._region, [found[key] for key in keys], counts)
        self.put(wait.outs, map(dict(zip(keys, outs, strict=True)).get, wait.sources))
        await run.go(below)


class ReferencesStep(Step):
    """Lists of other records by their ids; one that fails costs its list, one that is not shared is left out."""

    def __init__(self, field: Field, index: int, region: Region, source: References) -> None:
        super().__init__(field, index, region)
        self._source = source
        self._region = region
        self.reads = self._ids

    def _ids(self, record: Any) -> list[str] | None:
        ids = self._source.keys(record)
        return None if ids is None else [key for key in dict.fromkeys(ids) if key]

    async def load(self, run: Run, wait: Wait) -> None:
        """Look the ids of all lists up."""
        lists: list[list[str] | None] = wait.sources
        tally: dict[str, int] = {}
        for ids, count in zip(lists, wait.counts if self.charges else [1] * len(lists), strict=True):
            for key in ids or ():
                tally[key] = tally.get(key, 0) + count
        found = await run.context.loaders.records_of(self._source.rows, tally, self._source.role)
        failures = {key: one for key in tally if isinstance(one := found[key], BaseException)}
        keys = [key for key in tally if key not in failures and found[key] is not None]
        outs, below = await run.place(self._region, [found[key] for key in keys], [tally[key] for key in keys])
        out_of = dict(zip(keys, outs, strict=True))
        self.put(wait.outs, [self._list(run, ids, out_of, failures) for ids in lists])
        await run.go(below)

    def _list(
        self, run: Run, ids: list[str] | None, out_of: Mapping[str, Any], failures: Mapping[str, BaseException]
    ) -> Any:
        if ids is None:
            return None
        if failures and (failed := [key for key in ids if key in failures]):
            return run.failure(failures[failed[0]])
        return [out_of[key] for key in ids if key in out_of]


class ConnectionStep(Step):
    """Connections: the same window over the same relation of many parents."""

    def __init__(self, field: Field, index: int, region: Region, source: Connected) -> None:
        super().__init__(field, index, region)
        self._source = source
        self._region = region
        self._arguments = Arguments(field)
        self._asked = field.asked
        # Kept from one execution to the next where no variable is in the arguments: the edge, and whether its rows
        # must be read.
        self._known: tuple[Edge, bool] | None = None
        self.charges = True

    async def load(self, run: Run, wait: Wait) -> None:
        """Read the rows of all parents, if something looks at them."""
        edge, needed = self._known or self._asks(run)
        rows: Sequence[Any] = [_NO_ROWS] * len(wait.outs)
        if needed:
            rows = await run.context.loaders.rows_of(edge, wait.sources)
            rows = charged(run, rows, wait.counts)
        connections = [
            Connection(edge, parent, found) if found.__class__ is Rows else found
            for parent, found in zip(wait.sources, rows, strict=True)
        ]
        outs, below = await run.place(self._region, connections, wait.counts)
        self.put(wait.outs, outs)
        await run.go(below)

    def _asks(self, run: Run) -> tuple[Edge, bool]:
        edge = self._source.edge(self._arguments.of(run), self._asked)
        asks = edge, needs_rows(edge, self._asked)
        if self._arguments.are_constant:
            self._known = asks
        return asks


def charged(run: Run, rows: Sequence[Rows | BaseException], counts: Sequence[int]) -> Sequence[Rows | BaseException]:
    """Charge the request for rows at all their positions; what is beyond its allowance becomes an error."""
    sizes = [
        len(found.records) * count if found.__class__ is Rows else 0 for found, count in zip(rows, counts, strict=True)
    ]
    total = sum(sizes)
    allowance = run.context.allowance
    run.rows += total
    if run.rows <= allowance.most_rows:
        allowance.take_rows(total)
        return rows
    kept: list[Rows | BaseException] = []
    for found, size in zip(rows, sizes, strict=True):
        try:
            if isinstance(found, Rows):
                allowance.take_rows(size)
            kept.append(found)
        except GatewayError as error:
            kept.append(error)
    return kept


class TotalStep(Step):
    """How many rows the lists of connections have."""

    async def load(self, run: Run, wait: Wait) -> None:
        """Count the lists of all connections, which are of the same edge."""
        connections: list[Connection] = wait.sources
        parents = [connection.parent for connection in connections]
        found = await run.context.loaders.totals_of(connections[0].edge, parents)
        self.put(wait.outs, [self._written(run, total) for total in found])

    def _written(self, run: Run, total: Any) -> Any:
        if total.__class__ is int and total < _LARGEST_INT:
            return total
        if isinstance(total, BaseException):
            return run.failure(total)
        written = complete(self.field, self.field.definition.type, total, absent)
        return run.failure(written.error) if isinstance(written, Failed) else written


class ListStep(Step):
    """Lists of objects that are read from the object at hand: rows of connections, parts of records."""

    loads = False

    def __init__(self, field: Field, index: int, region: Region, source: Leaf) -> None:
        super().__init__(field, index, region)
        self._region = region
        self.reads = source.read or partial(read_attribute, name=attribute_of(field.definition))

    async def load(self, run: Run, wait: Wait) -> None:
        """Project the objects of all lists."""
        counts = wait.counts if self.charges else [1] * len(wait.outs)
        await put_lists(self, self._region, run, wait.outs, wait.sources, counts)


class LoadedStep(Step):
    """A root field that is loaded by its own function."""

    def __init__(self, field: Field, index: int, region: Region, source: Loaded) -> None:
        super().__init__(field, index, region)
        self._source = source
        self._region = region
        self._arguments = Arguments(field)

    async def load(self, run: Run, wait: Wait) -> None:
        """Load the one value there is."""
        value = await self._source.load(run.context, **self._arguments.of(run))
        if item_type(self.field.definition.type):
            await put_lists(self, self._region, run, wait.outs, [value], [1])
            return
        outs, below = await run.place(self._region, [value], [1])
        self.put(wait.outs, outs)
        await run.go(below)


class LookupStep(Step):
    """Root fields that look records up by ids in their arguments, and select the same of them: one batch for all."""

    def __init__(self, fields: Sequence[tuple[Field, int, Lookup]], region: Region) -> None:
        super().__init__(*fields[0][:2], region)
        self._region = region
        self._fields = [(Place(field, index), source, Arguments(field)) for field, index, source in fields]

    async def load(self, run: Run, wait: Wait) -> None:
        """Look the ids of all fields up, each once."""
        asked: list[tuple[Place, Any]] = []
        for single, source, arguments in self._fields:
            try:
                asked.append((single, source.calls(**arguments.of(run))))
            except Exception as error:  # noqa: BLE001 - a bad argument costs its own field
                asked.append((single, run.failure(error)))
        calls = dict.fromkeys(
            call for _, one in asked for call in (one if isinstance(one, list) else [one]) if type(call) is RecordCall
        )
        keys: dict[Resource, list[str]] = {}
        for call in calls:
            keys.setdefault(call.rows, []).append(call.id)
        loaders = run.context.loaders
        if len(keys) == 1:
            record_of = {rows: await loaders.records_of(rows, ids) for rows, ids in keys.items()}
        else:
            found = await asyncio.gather(*[loaders.records_of(rows, ids) for rows, ids in keys.items()])
            record_of = dict(zip(keys, found, strict=True))
        values = [record_of[call.rows][call.id] for call in calls]
        tally = dict.fromkeys(calls, 0)
        for _, one in asked:
            for call in one if isinstance(one, list) else [one]:
                if type(call) is RecordCall:
                    tally[call] += 1
        outs, below = await run.place(self._region, values, list(tally.values()))
        out_of: dict[Any, Any] = dict(zip(calls, outs, strict=True))
        for single, one in asked:
            if isinstance(one, list):
                value: Any = [run.failure(call) if isinstance(call, Exception) else out_of[call] for call in one]
            else:
                value = one if isinstance(one, Failed) else out_of[one]
            single.put(wait.outs, [value])
        await run.go(below)

    def fail(self, wait: Wait, error: Exception) -> None:
        """Put the failure in the place of every field's value."""
        for single, _, _ in self._fields:
            single.fail(wait, error)


def make_step(field: Field, index: int, region: Region | None) -> Step:
    """Return the step that answers a field.

    Raises Unsupported where there is none.
    """
    source = field.source
    match source:
        case Total():
            return TotalStep(field, index, None)
        case Reference() if region:
            return ReferenceStep(field, index, region, source)
        case References() if region:
            return ReferencesStep(field, index, region, source)
        case Connected() if region:
            return ConnectionStep(field, index, region, source)
        case Loaded() if region:
            return LoadedStep(field, index, region, source)
        case Lookup() if region:
            return LookupStep([(field, index, source)], region)
        case Leaf() if region:
            return ListStep(field, index, region, source)
    raise Unsupported("field")
