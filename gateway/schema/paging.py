"""The connection arguments, checked and turned into a window over Clever's list."""

from strawberry import UNSET

from gateway.access.wants import Window
from gateway.errors import BadUserInput
from gateway.schema.ids import decode_cursor

DEFAULT_SIZE = 100
MAX_SIZE = 10_000

_CONFLICTS = (("first", "last"), ("after", "before"), ("first", "before"), ("last", "after"))


def read_window(
    type_name: str, *, first: int | None, after: str | None, last: int | None, before: str | None
) -> Window:
    """Check `first`/`after` or `last`/`before` of a list of `type_name`; null is the same as not given.

    Raises BadUserInput naming the argument and what is allowed.
    """
    given = {
        name: value
        for name, value in (("first", first), ("after", after), ("last", last), ("before", before))
        if value is not None and value is not UNSET
    }
    for one, other in _CONFLICTS:
        if one in given and other in given:
            raise BadUserInput(
                other,
                f"`{one}` and `{other}` cannot be used together. Page forward with `first` and `after`, or backward "
                "with `last` and `before`.",
            )
    for name in ("first", "last"):
        size = given.get(name)
        if isinstance(size, int) and not 0 <= size <= MAX_SIZE:
            raise BadUserInput(name, f"`{name}` must be from 0 to {MAX_SIZE}.")
    for name in ("after", "before"):
        if name in given:
            given[name] = decode_cursor(name, str(given[name]), type_name)
    backward = "last" in given or "before" in given
    size = given.get("last" if backward else "first", DEFAULT_SIZE)
    return Window(int(size), _cursor(given.get("after")), _cursor(given.get("before")), backward)


def _cursor(value: object) -> str | None:
    return None if value is None else str(value)
