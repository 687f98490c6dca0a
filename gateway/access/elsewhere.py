"""Elsewhere: under which keys other processes may have read what a request wants."""

from collections.abc import Iterable, Iterator, Sequence

from gateway.access.wants import Want, counted
from gateway.access.windows import first_of
from gateway.cache.shelf import Key
from gateway.cache.view import collection_key
from gateway.clever.calls import CountCall, RecordCall
from gateway.clever.catalogue import COLLECTIONS, ROLES, USERS, Resource
from gateway.clever.values import is_id

# Of so many records that a want refers to, each may have been looked up; more would have been read otherwise.
_MOST_REFERENCES = 1_000


def of_calls(calls: Iterable[RecordCall]) -> Iterator[Key]:
    """Return where the records of look-ups may be."""
    for call in calls:
        yield from _collections(call.rows, call.role)
        yield call


def of_wants(wants: Sequence[Want]) -> Iterator[Key]:
    """Return where the rows of wants may be: whole collections, the lists themselves, their pages, single records."""
    references = 0
    for one in wants:
        relation, role = one.relation, one.selection.role or one.relation.role_of_rows
        yield from _collections(relation.rows, role)
        if relation.scan is not None:
            yield from _collections(relation.scan.of, relation.scan.role(one.selection))
        if not relation.applies(one.parent, one.selection):
            continue
        yield one.list_key
        if not one.whole:
            yield first_of(one)
        ids = list(relation.references(one.parent, one.selection) or ()) if one.parent is not None else []
        references += len(ids)
        if ids and references <= _MOST_REFERENCES:
            yield from (RecordCall(relation.rows, key) for key in ids if key and is_id(key))


def of_totals(wants: Sequence[Want]) -> Iterator[Key]:
    """Return where the sizes of whole lists may be."""
    for one in wants:
        if counted(one.relation):
            yield one.list_key
            yield CountCall(one.relation.rows, one.selection.role)


def _collections(rows: Resource, role: str | None) -> Iterator[Key]:
    if rows in COLLECTIONS:
        yield collection_key(rows, None)
        if rows is USERS:
            for part in (role,) if role else ROLES:
                yield collection_key(rows, part)
        yield CountCall(rows, role)
