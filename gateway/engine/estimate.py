"""What an operation reads at the least, told by its plan before anything is read."""

from gateway.clever.catalogue import Resource
from gateway.engine.collect import Selection
from gateway.schema.sources import Connected, Reference, References


def touched(root: Selection) -> frozenset[Resource]:
    """Return the kinds of records that the fields below a selection lead to.

    Where none of a kind is known, reading some takes a call at the least.
    """
    found: set[Resource] = set()
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        for field in waiting.pop().fields:
            if isinstance(field.source, Reference | References):
                found.add(field.source.rows)
            elif isinstance(field.source, Connected) and field.asked & {"nodes", "edges"}:
                found.add(field.source.relation.rows)
            for selection in field.under.values():
                if selection.shape not in seen:
                    seen.add(selection.shape)
                    waiting.append(selection)
    return frozenset(found)
