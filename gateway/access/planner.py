"""Which way to load each want of a batch: pure, no await, decided over the whole batch because parents share rows.

As a database chooses among an index look-up, a join through an index and a sequential scan, so the planner chooses
among looking ids up, following relative links, and reading lists that hold what is wanted: a whole collection, or the
people of a school. A plan may first ask for sizes or for lists; when those are there, the planner is asked again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from gateway.access.costs import WORTH_A_COUNT
from gateway.access.offers import Offers
from gateway.access.statistics import Statistics
from gateway.access.wants import Want, candidates
from gateway.cache.shelf import Key, ListKey
from gateway.cache.view import collection_key
from gateway.clever.calls import CountCall, RecordCall
from gateway.clever.catalogue import (
    COLLECTIONS,
    SCHOOL_USERS,
    SECTION_USERS,
    Relation,
    Resource,
    Selection,
)
from gateway.clever.records import Record
from gateway.clever.values import is_id

_NEARLY_ALL = 0.9


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
    """What is known already: the view of the request."""

    @property
    def refused(self) -> Set[Key]:
        """Return what could not be read when it was tried."""

    def has_list(self, key: ListKey) -> bool:
        """Say whether a list is known whole."""

    def knows(self, rows: Resource, key: str, role: str | None = None) -> bool:
        """Say whether a look-up would cost no call."""

    def has_all(self, rows: Resource, role: str | None = None) -> bool:
        """Say whether a collection is known whole."""

    def size(self, rows: Resource, role: str | None) -> int | None:
        """Return a collection's size, if known."""

    def ids(self, relation: Relation, parent: Record | None, selection: Selection) -> Sequence[str] | None:
        """Return the ids of a relation's rows, if known."""


# The wants of a batch that are planned together: those of one relation and role. None for look-ups by id.
GroupKey = tuple[Relation | Resource, str | None]


@dataclass(slots=True)
class Plan:
    """What to do: sizes to ask for, lists to read whole, and the path of every want once neither is left to do.

    `lists` and `groups` say why, with what was weighed.
    """

    sizes: set[tuple[Resource, str | None]] = field(default_factory=set)
    lists: dict[ListKey, Offers] = field(default_factory=dict)
    paths: dict[Want, Path] = field(default_factory=dict)
    groups: dict[GroupKey, Offers] = field(default_factory=dict)


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


def choose(wants: Iterable[Want], known: Known, calls_left: int, statistics: Statistics) -> Plan:
    """Plan a batch of wants."""
    plan = Plan()
    groups: dict[GroupKey, _Group] = {}
    for one in wants:
        relation = one.relation
        if not relation.applies(one.parent, one.selection):
            plan.paths[one] = Path.EMPTY
        elif known.has_list(one.list_key):
            plan.paths[one] = Path.HELD
        elif not relation.of_parent:
            plan.paths[one] = Path.LINK
        else:
            key = group_of(one)
            group = groups.setdefault(key, _Group(relation, key[1]))
            needed = needed_of(one, known)
            if needed is None:
                group.unlisted.append(one)
            else:
                group.missing[one] = {
                    key for key in needed if is_id(key) and not known.knows(relation.rows, key, group.role)
                }
    for key, group in groups.items():
        plan.groups[key] = _plan_group(group, known, Offers(statistics, calls_left), plan)
    return plan


def choose_look_ups(calls: Iterable[RecordCall], known: Known, calls_left: int, statistics: Statistics) -> Plan:
    """Plan a batch of look-ups by id."""
    plan = Plan()
    missing: defaultdict[tuple[Resource, str | None], set[str]] = defaultdict(set)
    for call in calls:
        if is_id(call.id) and not known.knows(call.rows, call.id):
            missing[call.rows, call.role].add(call.id)
    for (rows, role), ids in missing.items():
        offers = Offers(statistics, calls_left)
        offers.look_ups(rows, len(ids))
        if rows in COLLECTIONS:
            _consider_scan(offers, rows, role, known, plan)
        plan.lists |= dict.fromkeys(offers.best.lists, offers)
        plan.groups[rows, role] = offers
    return plan


def needed_of(one: Want, known: Known) -> Sequence[str] | None:
    """Return the ids of the rows that a want takes at first, if known."""
    ids = known.ids(one.relation, one.parent, one.selection)
    return ids if ids is None or one.whole else candidates(ids, one.window)[: one.window.limit + 1]


