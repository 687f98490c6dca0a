"""Second step of a plan: the code that turns records into output objects, generated once for each shape.

Generated source holds names of the schema alone. Aliases are values (an output Struct's `rename`), arguments are read
when the plan runs. A region ends where something is loaded or a list of objects begins: those are steps of their own.

    # the rows of { users { nodes { id email name { last } school: district { name } } } }
    def project(records, counts, waits, context):
        outs = []
        add = outs.append
        for r, v1 in zip(records, all2(records)):
            add(O3(v1, (r.email or None), (O4((v2.last or None)) if (v2 := r.name) else None if ...), None))
        s0 = [key5(r) for r in records]
        w = waits[0]; w.outs += outs; w.sources += s0
        return outs
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from itertools import count
from typing import Any, cast, get_args, get_type_hints

import msgspec
from graphql import (
    GraphQLEnumType,
    GraphQLLeafType,
    GraphQLOutputType,
    get_named_type,
    is_non_null_type,
)

from gateway.engine.collect import Field, Selection
from gateway.engine.problems import item_type, write_leaf
from gateway.engine.run import Layout, Member, Projection, Region, Step
from gateway.schema.context import Context
from gateway.schema.fields import read_attribute
from gateway.schema.ids import TYPES
from gateway.schema.sources import Contextual, Leaf, attribute_of

# Scalars whose values msgspec writes as the schema does, if they are of this class.
PLAIN: dict[str, type] = {"String": str, "ID": str, "Boolean": bool, "Date": date, "DateTime": datetime}

MakeStep = Callable[[Field, int, Region | None], Step]


class Regions:
    """Compiles the selections of one plan; equal shapes share their projection."""

    def __init__(self, make_step: MakeStep) -> None:
        self._make_step = make_step
        self._projections: dict[int, Projection] = {}
        self._outputs: dict[int, type[msgspec.Struct]] = {}

    def under(self, field: Field) -> Region | None:
        """Return the region of a field's values, which are objects; None for leaves."""
        if not field.under:
            return None
        projections = {name: self._projection(selection) for name, selection in field.under.items()}
        by_class: dict[type, Projection] = {
            TYPES[name].record: projection
            for name, projection in projections.items()
            if projection.layout.selection.type.is_type_of
        }
        return Region(projections.values(), by_class)

    def output(self, selection: Selection) -> type[msgspec.Struct]:
        """Return the Struct of a selection's objects; it is named after their type."""
        known = self._outputs.get(selection.shape)
        if known is None:
            names = {f"f{index}": field.response for index, field in enumerate(selection.fields)}
            known = msgspec.defstruct(selection.type.name, [(slot, Any) for slot in names], rename=names, gc=False)
            self._outputs[selection.shape] = known
        return known

    def _projection(self, selection: Selection) -> Projection:
        known = self._projections.get(selection.shape)
        if known is None:
            steps: list[Step] = []
            rows = TYPES.get(selection.type.name)
            layout = self._layout(selection, steps, rows.record if rows else None)
            source, names = Writer(steps).write(layout)
            exec(compile(source, "<plan>", "exec"), names)  # noqa: S102 - names of the schema alone are in it
            known = Projection(layout, tuple(steps), names["project"], source, 1 + layout.size)
            self._projections[selection.shape] = known
        return known

    def _layout(self, selection: Selection, steps: list[Step], record: type | None) -> Layout:
        members = [self._member(field, index, steps, record) for index, field in enumerate(selection.fields)]
        return Layout(selection, self.output(selection), tuple(members), record)

    def _member(self, field: Field, index: int, steps: list[Step], record: type | None) -> Member:
        if field.source is None:
            return Member(field)
        if not isinstance(field.source, Leaf | Contextual) or (field.under and item_type(field.definition.type)):
            steps.append(self._make_step(field, index, self.under(field)))
            return Member(field, step=len(steps) - 1)
        read = reader(field)
        if not field.under:
            return Member(field, read)
        (selection,) = field.under.values()
        rows = TYPES.get(selection.type.name)
        part = rows.record if rows else declared_class(field, record)
        return Member(field, read, part=self._layout(selection, steps, part))


