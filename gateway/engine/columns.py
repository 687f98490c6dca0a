"""Lists of objects as one column: each distinct object is projected once, and put in every list that it is in."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from graphql import is_non_null_type
from graphql.pyutils import is_iterable

from gateway.engine.collect import Field
from gateway.engine.problems import not_a_list, null_error
from gateway.engine.run import Region, Run, Step

_LISTS = (tuple, list)


async def put_lists(
    step: Step, region: Region, run: Run, outs: Sequence[Any], lists: Sequence[Any], counts: Sequence[int]
) -> None:
    """Project lists of objects, and put each into the step's field of its own output object.

    `counts`: at how many positions of the answer each list stands; looked at only where rows are charged for.
    """
    if len(lists) == 1 and lists[0].__class__ in _LISTS:
        rows = lists[0]
        one: Sequence[int] = [counts[0]] * len(rows) if step.charges else ()
        made, below = await run.place(region, rows, one, step.item_required)
        step.put(outs, [made])
        if below:
            await run.go(below)
        return
    field = step.field
    if not set(map(type, lists)) <= {tuple, list}:
        lists = [rows if rows.__class__ in _LISTS else _checked(run, field, rows) for rows in lists]
    columns = [rows for rows in lists if rows.__class__ in _LISTS]
    some: Sequence[int] = ()
    if step.charges:
        some = [count for rows, count in zip(lists, counts, strict=True) if rows.__class__ in _LISTS]
    if region.worth_sharing:
        flat, shared, tally = _distinct(columns, some)
    else:
        flat, shared, tally = list(chain.from_iterable(columns)), False, []
    made, below = await run.place(region, flat, tally, step.item_required)
    step.put(outs, _split(lists, made, dict(zip(map(id, flat), made, strict=True)) if shared else None))
    await run.go(below)


def _checked(run: Run, field: Field, rows: Any) -> Any:
    """Return a list, None, or the failure of a value that is no list."""
    if rows is None:
        return run.failure(null_error(field)) if is_non_null_type(field.definition.type) else None
    if isinstance(rows, BaseException):
        return run.failure(rows)
    return list(rows) if is_iterable(rows) else run.failure(not_a_list(field))


def _distinct(columns: Sequence[Sequence[Any]], counts: Sequence[int]) -> tuple[Sequence[Any], bool, list[int]]:
    """Return the distinct objects of all lists, whether some are in several, and at how many positions each stands.

    Where no object is in two lists, they are in the order of the lists. Objects are told apart by identity: two
    records of one id may have been read at different times.
    """
    if len(columns) == 1:
        rows = columns[0]
        return rows, False, [counts[0]] * len(rows) if counts else []
    flat = list(chain.from_iterable(columns))
    distinct = dict(zip(map(id, flat), flat, strict=True))
    if len(distinct) == len(flat):
        repeated = chain.from_iterable([count] * len(rows) for rows, count in zip(columns, counts, strict=bool(counts)))
        return flat, False, list(repeated)
    tally: dict[int, int] = dict.fromkeys(distinct, 0) if counts else {}
    for rows, count in zip(columns, counts, strict=bool(counts)):
        for row in rows:
            tally[id(row)] += count
    return list(distinct.values()), True, list(tally.values())


def _split(lists: Iterable[Any], made: list[Any], out_of: dict[int, Any] | None) -> list[Any]:
    """Return the projected lists; `out_of` has the output of each object where objects are shared."""
    values: list[Any] = []
    start = 0
    for rows in lists:
        if rows.__class__ not in _LISTS:
            values.append(rows)
        elif out_of is not None:
            values.append(list(map(out_of.__getitem__, map(id, rows))))
        else:
            values.append(made[start : start + len(rows)])
            start += len(rows)
    return values
