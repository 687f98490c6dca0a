"""Values that went wrong: completed one by one as graphql-core does it, and at last turned into nulls and errors.

On the road of an operation nothing tracks paths. Where a value is wrong, `Failed` stands in its place; when all is
read and something failed, `settle` walks the answer once, nulls what GraphQL wants nulled, and locates each error.
"""

from collections.abc import Callable, Sequence
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    located_error,
)
from graphql.pyutils import Undefined, inspect, is_iterable

from gateway.engine.collect import Field, Selection
from gateway.errors import FieldForbidden


class Failed:
    """Stands where a value would be, and says why there is none."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def null_error(field: Field) -> TypeError:
    """Build the error of a null where the schema promises a value."""
    return TypeError(f"Cannot return null for non-nullable field {field.parent.name}.{field.name}.")


def not_a_list(field: Field) -> GraphQLError:
    """Build the error of a single value where the schema promises a list."""
    return GraphQLError(f"Expected Iterable, but did not find one for field '{field.parent.name}.{field.name}'.")


def alien(kind: GraphQLObjectType | None, value: object) -> GraphQLError:
    """Build the error of an object that is not of the type the schema promises."""
    return GraphQLError(f"Expected value of type '{kind}' but got: {inspect(value)}.")


def item_type(kind: GraphQLOutputType) -> GraphQLOutputType | None:
    """Return the type of a list's items; None where the type is no list."""
    inner = kind.of_type if is_non_null_type(kind) else kind
    return inner.of_type if is_list_type(inner) else None


def write_leaf(kind: GraphQLLeafType, value: Any) -> Any:
    """Write a value as a scalar or enum. Raises where it is none of the type's."""
    written = kind.coerce_output_value(value)
    if written is None or written is Undefined:
        raise TypeError(f"Expected `{kind}` to be written as a value, not as {inspect(written)}.")
    return written


def complete(field: Field, kind: GraphQLOutputType, value: Any, write_object: Callable[[Any], Any]) -> Any:
    """Complete one value, with `Failed` in the place of whatever is wrong; `write_object` projects an object."""
    try:
        if isinstance(value, Exception):
            raise value
        if is_non_null_type(kind):
            if value is None:
                raise null_error(field)
            kind = kind.of_type
        if value is None:
            return None
        if is_list_type(kind):
            if not is_iterable(value):
                raise not_a_list(field)
            return [complete(field, kind.of_type, item, write_object) for item in value]
        return write_leaf(kind, value) if is_leaf_type(kind) else write_object(value)
    except Exception as error:  # noqa: BLE001 - whatever it is, it costs this value alone
        return Failed(error)


class Settlement:
    """Walks an answer in which something failed; `errors` are then the located errors."""

    def __init__(self) -> None:
        self.errors: list[GraphQLError] = []
        # The fields that have been told to be forbidden.
        self._forbidden: set[tuple[str, ...]] = set()
        # Objects that hold no failure, by identity: an object may stand at many positions.
        self._sound: set[int] = set()

    def root(self, selection: Selection, out: Any) -> Any:
        """Return the answer's data: with nulls where something failed, or None where nothing is left of it."""
        try:
            return self._object(selection, out, None)
        except GraphQLError as error:
            self.errors.append(error)
            return None

    def _object(self, selection: Selection, out: Any, path: Any) -> Any:
        if id(out) in self._sound:
            return out
        values = [getattr(out, slot) for slot in out.__struct_fields__]
        changed = False
        for index, field in enumerate(selection.fields):
            if field.source is not None and not isinstance(values[index], str):
                settled = self._guarded(field, field.definition.type, values[index], (path, field.response))
                changed = changed or settled is not values[index]
                values[index] = settled
        if changed:
            return type(out)(*values)
        self._sound.add(id(out))
        return out

    def _guarded(self, field: Field, kind: GraphQLOutputType, value: Any, path: Any) -> Any:
        """Settle one value; an error stops at the first position that may be null."""
        try:
            return self._value(field, kind, value, path)
        except Exception as error:  # noqa: BLE001 - every failure stands for one
            if isinstance(error, FieldForbidden) and not is_non_null_type(kind):
                field_path, _ = field_and_positions(_as_list(path))
                if field_path in self._forbidden:
                    return None
                self._forbidden.add(field_path)
            located = located_error(error, field.nodes, _as_list(path))
            if is_non_null_type(kind):
                raise located from None
            self.errors.append(located)
            return None

    def _value(self, field: Field, kind: GraphQLOutputType, value: Any, path: Any) -> Any:
        if value is None:
            return None
        if type(value) is Failed:
            raise value.error
        if is_non_null_type(kind):
            kind = kind.of_type
        if is_list_type(kind):
            settled = [self._guarded(field, kind.of_type, item, (path, index)) for index, item in enumerate(value)]
            same = all(new is old for new, old in zip(settled, value, strict=True))
            return value if same else settled
        if is_leaf_type(kind):
            return value
        # Output objects are named after the type they are of.
        return self._object(field.under[type(value).__name__], value, path)


def once_a_field(errors: Sequence[GraphQLError]) -> list[GraphQLError]:
    """Return the errors with those of forbidden fields told once for each field, at its first position."""
    first: dict[tuple[str, ...], tuple[list[int], GraphQLError]] = {}
    for error in errors:
        if isinstance(error.original_error, FieldForbidden):
            field_path, positions = field_and_positions(error.path or ())
            if field_path not in first or positions < first[field_path][0]:
                first[field_path] = positions, error
    kept = {id(error) for _, error in first.values()}
    return [one for one in errors if id(one) in kept or not isinstance(one.original_error, FieldForbidden)]


def field_and_positions(path: Sequence[str | int]) -> tuple[tuple[str, ...], list[int]]:
    """Return the names in a path, and the positions in lists."""
    return tuple([key for key in path if isinstance(key, str)]), [key for key in path if isinstance(key, int)]


def _as_list(path: Any) -> list[str | int]:
    keys = []
    while path is not None:
        path, key = path
        keys.append(key)
    return keys[::-1]