def reader(field: Field) -> Callable[[Any, Context], Any]:
    """Return what reads a leaf or a part from the object at hand."""
    source = field.source
    if isinstance(source, Contextual):
        return source.read
    if isinstance(source, Leaf) and source.checked:
        read = source.checked
        return lambda record, _context: read(record)
    name = attribute_of(field.definition)
    return lambda record, _context: read_attribute(record, name)


def declared_class(field: Field, record: type | None) -> type | None:
    """Return the class that a record declares for the attribute which answers a field; None where it is not known.

    Records are decoded by msgspec, so that an attribute is of this class, or None where it is declared so.
    """
    source = field.source
    if record is None or not isinstance(source, Leaf) or source.read:
        return None
    hint = get_type_hints(record).get(attribute_of(field.definition))
    classes = [one for one in get_args(hint) or (hint,) if one is not type(None)]
    return classes[0] if len(classes) == 1 and isinstance(classes[0], type) else None


class Writer:
    """Writes the source of one projection; what the source names is in the namespace beside it."""

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps
        self._names: dict[str, Any] = {
            "absent": absent,
            "many": many,
            "date": date,
            "datetime": datetime,
            "UTC": UTC,
            "count": count,
        }
        self._variables = 0
        self._parked: list[int] = []
        self._columns: list[tuple[int, str]] = []
        self._read_all: list[tuple[str, str]] = []

    def write(self, layout: Layout) -> tuple[str, dict[str, Any]]:
        """Return source and namespace; the source defines `project`."""
        row = self._object(layout, "r", top=True)
        counted = any(self._steps[step].charges for step in self._parked)
        lines = ["def project(records, counts, waits, context):", "    outs = []", "    add = outs.append"]
        for step in self._parked:
            lines += [f"    o{step} = []; s{step} = []; n{step} = []"]
        lines += [self._loop(counted), f"        add({row})"]
        for step, source in self._columns:
            lines += [f"    s{step} = " + ("records" if source == "r" else f"[{source} for r in records]")]
        for step, outs in [*[(step, "outs") for step, _ in self._columns], *[(one, f"o{one}") for one in self._parked]]:
            lines += [f"    w = waits[{step}]; w.outs += {outs}; w.sources += s{step}"]
            if self._steps[step].charges:
                counts = "counts" if outs == "outs" else f"[counts[n] for n in n{step}]"
                lines += [f"    w.counts += {counts}"]
        return "\n".join([*lines, "    return outs"]), self._names

    def _loop(self, counted: bool) -> str:
        names = ["n"] * counted + ["r"] + [found for found, _ in self._read_all]
        columns = ["count()"] * counted + ["records"] + [f"{reads}(records)" for _, reads in self._read_all]
        return (
            f"    for {names[0]} in {columns[0]}:"
            if len(names) == 1
            else (f"    for {', '.join(names)} in zip({', '.join(columns)}):")
        )

    def _object(self, layout: Layout, record: str, *, top: bool = False) -> str:
        values = [self._value(member, layout, record, top) for member in layout.members]
        made = f"{self._name('O', layout.output)}({', '.join(values)})"
        parked = [] if top else [member for member in layout.members if member.step is not None]
        if not parked:
            return made
        # `append` returns None: the object is parked with its source and handed on, in one expression.
        out = self._variable()
        calls = [f"o{member.step}.append({out})" for member in parked]
        for member in parked:
            step = self._steps[member.step or 0]
            calls += [f"s{member.step}.append({self._source(step, record)})"]
            calls += [f"n{member.step}.append(n)"] if step.charges else []
            self._parked.append(member.step or 0)
        calls[0] = calls[0].replace(f"({out})", f"({out} := {made})", 1)
        return f"({' or '.join([*calls, out])})"

    def _value(self, member: Member, layout: Layout, record: str, top: bool) -> str:
        field = member.field
        if field.source is None:
            return repr(layout.selection.type.name)
        if member.step is not None:
            if top:
                self._columns.append((member.step, self._source(self._steps[member.step], record)))
            return "None"
        if top and isinstance(field.source, Leaf) and field.source.read_all:
            found = self._variable()
            self._read_all.append((found, self._name("all", field.source.read_all)))
            return found
        attribute = isinstance(field.source, Leaf) and field.source.read is None
        value = self._read(field, record)
        if member.part is None:
            plain = PLAIN.get(get_named_type(field.definition.type).name)
            if plain and plain is declared_class(field, layout.record) and not item_type(field.definition.type):
                return self._sure(field.definition.type, value, plain)
            return self._leaf(field.definition.type, value, attribute)
        found = self._variable()
        part = self._object(member.part, found)
        kind = member.part.selection.type
        if kind.is_type_of:
            is_one = f"({found} := {value}).__class__ is {self._name('R', TYPES[kind.name].record)}"
            return f"({part} if {is_one} else absent({found}))"
        # Objects are true; what is neither that nor None is looked at one by one.
        nothing = f"None if {found} is None else " if not is_non_null_type(field.definition.type) else ""
        return f"({part} if ({found} := {value}) else {nothing}absent({found}))"

    def _read(self, field: Field, record: str) -> str:
        if isinstance(field.source, Contextual):
            return f"{self._name('read', field.source.read)}({record}, context)"
        if isinstance(field.source, Leaf) and field.source.read:
            return f"{self._name('read', field.source.read)}({record})"
        return f"{record}.{attribute_of(field.definition)}"

    def _source(self, step: Step, record: str) -> str:
        return f"{self._name('key', step.reads)}({record})" if step.reads else record

    def _sure(self, kind: GraphQLOutputType, value: str, plain: type) -> str:
        """Write an attribute whose class is known."""
        required = is_non_null_type(kind)
        if plain is str:
            # Clever's "" is null.
            return f"({value} or {'absent()' if required else 'None'})"
        found = self._variable()
        return f"({found} if ({found} := {value}) is not None else absent())" if required else value

    def _leaf(self, kind: GraphQLOutputType, value: str, attribute: bool) -> str:
        required = is_non_null_type(kind)
        found = self._variable()
        if items_are := item_type(kind):
            item = self._variable()
            items = f"[{self._leaf(items_are, item, False)} for {item} in many({found})]"
            return f"({items} if ({found} := {value}) is not None else {'absent()' if required else 'None'})"
        named = cast("GraphQLLeafType", get_named_type(kind))
        slow = self._name("leaf", leaf_writer(named, required, attribute))
        if isinstance(named, GraphQLEnumType) and (members := members_of(named)):
            return (
                f"({found}._name_ if ({found} := {value}).__class__ is {self._name('E', members)} else {slow}({found}))"
            )
        plain = PLAIN.get(named.name)
        if plain is None:
            return f"{slow}({value})"
        as_it_is = found
        if attribute and plain is str:
            # Clever's "" is null where it is read as an attribute.
            as_it_is = f"({found} or {'absent()' if required else 'None'})"
        elif plain is datetime:
            # msgspec writes whole seconds of UTC as the schema wants them, and fractions in another way.
            as_it_is = f"({found} if not {found}.microsecond and {found}.tzinfo is UTC else {slow}({found}))"
        return f"({as_it_is} if ({found} := {value}).__class__ is {plain.__name__} else {slow}({found}))"

    def _name(self, prefix: str, value: Any) -> str:
        name = f"{prefix}{len(self._names)}"
        self._names[name] = value
        return name

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"


def leaf_writer(kind: GraphQLLeafType, required: bool, attribute: bool) -> Callable[[Any], Any]:
    """Return what writes a leaf's value of any class. It raises where the value is wrong, or null but `required`."""

    def write(value: Any) -> Any:
        if value is None or (attribute and value == ""):
            return absent() if required else None
        if isinstance(value, Exception):
            raise value
        return write_leaf(kind, value)

    return write


def members_of(kind: GraphQLEnumType) -> type | None:
    """Return the class of an enum's members, if they are written by their names."""
    classes = {type(value.value) for value in kind.values.values()}
    wrapped: type | None = getattr(kind, "wrapped_cls", None)
    names = {member.name: member.value for member in wrapped} if wrapped else {}  # type: ignore[attr-defined]
    same = names == {name: value.value for name, value in kind.values.items()}
    return wrapped if same and classes else None


def absent(value: Any = None) -> Any:
    """Raise: a value that must be there is not, or is of another type."""
    raise TypeError(f"no value, or one of another type: {type(value).__name__}")


def many(values: Any) -> Iterable[Any]:
    """Return a list's values. Raises where it is no list."""
    return values if values.__class__ in (tuple, list) else absent(values)
