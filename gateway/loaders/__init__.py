"""Per request: many fields want things, one batch of keys goes down to `access`."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from gateway.access.executor import Access
from gateway.access.wants import Edge, Rows, Want
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import Resource
from gateway.clever.records import Record
from gateway.loaders.base import BatchLoader, V


class Loaders:
    """The loaders of one request: `record` by id, `rows` of a relation's window, `total` of a whole list.

    One by one for resolvers; `records_of`, `rows_of` and `totals_of` take a whole batch at once, in which a failure
    is the result of its own key or parent.
    """

    __slots__ = ("record", "rows", "total")

    def __init__(self, access: Access) -> None:
        self.record: BatchLoader[RecordCall, Record | None] = BatchLoader(access.records)
        self.rows: BatchLoader[Want, Rows] = BatchLoader(access.rows)
        self.total: BatchLoader[Want, int | None] = BatchLoader(access.totals)

    async def records_of(
        self, rows: Resource, keys: Iterable[str], role: str | None = None
    ) -> Mapping[str, Record | BaseException | None]:
        """Look records up by id; `role` is one that they must hold, where that is known."""
        distinct = list(dict.fromkeys(keys))
        found = await _all(self.record.load(RecordCall(rows, key, role)) for key in distinct)
        return dict(zip(distinct, found, strict=True))

    async def rows_of(self, edge: Edge, parents: Sequence[Record | None]) -> Sequence[Rows | BaseException]:
        """Load an edge of every parent, in their order."""
        return await _all(self.rows.load(edge.of(parent)) for parent in parents)

    async def totals_of(self, edge: Edge, parents: Sequence[Record | None]) -> "Sequence[int | BaseException | None]":
        """Count an edge's rows of every parent, in their order."""
        return await _all(self.total.load(edge.of(parent)) for parent in parents)


async def _all(work: "Iterable[asyncio.Future[V]]") -> "list[V | BaseException]":
    return await asyncio.gather(*work, return_exceptions=True)
