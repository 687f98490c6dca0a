"""Which way to load each want of a batch: pure, no await, decided over the whole batch because parents share rows.

As a database chooses among an index look-up, a join through an index and a sequential scan, so the planner chooses
among looking ids up, following relative links, and reading lists that hold what is wanted: a whole collection, or the
people of a school. A plan may first ask for sizes or for lists; when those are there, the planner is asked again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from gateway.access.costs import WORTH_A_COUNT, Cost, of_links, of_lists, of_look_ups, of_scan
from gateway.access.wants import Want, candidates
from gateway.cache.memory import ListKey, collection_key
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import (
    COLLECTIONS,
    SCHOOL_USERS,
    SECTION_USERS,
    SECTIONS,
    STUDENT,
    Relation,
    Resource,
    Selection,
)
from gateway.clever.records import Record
from gateway.clever.values import is_id


class Path(Enum):
    """A way to load the rows of a want."""

    EMPTY = auto()
    """The edge makes no sense for this parent: no rows, no call."""
    HELD = auto()
    """The whole list is known already."""
    REFERENCES = auto()
    """Look the ids up, which the parent's record holds or which a collection showed."""
    LINK = auto()
    """Follow the relative link, page by page."""


class Known(Protocol):
    """What is known already: the memory of the request."""

    @property
    def lists(self) -> Mapping[ListKey, Sequence[Record]]:
        """Lists that were read to their end."""

    @property
    def refused(self) -> Set[ListKey]:
        """Lists that could not be."""

    @property
    def sizes(self) -> Mapping[tuple[Resource, str | None], int | None]:
        """Sizes that were asked for; None where there was no answer."""

    def knows(self, rows: Resource, key: str, role: str | None = None) -> bool:
        """Say whether a look-up would cost no call."""

    def has_all(self, rows: Resource, role: str | None = None) -> bool:
        """Say whether a collection is known whole."""

    def size(self, rows: Resource, role: str | None) -> int | None:
        """Return a collection's size, if known."""

    def ids(self, relation: Relation, parent: Record | None, selection: Selection) -> list[str] | None:
        """Return the ids of a relation's rows, if known."""


@dataclass(slots=True)
class Plan:
    """What to do: sizes to ask for, lists to read whole, and the path of every want once neither is left to do."""

    sizes: set[tuple[Resource, str | None]] = field(default_factory=set)
    lists: set[ListKey] = field(default_factory=set)
    paths: dict[Want, Path] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    """The wants of one relation and role that cost calls, and the ids that each of them misses."""

    relation: Relation
    role: str | None
    missing: dict[Want, set[str]] = field(default_factory=dict)
    unlisted: list[Want] = field(default_factory=list)

    @property
    def links(self) -> int:
        return len(self.unlisted) + sum(bool(ids) for ids in self.missing.values())

    @property
    def look_ups(self) -> set[str]:
        return set().union(*self.missing.values())


def choose(wants: Iterable[Want], known: Known, calls_left: int) -> Plan:
    """Plan a batch of wants."""
    plan = Plan()
    groups: dict[tuple[Relation, str | None], _Group] = {}
    for one in wants:
        relation = one.relation
        if not relation.applies(one.parent, one.selection):
            plan.paths[one] = Path.EMPTY
        elif one.list_key in known.lists:
            plan.paths[one] = Path.HELD
        elif not relation.of_parent:
            plan.paths[one] = Path.LINK
        else:
            role = one.selection.role or relation.role_of_rows
            group = groups.setdefault((relation, role), _Group(relation, role))
            ids = known.ids(relation, one.parent, one.selection)
            if ids is None:
                group.unlisted.append(one)
            else:
                needed = ids if one.whole else candidates(ids, one.window)[: one.window.limit + 1]
                group.missing[one] = {key for key in needed if is_id(key) and not known.knows(relation.rows, key, role)}
    for group in groups.values():
        _plan_group(group, known, calls_left, plan)
    return plan


def choose_look_ups(calls: Iterable[RecordCall], known: Known, calls_left: int) -> Plan:
    """Plan a batch of look-ups by id."""
    plan = Plan()
    missing: defaultdict[tuple[Resource, str | None], set[str]] = defaultdict(set)
    for call in calls:
        if is_id(call.id) and call.rows in COLLECTIONS and not known.knows(call.rows, call.id):
            missing[call.rows, call.role].add(call.id)
    for (rows, role), ids in missing.items():
        best = _Best(of_look_ups(rows, len(ids)), calls_left)
        _consider_scan(best, rows, role, known, plan)
        plan.lists |= best.lists
    return plan


