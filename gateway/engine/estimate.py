"""What an operation reads, told before anything is read: kinds of records, and groups of sensitive fields."""

from collections.abc import Iterator

from gateway.clever.catalogue import Resource
from gateway.engine.collect import Field, Selection
from gateway.policy import Group
from gateway.schema.sources import Connected, Leaf, Reference, References


def touched(root: Selection) -> frozenset[Resource]:
    """Return the kinds of records that the fields below a selection lead to.

    Where none of a kind is known, reading some takes a call at the least.
    """
    found: set[Resource] = set()
    for field in _fields(root):
        if isinstance(field.source, Reference | References):
            found.add(field.source.rows)
        elif isinstance(field.source, Connected) and field.asked & {"nodes", "edges"}:
            found.add(field.source.relation.rows)
    return frozenset(found)


def groups(root: Selection) -> frozenset[Group]:
    """Return the groups of sensitive fields that are asked for below a selection."""
    leaves = [field.source for field in _fields(root) if isinstance(field.source, Leaf)]
    return frozenset(leaf.group for leaf in leaves if leaf.group is not None)


def _fields(root: Selection) -> Iterator[Field]:
    """Yield the fields below a selection, those of equal selections once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        for field in waiting.pop().fields:
            yield field
            for selection in field.under.values():
                if selection.shape not in seen:
                    seen.add(selection.shape)
                    waiting.append(selection)
