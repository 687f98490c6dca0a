"""The floor: the fewest calls in which Clever could hand out what an answer is made of.

It is worked out from what a query was found to need and from how many records the district has, for somebody who
knows beforehand which records these are. Of each collection the answer has records of, the cheapest of these is taken:

- the whole collection, in pages of 10,000; or
- for each role that is asked for, the cheaper of all people of that role in such pages, and for each relation the
  cheaper of one call for each parent that has rows (its relative link) and one for each distinct record (a look-up).

Who belongs to whom has to be read, too. Where neither side's own record says it (a student's teachers are those of the
student's sections), the links of all parents are followed, or that third collection is read whole.

Asking for counts, records that Clever does not show and what is read to plan are not in it: it is a bound from below,
and for some questions no way of reading reaches it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from gateway.access.costs import pages
from gateway.access.wants import Rows, Want
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import Relation, Resource


class Need:
    """What is needed of one relation, or by id: pages of its links, and which records."""

    def __init__(self) -> None:
        self.lists: dict[object, int] = {}
        self.ids: set[str] = set()

    @property
    def links(self) -> int:
        """Return the calls that following every link takes."""
        return sum(self.lists.values()) if self.lists else len(self.ids)


class Needs:
    """What a query needs of a district that has so many records, by collection or `role:…`."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts
        self._needs: dict[tuple[Relation | Resource, str | None], Need] = defaultdict(Need)

    def note_rows(self, found: Mapping[Want, Rows]) -> None:
        """Note the windows that were read."""
        for one, rows in found.items():
            need = self._needs[one.relation, one.selection.role or one.relation.role_of_rows]
            ids = {record.id for record in rows.records}
            if ids or not one.relation.of_parent:
                need.lists[one.list_key, one.window] = pages(len(ids))
            need.ids |= ids

    def note_records(self, calls: Iterable[RecordCall]) -> None:
        """Note the records that were looked up."""
        for call in calls:
            self._needs[call.rows, call.role].ids.add(call.id)

    def floor(self) -> int:
        """Return the fewest calls."""
        whole: set[Resource] = set()
        parts: dict[Resource, dict[str | None, list[int]]] = defaultdict(lambda: defaultdict(list))
        for (what, role), need in self._needs.items():
            rows = what.rows if isinstance(what, Relation) else what
            calls = min(need.links, len(need.ids)) if need.ids else need.links
            third = _third(what)
            if third is not None and need.links <= self._pages(third):
                calls = need.links
            elif third is not None:
                whole.add(third)
            parts[rows][role].append(calls)
        return sum(self._least(rows, parts[rows], rows in whole) for rows in {*whole, *parts})

    def _least(self, rows: Resource, parts: Mapping[str | None, list[int]], whole: bool) -> int:
        all_of_it = self._pages(rows)
        if whole:
            return all_of_it
        return min(all_of_it, sum(min(self._pages(rows, role), sum(calls)) for role, calls in parts.items()))

    def _pages(self, rows: Resource, role: str | None = None) -> int:
        return pages(self._counts[f"role:{role}" if role else rows.name])


def _third(what: Relation | Resource) -> Resource | None:
    """Return the collection whose records alone say what belongs to what; None where rows or parents say it."""
    scan = what.scan if isinstance(what, Relation) else None
    if not isinstance(what, Relation) or scan is None or scan.of in (what.rows, what.owner):
        return None
    return scan.of