class _Best:
    """The cheapest way found so far; `lists` are what it reads whole."""

    def __init__(self, plain: Cost, calls_left: int) -> None:
        self.plain = plain
        self.lists: set[ListKey] = set()
        self._calls_left = calls_left
        self._cost = plain.weigh(calls_left)

    @property
    def worth_improving(self) -> bool:
        return self.plain.calls > WORTH_A_COUNT

    def offer(self, cost: Cost, lists: set[ListKey]) -> None:
        if cost.weigh(self._calls_left) < self._cost:
            self._cost, self.lists = cost.weigh(self._calls_left), lists


def _plan_group(group: _Group, known: Known, calls_left: int, plan: Plan) -> None:
    rows, look_ups = group.relation.rows, group.look_ups
    by_link, by_id = of_links(rows, group.links), of_look_ups(rows, len(look_ups))
    prefers_ids = not group.unlisted and by_id.calls <= by_link.calls
    best = _Best(by_id if prefers_ids else by_link, calls_left)
    if best.worth_improving:
        if group.unlisted:
            _consider_scan_from(best, group, known, plan)
        else:
            _consider_scan(best, rows, group.role, known, plan, guess=_estimate(group, known))
            _consider_school_lists(best, group, known)
    plan.lists |= best.lists
    for one, ids in group.missing.items():
        plan.paths[one] = Path.REFERENCES if prefers_ids or not ids else Path.LINK
    for one in group.unlisted:
        plan.paths[one] = Path.LINK


def _consider_scan(
    best: _Best, rows: Resource, role: str | None, known: Known, plan: Plan, guess: int | None = None
) -> None:
    """Offer reading the rows' whole collection, so that every id is known; ask for its size where that is not."""
    size = _size(best, rows, role, known, plan, guess)
    if size is not None:
        best.offer(of_scan(rows, size), {collection_key(rows, role)})


def _consider_scan_from(best: _Best, group: _Group, known: Known, plan: Plan) -> None:
    """Offer reading the collection that shows which rows belong to which parent."""
    scan = group.relation.scan
    if scan is None or not all(scan.covers(one.parent) for one in group.unlisted):
        return
    role = scan.role(group.unlisted[0].selection)
    size = _size(best, scan.of, role, known, plan)
    if size is not None:
        best.offer(of_scan(scan.of, size), {collection_key(scan.of, role)})


def _consider_school_lists(best: _Best, group: _Group, known: Known) -> None:
    """Offer reading the students of the sections' schools; the few who are of other schools are looked up."""
    if group.relation is not SECTION_USERS or group.role != STUDENT:
        return
    schools = {getattr(one.parent, "school", None) for one, ids in group.missing.items() if ids}
    lists: set[ListKey] = {(SCHOOL_USERS, school, Selection(STUDENT)) for school in schools if school}
    fresh = {key for key in lists if key not in known.lists}
    if fresh and len(fresh) == len(schools) and not fresh & known.refused:
        best.offer(of_lists(group.relation.rows, len(fresh), len(group.look_ups)), fresh)


def _size(
    best: _Best, rows: Resource, role: str | None, known: Known, plan: Plan, guess: int | None = None
) -> int | None:
    """Return a collection's size if reading it may pay and is possible; note it in the plan where it must be asked."""
    if not best.worth_improving or rows not in COLLECTIONS or known.has_all(rows, role):
        return None
    if collection_key(rows, role) in known.refused:
        return None
    size = known.size(rows, role)
    if size is None:
        size = guess
    if size is None and rows.counts and (rows, role) not in known.sizes:
        plan.sizes.add((rows, role))
    return size


def _estimate(group: _Group, known: Known) -> int | None:
    """Guess a role's number of people where all sections ask for theirs: nearly everybody is in some section."""
    if group.relation is not SECTION_USERS or not known.has_all(SECTIONS):
        return None
    everything = known.size(SECTIONS, None) or 0
    return len(group.look_ups) if len(group.missing) >= 0.9 * everything else None
