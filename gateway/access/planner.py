"""Which way to load each want of a batch: pure, no await.

A relation can be read by its link, one call per parent and page, or by looking up the ids that the parents' own
records hold, one call per id not yet known. Parents share ids, so the choice is made over the whole batch.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto

from gateway.access.wants import Want, candidates
from gateway.clever.catalogue import Relation, Resource
from gateway.clever.values import is_id


class Path(Enum):
    """A way to load the rows of a want."""

    EMPTY = auto()
    """The edge makes no sense for this parent: no rows, no call."""
    HELD = auto()
    """The whole list is known already."""
    REFERENCES = auto()
    """Look the referenced ids up."""
    LINK = auto()
    """Follow the relative link, page by page."""


def choose(
    wants: Iterable[Want],
    *,
    holds: Callable[[Want], bool],
    knows: Callable[[Resource, str], bool],
) -> Mapping[Want, Path]:
    """Choose the path with the fewest calls for every want.

    `holds` says whether a want's whole list is known, `knows` whether a record is.
    """
    paths: dict[Want, Path] = {}
    by_relation: defaultdict[Relation, dict[Want, set[str]]] = defaultdict(dict)
    for one in wants:
        if not one.relation.applies(one.parent, one.selection):
            paths[one] = Path.EMPTY
        elif holds(one):
            paths[one] = Path.HELD
        elif (ids := one.references) is None:
            paths[one] = Path.LINK
        else:
            rows = one.relation.rows
            needed = ids if one.whole else candidates(ids, one.window)[: one.window.limit + 1]
            by_relation[one.relation][one] = {key for key in needed if is_id(key) and not knows(rows, key)}
    for missing in by_relation.values():
        look_ups = len(set().union(*missing.values()))
        links = sum(bool(ids) for ids in missing.values())
        for one, unknown in missing.items():
            paths[one] = Path.LINK if unknown and look_ups > links else Path.REFERENCES
    return paths
