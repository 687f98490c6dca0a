"""One execution of a plan: objects are projected as columns, and what they relate to is loaded breadth first.

A `Projection` turns records of one type into output objects, and leaves in one `Wait` per relation who waits for it.
A `Step` then loads the relation for all who wait, projects what it got, puts it into their field, and so on. Branches
do not wait for one another.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from graphql import is_non_null_type
from graphql.execution.values import VariableValues

from gateway.engine.begun import Begun
from gateway.engine.collect import Field, Selection
from gateway.engine.problems import Failed, alien, complete, item_type, null_error
from gateway.schema.context import Context

# Fields of output objects that are made at a stretch: about a millisecond. Then the event loop has its turn.
SLICE = 20_000

# Levels that are answered within one another before anything has been waited for.
_MOST_NESTED = 12
# Fields up to which objects are projected anew for each list that they are in.
_CHEAP = 2
_NO_OBJECT = (type(None), BaseException)


class Wait:
    """Output objects that wait for the same field, each with what it is answered from.

    `counts`: at how many positions of the answer each object stands; kept only where rows are charged for.
    """

    __slots__ = ("counts", "outs", "sources")

    def __init__(self, outs: list[Any], sources: list[Any], counts: list[int]) -> None:
        self.outs = outs
        self.sources = sources
        self.counts = counts


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One field of an output object: a step's (by its place among the projection's steps), a part, or a leaf."""

    field: Field
    read: Callable[[Any, Context], Any] | None = None
    step: int | None = None
    part: "Layout | None" = None


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """An output object: its Struct, whose fields are `f0`, `f1`, ... in the order of the selection's fields.

    `record` is the class of the objects that it is made from, where that is known.
    """

    selection: Selection
    output: type[msgspec.Struct]
    members: tuple[Member, ...]
    record: type | None = None

    @property
    def size(self) -> int:
        """Return how many fields it has, those of its parts included."""
        return sum(1 + (member.part.size if member.part else 0) for member in self.members)


class Place:
    """Where the values of a field go: the field of that number of output objects."""

    def __init__(self, field: Field, index: int) -> None:
        self.field = field
        # Puts values into the field of output objects, one each.
        self.put = putter(index)

    def fail(self, wait: Wait, error: Exception) -> None:
        """Put a failure in the place of every value."""
        self.put(wait.outs, [Failed(error)] * len(wait.outs))


class Step(Place, ABC):
    """A field that is answered for many objects at once; `region` projects what it finds.

    `loads` is False where it finds it in the objects at hand.
    """

    loads = True

    def __init__(self, field: Field, index: int, region: "Region | None") -> None:
        super().__init__(field, index)
        self.region = region
        self.charges = region is not None and region.charges
        inner = item_type(field.definition.type)
        # Of a list whose items may not be null: what says so.
        self.item_required = field if inner is not None and is_non_null_type(inner) else None
        # Reads what the field is answered from; None where that is the object at hand.
        self.reads: Callable[[Any], Any] | None = None

    @abstractmethod
    async def load(self, run: "Run", wait: Wait) -> None:
        """Answer the field for all who wait, and everything below it."""


@cache
def putter(index: int) -> Callable[[Sequence[Any], Iterable[Any]], None]:
    """Return the function that sets one field of many output objects."""
    space: dict[str, Any] = {}
    exec(f"def put(outs, values):\n    for out, value in zip(outs, values):\n        out.f{index} = value", space)  # noqa: S102
    put: Callable[[Sequence[Any], Iterable[Any]], None] = space["put"]
    return put


