"""Offers: the ways that were weighed for one group of wants, the cheapest of them, and why in a sentence."""

from collections.abc import Collection
from dataclasses import dataclass

from gateway.access.costs import STRAYS, Cost, pages
from gateway.access.statistics import Statistics
from gateway.cache.shelf import ListKey
from gateway.clever.catalogue import Relation, Resource


@dataclass(frozen=True, slots=True)
class Offer:
    """A way to load: what it is called, what it costs, and the lists that it reads whole."""

    name: str
    cost: Cost
    lists: frozenset[ListKey] = frozenset()

    def __str__(self) -> str:
        return f"{self.name} ({self.cost})"


class Offers:
    """The ways to load what one group misses. The first one offered is the plain one, which needs no list."""

    __slots__ = ("_calls_left", "all", "statistics")

    def __init__(self, statistics: Statistics, calls_left: int) -> None:
        self.statistics = statistics
        self._calls_left = calls_left
        self.all: list[Offer] = []

    @property
    def plain(self) -> Cost:
        """Return the cost of the plain way."""
        return self.all[0].cost

    @property
    def best(self) -> Offer:
        """Return the cheapest way; of equal ones the plainest."""
        return min(self.all, key=self._weigh)

    @property
    def needed(self) -> int:
        """Return the calls that the way of the fewest calls takes."""
        return min(offer.cost.calls for offer in self.all)

    @property
    def why(self) -> str:
        """Say why the best way was taken."""
        best = self.best
        others = [offer for offer in self.all if offer is not best]
        if not best.cost.calls:
            return "everything is known"
        if not others:
            return f"{best}; no other way was worth weighing"
        return f"{best} rather than {' or '.join(map(str, others))}, with {self._left()}"

    def _weigh(self, offer: Offer) -> float:
        """Return an offer's cost in calls; the bytes of a list are shared with the requests that find it remembered."""
        served = self.statistics.reused if offer.lists else 1
        return self.statistics.weigh(Cost(offer.cost.calls, offer.cost.bytes // served), self._calls_left)

    def look_ups(self, rows: Resource, count: int) -> None:
        """Offer looking so many ids up."""
        cost = Cost(count, self.statistics.bytes_of(rows, count))
        self.all.append(Offer(f"looking {_many(count, 'id')} up", cost))

    def links(self, relation: Relation, count: int) -> None:
        """Offer following so many relative links."""
        rows = round(count * self.statistics.rows_of_link(relation))
        cost = Cost(count, self.statistics.bytes_of(relation.rows, rows))
        self.all.append(Offer(f"following {_many(count, 'link')}", cost))

    def scan(self, rows: Resource, role: str | None, size: int, key: ListKey) -> None:
        """Offer reading a collection of so many rows in the largest pages there are."""
        cost = Cost(pages(size), self.statistics.bytes_of(rows, size))
        what = f"{role} {rows.name}" if role else rows.name
        self.all.append(Offer(f"reading all {size} {what}", cost, frozenset({key})))

    def school_lists(self, relation: Relation, lists: Collection[ListKey], wanted: int) -> None:
        """Offer reading a list per school and looking up the few among `wanted` people who are of other schools."""
        strays = round(wanted * STRAYS)
        cost = Cost(len(lists) + strays, self.statistics.bytes_of(relation.rows, wanted + strays))
        name = f"reading the lists of {_many(len(lists), 'school')} and looking about {_many(strays, 'id')} up"
        self.all.append(Offer(name, cost, frozenset(lists)))

    def _left(self) -> str:
        return f"{_many(min(self.statistics.minute_left, self._calls_left), 'call')} left"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
