"""Query parameters and the window of rows they select, by the rules of Clever's docs: paging-and-limits."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote_plus

DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000
CURSORS = ("starting_after", "ending_before")


class RefusedError(Exception):
    """A query that gets an error answer: HTTP status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Query(NamedTuple):
    """A parsed query string; `rest` is what `prev` and `next` links repeat, as it was sent."""

    limit: int = DEFAULT_LIMIT
    after: str | None = None
    before: str | None = None
    counting: bool = False
    role: str | None = None
    primary: bool = False
    rest: str = ""


class Page(NamedTuple):
    """Rows `start` to `stop` of a list, with the cursors of the neighbouring pages where links are due."""

    start: int
    stop: int
    before: str | None  # `prev`: ending_before
    after: str | None  # `next`: starting_after


NO_QUERY = Query()


def parse(raw: str, roles: Sequence[str], counts: bool) -> Query:
    """Read a query string; `roles` are the values the route takes, `counts` says whether it knows `count`.

    What a route does not know is ignored and repeated in links. Clever's docs say nothing on bad values; a
    repeated parameter has no single value, so it is a bad value too.
    """
    if not raw:
        return NO_QUERY
    values: dict[str, str | None] = {}
    rest = []
    for pair in raw.split("&"):
        key, _, value = pair.partition("=")
        name = unquote_plus(key)
        values[name] = None if name in values else unquote_plus(value)
        if name not in CURSORS:
            rest.append(pair)
    role = _role(values, roles) if roles else None
    if counts and values.get("count") == "true":  # the whole collection is counted, so no limit applies
        return Query(counting=True, role=role)
    after, before = _cursor(values, "starting_after"), _cursor(values, "ending_before")
    if after and before:
        raise RefusedError(400, "Use either starting_after or ending_before, not both")
    limit = _limit(values["limit"]) if "limit" in values else DEFAULT_LIMIT
    return Query(limit, after, before, False, role, values.get("primary") == "true", "&".join(rest))


def pages_asked(raw: str) -> bool:
    """Tell whether a query uses paging at all, which user tokens may not."""
    return any(unquote_plus(pair.partition("=")[0]) in ("limit", *CURSORS) for pair in raw.split("&"))


def _role(values: dict[str, str | None], roles: Sequence[str]) -> str | None:
    if "role" not in values:
        return None
    if values["role"] not in roles:
        raise RefusedError(400, f"role must be one of: {', '.join(roles)}")
    return values["role"]


def _cursor(values: dict[str, str | None], name: str) -> str | None:
    value = values.get(name, "")
    if value is None:
        raise RefusedError(400, f"{name} was given more than once")
    return value or None


def _limit(value: str | None) -> int:
    if value is None or not (value.isascii() and value.isdigit()):
        raise RefusedError(400, "limit must be a positive whole number")
    # Thousands of digits are slow to read as a number and are too many in any case.
    limit = int(value) if len(value) < 10 else MAX_LIMIT + 1
    if limit == 0:
        raise RefusedError(400, "limit must be a positive whole number")
    if limit > MAX_LIMIT:
        raise RefusedError(413, f"limit must not be greater than {MAX_LIMIT}")
    return limit


def window(query: Query, ids: Sequence[str], positions: Sequence[int]) -> Page:
    """Select rows of `positions` (ascending positions in `ids`); cursors compare as text, known or not."""
    count = len(positions)
    if query.before is not None:
        stop = count if query.before == "last" else bisect_left(positions, bisect_left(ids, query.before))
        start = max(0, stop - query.limit)
    else:
        start = 0
        if query.after is not None:
            start = bisect_left(positions, bisect_right(ids, query.after))
        stop = min(count, start + query.limit)
    if start == stop:
        return Page(start, stop, None, None)
    first, last = ids[positions[start]], ids[positions[stop - 1]]
    # A page reached by a cursor always points back where it came from, even if nothing is there.
    goes_back = start > 0 if query.before is not None else query.after is not None
    goes_on = query.before is not None or stop < count
    return Page(start, stop, first if goes_back else None, last if goes_on else None)