def group_of(one: Want) -> GroupKey:
    """Return what a want is planned together with."""
    return one.relation, one.selection.role or one.relation.role_of_rows


def _plan_group(group: _Group, known: Known, offers: Offers, plan: Plan) -> Offers:
    rows, look_ups = group.relation.rows, group.look_ups
    prefers_ids = not group.unlisted and len(look_ups) <= group.links
    if prefers_ids:
        offers.look_ups(rows, len(look_ups))
    else:
        offers.links(group.relation, group.links)
    if group.unlisted:
        _consider_scan_from(offers, group, known, plan)
    else:
        _consider_scan(offers, rows, group.role, known, plan, guess=_estimate(group, known))
        _consider_school_lists(offers, group, known)
    plan.lists |= dict.fromkeys(offers.best.lists, offers)
    for one, ids in group.missing.items():
        plan.paths[one] = Path.REFERENCES if prefers_ids or not ids else Path.LINK
    for one in group.unlisted:
        plan.paths[one] = Path.LINK
    return offers


def _consider_scan(
    offers: Offers, rows: Resource, role: str | None, known: Known, plan: Plan, guess: int | None = None
) -> None:
    """Offer reading the rows' whole collection, so that every id is known; ask for its size where that is not."""
    size = _size(offers, rows, role, known, plan, guess)
    if size is not None:
        offers.scan(rows, role, size, collection_key(rows, role))


def _consider_scan_from(offers: Offers, group: _Group, known: Known, plan: Plan) -> None:
    """Offer reading the collection that shows which rows belong to which parent."""
    scan = group.relation.scan
    if scan is None or not all(scan.covers(one.parent) for one in group.unlisted):
        return
    role = scan.role(group.unlisted[0].selection)
    if group.relation.rows is scan.of and _covers_all(group, known):
        # Whoever follows the links of all parents reads the whole collection, too, in more pages. Where the rows are
        # of another collection, that one is still to be read.
        guess = round(group.links * offers.statistics.rows_of_link(group.relation))
        if not known.has_all(scan.of, role) and collection_key(scan.of, role) not in known.refused:
            offers.scan(scan.of, role, known.size(scan.of, role) or guess, collection_key(scan.of, role))
        return
    size = _size(offers, scan.of, role, known, plan)
    if size is not None:
        offers.scan(scan.of, role, size, collection_key(scan.of, role))


def _consider_school_lists(offers: Offers, group: _Group, known: Known) -> None:
    """Offer reading the people of the sections' schools; the few who are of other schools are looked up."""
    if group.relation is not SECTION_USERS or offers.plain.calls <= WORTH_A_COUNT:
        return
    schools = {getattr(one.parent, "school", None) for one, ids in group.missing.items() if ids}
    lists: set[ListKey] = {(SCHOOL_USERS, school, Selection(group.role)) for school in schools if school}
    fresh = {key for key in lists if not known.has_list(key)}
    if fresh and len(fresh) == len(schools) and not fresh & known.refused:
        offers.school_lists(SCHOOL_USERS, fresh, len(group.look_ups))


def _size(
    offers: Offers, rows: Resource, role: str | None, known: Known, plan: Plan, guess: int | None = None
) -> int | None:
    """Return a collection's size if reading it may pay and is possible; note it in the plan where it must be asked."""
    if offers.plain.calls <= WORTH_A_COUNT or rows not in COLLECTIONS or known.has_all(rows, role):
        return None
    if collection_key(rows, role) in known.refused:
        return None
    size = known.size(rows, role)
    if size is None:
        size = offers.statistics.sizes.get((rows, role), guess)
    if size is None and rows.counts and CountCall(rows, role) not in known.refused:
        plan.sizes.add((rows, role))
    return size


def _estimate(group: _Group, known: Known) -> int | None:
    """Guess a role's number of people where all sections ask for theirs: nearly everybody is in some section."""
    return len(group.look_ups) if group.relation is SECTION_USERS and _covers_all(group, known) else None


def _covers_all(group: _Group, known: Known) -> bool:
    """Say whether nearly all parents that there are ask for their rows."""
    parents = len(group.unlisted) + len(group.missing)
    owner = group.relation.owner
    if owner is None or not known.has_all(owner):
        return False
    return parents > 1 and parents >= _NEARLY_ALL * (known.size(owner, None) or 0)
