"""Per request: many fields want things, one batch of keys goes down to `access`."""

from gateway.access.executor import Access
from gateway.access.wants import Rows, Want
from gateway.clever.calls import RecordCall
from gateway.clever.records import Record
from gateway.loaders.base import BatchLoader


class Loaders:
    """The loaders of one request: `record` by id, `rows` of a relation's window, `total` of a whole list."""

    __slots__ = ("record", "rows", "total")

    def __init__(self, access: Access) -> None:
        self.record: BatchLoader[RecordCall, Record | None] = BatchLoader(access.records)
        self.rows: BatchLoader[Want, Rows] = BatchLoader(access.rows)
        self.total: BatchLoader[Want, int | None] = BatchLoader(access.totals)
