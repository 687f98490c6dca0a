"""What is wanted of a relation and what comes of it: a window over a list in ascending order of Clever ids."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.cache.rows import id_of
from gateway.clever.catalogue import EVERYTHING, Relation, Selection
from gateway.clever.records import Record


@dataclass(frozen=True, slots=True)
class Window:
    """Up to `limit` rows: the first ones behind `after`, or with `backward` the last ones in front of `before`.

    Cursors are Clever ids; a cursor need not be a row of the list.
    """

    limit: int
    after: str | None = None
    before: str | None = None
    backward: bool = False


class Rows(msgspec.Struct, frozen=True):
    """The rows of a window, and whether the list goes on beyond it.

    In the direction that was not read, a cursor stands for rows: it is one of them, or was.
    """

    records: tuple[Record, ...] = ()
    has_next: bool = False
    has_previous: bool = False


@dataclass(frozen=True, slots=True)
class Want:
    """A window over one relation of one parent (None for a whole collection).

    `whole`: the caller also wants the total, so that the list may as well be read to its end.
    """

    relation: Relation
    parent_id: str | None
    selection: Selection
    window: Window
    whole: bool = False
    parent: Record | None = field(default=None, compare=False, repr=False)

    def __hash__(self) -> int:
        # The wants of a batch differ in their parents; hashing the rest, too, takes more than twice as long.
        return hash((self.relation, self.parent_id))

    @property
    def list_key(self) -> tuple[Relation, str | None, Selection]:
        """Return what names the list, whatever the window."""
        return self.relation, self.parent_id, self.selection


@dataclass(frozen=True, slots=True)
class Edge:
    """What is wanted of each of many parents: the same window over the same relation; `whole` as in `Want`."""

    relation: Relation
    window: Window
    selection: Selection = EVERYTHING
    whole: bool = False

    def of(self, parent: Record | None) -> Want:
        """Return what is wanted of one parent."""
        return want(self.relation, parent, self.window, self.selection, whole=self.whole)


def want(
    relation: Relation,
    parent: Record | None,
    window: Window,
    selection: Selection = EVERYTHING,
    *,
    whole: bool = False,
) -> Want:
    """Build a want; relations of the district as a whole have no parent record."""
    of = parent if relation.of_parent else None
    return Want(relation, of.id if of else None, selection, window, whole and not counted(relation), of)


def counted(relation: Relation) -> bool:
    """Say whether Clever counts the relation's rows in a call of its own: only whole collections do."""
    return relation.rows.counts and not relation.of_parent


def cut(records: Sequence[Record], window: Window) -> Rows:
    """Return a window's rows out of a whole list in ascending order."""
    if window.backward:
        end = len(records) if window.before is None else bisect_left(records, window.before, key=id_of)
        start = max(0, end - window.limit)
        return Rows(tuple(records[start:end]), has_next=window.before is not None, has_previous=start > 0)
    start = 0 if window.after is None else bisect_right(records, window.after, key=id_of)
    end = min(len(records), start + window.limit)
    return Rows(tuple(records[start:end]), has_next=end < len(records), has_previous=window.after is not None)


def candidates(ids: Sequence[str], window: Window) -> Sequence[str]:
    """Return the ids in the order in which a window takes them: outward from its cursor."""
    if window.backward:
        end = len(ids) if window.before is None else bisect_left(ids, window.before)
        return ids[:end][::-1]
    return ids if window.after is None else ids[bisect_right(ids, window.after) :]