Project = Callable[[Sequence[Any], Sequence[int], Sequence[Wait], Context], list[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Records of one class to output objects. `project` is generated and takes all to be well, or raises.

    `fields`: how many an object has, the object itself and its parts included, as a measure of the work.
    """

    layout: Layout
    steps: tuple[Step, ...]
    project: Project
    source: str
    fields: int

    @property
    def charges(self) -> bool:
        """Say whether something below charges for rows, so that positions must be counted."""
        return any(step.charges for step in self.steps)

    def project_one_by_one(
        self, records: Sequence[Any], counts: Sequence[int], waits: Sequence[Wait], context: Context
    ) -> list[Any]:
        """Project records of which something is not as it should be; what is wrong becomes `Failed`."""
        found = []
        for position, record in enumerate(records):
            count = counts[position] if counts else 1
            try:
                found.append(self._object(self.layout, record, count, waits, context))
            except Exception as error:  # noqa: BLE001 - whatever it is, it costs this object alone
                found.append(Failed(error))
        return found

    def _object(self, layout: Layout, record: Any, count: int, waits: Sequence[Wait], context: Context) -> Any:
        kind = layout.selection.type
        if kind.is_type_of and not kind.is_type_of(record, None):  # type: ignore[arg-type]
            raise alien(kind, record)
        parked: list[tuple[int, Any]] = []
        values = [self._value(member, kind.name, record, count, waits, context, parked) for member in layout.members]
        out = layout.output(*values)
        for step, source in parked:
            waits[step].outs.append(out)
            waits[step].sources.append(source)
            waits[step].counts.append(count)
        return out

    def _value(
        self,
        member: Member,
        kind: str,
        record: Any,
        count: int,
        waits: Sequence[Wait],
        context: Context,
        parked: list[tuple[int, Any]],
    ) -> Any:
        field = member.field
        if field.source is None:
            return kind
        try:
            if member.step is not None:
                reads = self.steps[member.step].reads
                parked.append((member.step, reads(record) if reads else record))
                return None
            value = member.read(record, context) if member.read else None
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs this field alone
            return Failed(error)

        def write_part(source: Any) -> Any:
            part = member.part
            return self._object(part, source, count, waits, context) if part else None

        return complete(field, field.definition.type, value, write_part)


class Region:
    """The projections of one position: one, or one for each class of record where the type is Node."""

    def __init__(self, projections: Iterable[Projection], by_class: Mapping[type, Projection]) -> None:
        every = list(projections)
        self._only = every[0] if len(every) == 1 and not by_class else None
        self._by_class = by_class
        # Looked up once for each class that is met: records have some twenty in all.
        self._known: dict[type, Projection | None] = {}
        self.charges = any(projection.charges for projection in every)
        # Whether finding out which objects are the same costs less than projecting them all.
        self.worth_sharing = any(projection.steps or projection.layout.size > _CHEAP for projection in every)
        self._type = every[0].layout.selection.type

    def of(self, kind: type) -> Projection | None:
        """Return the projection of objects of a class; None for what is no object of this position's types."""
        try:
            return self._known[kind]
        except KeyError:
            found = self._by_class.get(kind) if self._only is None or issubclass(kind, _NO_OBJECT) else self._only
            self._known[kind] = found
            return found

    def alien(self, value: object) -> Exception:
        """Build the error of a value that no projection takes."""
        return alien(self._type, value)


class Run:
    """One execution: what it may touch, whether something failed, and how many rows its answer holds.

    `withholds`: records may lack what the viewer is not granted, so that each is looked at by itself.
    """

    __slots__ = (
        "_at_a_stretch",
        "_has_waited",
        "_nested",
        "_turn",
        "_withholds",
        "context",
        "failed",
        "rows",
        "variables",
    )

    def __init__(self, context: Context, variables: VariableValues, *, withholds: bool = False) -> None:
        self._withholds = withholds
        self.context = context
        self.variables = variables
        self.failed = False
        self.rows = 0
        self._turn: asyncio.Lock | None = None
        self._has_waited = False
        self._nested = 0
        self._at_a_stretch = 0

    async def go(self, steps: Iterable[tuple[Step, Wait]], *, at_the_root: bool = False) -> None:
        """Answer the fields that objects wait for, side by side.

        Most of what is asked is remembered, and then nothing has to be waited for: fields are answered one after the
        other until one waits. From then on what loads runs as a task of its own, so that depth costs no stack.
        """
        waiting = [(step, wait) for step, wait in steps if wait.outs]
        if len(waiting) == 1 and (at_the_root or not waiting[0][0].loads):
            await self._answer(*waiting[0])
            return
        for count, (step, wait) in enumerate(waiting):
            if self._has_waited or self._nested == _MOST_NESTED:
                await asyncio.gather(*[self._answer(*one) for one in waiting[count:]])
                return
            self._nested += 1
            try:
                begun = Begun(self._answer(step, wait))
            finally:
                self._nested -= 1
            if not begun.done:
                self._has_waited = True
                await self._go_on(begun, waiting[count + 1 :])
                return

    async def _go_on(self, begun: Begun[None], others: Sequence[tuple[Step, Wait]]) -> None:
        """Wait for what has begun, and answer others meanwhile."""
        rest = asyncio.gather(*[self._answer(step, wait) for step, wait in others])
        try:
            await begun
        except BaseException:
            rest.cancel()
            raise
        await rest

    async def _answer(self, step: Step, wait: Wait) -> None:
        try:
            await step.load(self, wait)
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs the field that failed
            self.failed = True
            step.fail(wait, error)

    async def place(
        self, region: Region, values: Sequence[Any], counts: Sequence[int] = (), required: Field | None = None
    ) -> tuple[list[Any], list[tuple[Step, Wait]]]:
        """Project values in their order: records, None, or an error; None is an error where `required` says so.

        Returns the output objects, and who waits for what.
        """
        projection = _only(region, values)
        if projection is None:
            return await self._place_each(region, values, counts, required)
        waits = _waits(projection)
        outs = await self._project(projection, values, counts, waits)
        return outs, list(zip(projection.steps, waits, strict=True))

    async def _place_each(
        self, region: Region, values: Sequence[Any], counts: Sequence[int], required: Field | None
    ) -> tuple[list[Any], list[tuple[Step, Wait]]]:
        outs: list[Any] = [None] * len(values)
        groups: dict[tuple[Projection, type], list[int]] = {}
        for index, value in enumerate(values):
            if value is None:
                outs[index] = self.failure(null_error(required)) if required else None
            elif isinstance(value, BaseException):
                outs[index] = self.failure(value)
            elif projection := region.of(type(value)):
                groups.setdefault((projection, type(value)), []).append(index)
            else:
                outs[index] = self.failure(region.alien(value))
        waiting: list[tuple[Step, Wait]] = []
        for (projection, _), indexes in groups.items():
            waits = _waits(projection)
            some = [counts[index] for index in indexes] if counts else ()
            made = await self._project(projection, [values[index] for index in indexes], some, waits)
            for index, out in zip(indexes, made, strict=True):
                outs[index] = out
            waiting += zip(projection.steps, waits, strict=True)
        return outs, waiting

    async def _project(
        self, projection: Projection, records: Sequence[Any], counts: Sequence[int], waits: Sequence[Wait]
    ) -> list[Any]:
        if self._fits(projection, len(records)):
            return self._project_slice(projection, records, counts, waits)
        outs: list[Any] = []
        size = max(1, SLICE // projection.fields)
        for start in range(0, len(records), size):
            end = start + size
            # Branches that run side by side take turns, or their slices would add up.
            self._turn = self._turn or asyncio.Lock()
            async with self._turn:
                await asyncio.sleep(0)
            self._at_a_stretch = (min(end, len(records)) - start) * projection.fields
            outs += self._project_slice(projection, records[start:end], counts[start:end], waits)
        return outs

    def _fits(self, projection: "Projection", count: int) -> bool:
        """Say whether so many objects may be projected without a pause, and count their fields if so."""
        fields = self._at_a_stretch + count * projection.fields
        if fits := fields <= SLICE:
            self._at_a_stretch = fields
        return fits

    def _project_slice(
        self, projection: Projection, records: Sequence[Any], counts: Sequence[int], waits: Sequence[Wait]
    ) -> list[Any]:
        if self._withholds:
            self.failed = True
            return projection.project_one_by_one(records, counts, waits, self.context)
        try:
            return projection.project(records, counts, waits, self.context)
        except Exception:  # noqa: BLE001 - something is not as it should be: what it is, is found one by one
            self.failed = True
            return projection.project_one_by_one(records, counts, waits, self.context)

    def failure(self, error: BaseException) -> Failed:
        """Note that something failed, and return what stands in its place."""
        self.failed = True
        # Work of others that was cancelled is no cancellation of this one.
        return Failed(error if isinstance(error, Exception) else ConnectionAbortedError("the work was cancelled"))


def _only(region: Region, values: Sequence[Any]) -> Projection | None:
    """Return the projection of values that are all of one class, None where they are not."""
    kinds = [*map(type, values)]
    return region.of(kinds[0]) if kinds and kinds.count(kinds[0]) == len(kinds) else None


def _waits(projection: Projection) -> Sequence[Wait]:
    return [Wait([], [], []) for _ in projection.steps] if projection.steps else ()
