"""Per request: many fields want things, one batch of keys goes down to `access`."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from functools import cached_property

from gateway.access.executor import Access
from gateway.access.scoped import ScopedAccess, Who
from gateway.access.wants import Edge, Rows, Want
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import Resource
from gateway.clever.records import Record
from gateway.errors import GatewayError
from gateway.identity import EVERY_PERMISSION
from gateway.loaders.base import BatchLoader, V
from gateway.loaders.handed import Handed, LoadRecords, LoadRows
from gateway.policy import Group


class Loaders:
    """The loaders of one request: `record` by id, `rows` of a relation's window, `total` of a whole list.

    One by one for resolvers; `records_of`, `rows_of` and `totals_of` hand a whole batch down as it is, in which a
    failure is the result of its own key or parent. Over `ScopedAccess` they load what a viewer sees. `handed` counts
    what they hand out.
    """

    def __init__(
        self,
        access: Access | ScopedAccess,
        permissions: Set[str] = EVERY_PERMISSION,
        handed: Handed | None = None,
    ) -> None:
        self._access = access
        self._permissions = permissions
        self._records: LoadRecords = handed.records(access.records) if handed else access.records
        self._rows: LoadRows = handed.rows(access.rows) if handed else access.rows

    @cached_property
    def record(self) -> BatchLoader[RecordCall, Record | None]:
        """Return the loader of records."""
        return BatchLoader(self._records)

    @cached_property
    def rows(self) -> BatchLoader[Want, Rows]:
        """Return the loader of windows."""
        return BatchLoader(self._rows)

    @cached_property
    def total(self) -> BatchLoader[Want, int | None]:
        """Return the loader of sizes."""
        return BatchLoader(self._access.totals)

    def close(self) -> None:
        """Stop what is under way: the request has ended."""
        for loader in vars(self).values():
            if isinstance(loader, BatchLoader):
                loader.close()

    def check_calls(self, kinds: Set[Resource]) -> None:
        """Raise QueryTooComplex where reading something of each kind takes more calls than the request may make."""
        self._access.check_calls(kinds)

    async def who(self) -> Who:
        """Return who asks. Raises why the viewer's own record could not be read."""
        return await self._access.who() if isinstance(self._access, ScopedAccess) else Who(None, self._permissions)

    async def withhold(self, groups: Set[Group]) -> bool:
        """Withhold, of these groups of fields, what a viewer is not granted; say whether that may concern anybody.

        Where the viewer cannot be told, nothing is shown anyway.
        """
        if not isinstance(self._access, ScopedAccess):
            return False
        try:
            return await self._access.withhold(groups)
        except GatewayError:
            return True

    async def records_of(
        self, rows: Resource, keys: Iterable[str], role: str | None = None
    ) -> Mapping[str, Record | BaseException | None]:
        """Look records up by id; `role` is one that they must hold, where that is known."""
        calls = {key: RecordCall(rows, key, role) for key in keys}
        try:
            found = await self._records(list(calls.values()))
        except Exception as error:  # noqa: BLE001 - what hinders the batch is the result of each key
            return dict.fromkeys(calls, error)
        return {key: found[call] for key, call in calls.items()}

    async def rows_of(self, edge: Edge, parents: Sequence[Record | None]) -> Sequence[Rows | BaseException]:
        """Load an edge of every parent, in their order."""
        return await _in_order(self._rows, edge, parents)

    async def totals_of(self, edge: Edge, parents: Sequence[Record | None]) -> Sequence[int | BaseException | None]:
        """Count an edge's rows of every parent, in their order."""
        return await _in_order(self._access.totals, edge, parents)


async def _in_order(
    load: Callable[[Sequence[Want]], Awaitable[Mapping[Want, V | Exception]]],
    edge: Edge,
    parents: Sequence[Record | None],
) -> Sequence[V | BaseException]:
    wants = [edge.of(parent) for parent in parents]
    try:
        found = await load(wants)
    except Exception as error:  # noqa: BLE001 - what hinders the batch is the result of each parent
        return [error] * len(wants)
    return [found[one] for one in wants]
