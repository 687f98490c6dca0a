"""Access: runs the calls that a batch of wants needs, for one request of one tenant.

A failing call is the result of its own want alone; whatever a page brings is remembered for the whole request.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from gateway.access.planner import Path, Plan, choose, choose_look_ups
from gateway.access.wants import Rows, Want, Window, candidates, counted, cut
from gateway.cache.memory import ListKey, RequestMemory
from gateway.clever.allowance import Allowance
from gateway.clever.calls import LAST, MAX_LIMIT, CountCall, ListCall, RecordCall, first_page
from gateway.clever.catalogue import Relation, Resource
from gateway.clever.client import CleverClient
from gateway.clever.decode import Page, ascending
from gateway.clever.records import Record
from gateway.clever.values import is_id
from gateway.errors import Forbidden, GatewayError, QueryTooComplex
from gateway.identity import Tenant

_SHARE_FOR_READING_AHEAD = 1 / 3

K = TypeVar("K")
V = TypeVar("V")


class Access:
    """Answers wants from what the request knows already, and from Clever."""

    def __init__(
        self, client: CleverClient, tenant: Tenant, allowance: Allowance, planner: Callable[..., Plan] = choose
    ) -> None:
        self._client = client
        self._tenant = tenant
        self._allowance = allowance
        self._choose = planner
        self._memory = RequestMemory()
        self._started: dict[Hashable, asyncio.Task[Any]] = {}

    async def records(self, calls: Sequence[RecordCall]) -> Mapping[RecordCall, Record | Exception | None]:
        """Look records up by id; None for one that Clever has none to show of."""
        await self._prepare(lambda: choose_look_ups(calls, self._memory, self._allowance.calls_left))
        return await _each({call: self._record(call) for call in calls})

    async def rows(self, wants: Sequence[Want]) -> Mapping[Want, Rows | Exception]:
        """Load the windows of a batch of wants."""
        plan = await self._prepare(lambda: self._choose(wants, self._memory, self._allowance.calls_left))
        return await _each({one: self._rows(one, plan.paths[one]) for one in wants})

    async def totals(self, wants: Sequence[Want]) -> Mapping[Want, int | Exception | None]:
        """Count the rows of whole lists, whatever the windows; None where the request may not spend so many calls."""
        countable = [one for one in wants if counted(one.relation)]
        others = {
            one: replace(one, whole=True, window=Window(limit=MAX_LIMIT)) for one in wants if one not in countable
        }
        loaded, found = await asyncio.gather(
            self.rows(list(dict.fromkeys(others.values()))), _each({one: self._count(one) for one in countable})
        )
        for one, whole in others.items():
            outcome = loaded[whole]
            found[one] = outcome if isinstance(outcome, Exception) else len(self._memory.lists.get(one.list_key, ()))
        return {one: None if isinstance(total, QueryTooComplex) else total for one, total in found.items()}

    async def _prepare(self, plan_anew: Callable[[], Plan]) -> Plan:
        """Ask for what the planner wants to know and read the lists that it wants read, until it wants no more.

        What cannot be had is remembered as such, and the planner does without.
        """
        while True:
            plan = plan_anew()
            if not plan.sizes and not plan.lists:
                return plan
            # Reading ahead is a convenience: it may not take the time that the plain way needs.
            seconds = self._allowance.seconds_left * _SHARE_FOR_READING_AHEAD
            if plan.sizes:
                await asyncio.gather(*[self._ask_size(rows, role, seconds) for rows, role in plan.sizes])
            else:
                await asyncio.gather(*[self._read_ahead(key, seconds) for key in plan.lists])

    async def _ask_size(self, rows: Resource, role: str | None, seconds: float) -> None:
        call = CountCall(rows, role)
        size: int | None = None
        try:
            async with asyncio.timeout(seconds):
                size = await self._once(call, lambda: self._client.count(self._tenant, call, self._allowance))
        except (GatewayError, TimeoutError):
            pass
        self._memory.sizes[rows, role] = size

    async def _read_ahead(self, key: ListKey, seconds: float) -> None:
        relation, parent_id, selection = key
        try:
            async with asyncio.timeout(seconds):
                await self._whole_list(Want(relation, parent_id, selection, Window(limit=MAX_LIMIT)))
        except (GatewayError, TimeoutError):
            self._memory.refused.add(key)

    async def _record(self, call: RecordCall) -> Record | None:
        if self._memory.knows(call.rows, call.id) or not is_id(call.id):
            return self._memory.find(call.rows, call.id)
        return await self._once(call, lambda: self._look_up(call))

    async def _row(self, rows: Resource, key: str, role: str | None) -> Record | None:
        """Return a row of a list by its id; None if Clever does not show it, or not in that role."""
        if not self._memory.knows(rows, key) and self._memory.knows(rows, key, role):
            return None
        record = await self._record(RecordCall(rows, key))
        return record if role is None or getattr(getattr(record, "roles", None), role, None) else None

    async def _look_up(self, call: RecordCall) -> Record | None:
        record = await self._client.record(self._tenant, call, self._allowance)
        if record is None:
            self._memory.keep_missing(call.rows, call.id)
        else:
            self._memory.keep(call.rows, [record])
        return record

    async def _rows(self, one: Want, path: Path) -> Rows:
        if path is Path.EMPTY:
            return cut((), one.window)
        if path is Path.HELD:
            return cut(self._memory.lists[one.list_key], one.window)
        if path is Path.REFERENCES:
            ids = self._memory.ids(one.relation, one.parent, one.selection)
            return await self._follow_references(one, ids or [])
        if one.whole:
            return cut(await self._whole_list(one), one.window)
        return await self._follow_link(one)

    async def _count(self, one: Want) -> int:
        """Return the size of a whole collection."""
        if (held := self._memory.lists.get(one.list_key)) is not None:
            return len(held)
        call = CountCall(one.relation.rows, one.selection.role)
        count = await self._once(call, lambda: self._client.count(self._tenant, call, self._allowance))
        if count is None:
            raise no_access(one.relation.rows)
        return count

    async def _follow_references(self, one: Want, ids: Sequence[str]) -> Rows:
        """Look ids up outward from the cursor until the window is full; what Clever does not show is passed over."""
        window, role = one.window, one.selection.role or one.relation.role_of_rows
        waiting = [key for key in (ids if one.whole else candidates(ids, window)) if is_id(key)]
        found: list[Record] = []
        started = False
        while waiting and (one.whole or len(found) <= window.limit):
            if started and not all(self._memory.knows(one.relation.rows, key, role) for key in waiting):
                # So many are not shared that looking on, one after another, would cost more than the list itself.
                return await self._follow_link(one)
            started = True
            size = len(waiting) if one.whole else window.limit + 1 - len(found)
            chunk, waiting = waiting[:size], waiting[size:]
            looked_up = await asyncio.gather(*[self._row(one.relation.rows, key, role) for key in chunk])
            found.extend(record for record in looked_up if record is not None)
        found.sort(key=lambda record: record.id)
        if one.whole or (window.after is None and window.before is None and not waiting):
            self._memory.lists[one.list_key] = tuple(found)
        return cut(found, window)

    async def _whole_list(self, one: Want) -> tuple[Record, ...]:
        """Read a list to its end in the largest pages there are, and remember it."""

        async def read() -> tuple[Record, ...]:
            found, _ = await self._read(replace(one, window=Window(limit=MAX_LIMIT)), enough=None)
            self._memory.lists[one.list_key] = tuple(found)
            return self._memory.lists[one.list_key]

        return await self._once(one.list_key, read)

    async def _follow_link(self, one: Want) -> Rows:
        window = one.window
        found, more = await self._read(one, enough=window.limit)
        if not more and window.after is None and window.before is None:
            self._memory.lists[one.list_key] = tuple(found)
        rows = cut(found, window)
        if window.backward:
            return Rows(rows.records, rows.has_next, more or rows.has_previous)
        return Rows(rows.records, more or rows.has_next, rows.has_previous)

    async def _read(self, one: Want, enough: int | None) -> tuple[list[Record], bool]:
        """Read pages in the window's direction until `enough` rows are there (None: to the end).

        Returns the rows in ascending order and whether Clever has more. Short pages are no end, and rows that do
        not belong to the selection make no page: then one row beyond is read, so that "more" is true.
        """
        window = one.window
        limit = max(window.limit, 1)
        first = first_page(one.relation, one.parent_id, one.selection, limit)
        call = replace(first, after=window.after, before=window.before or (LAST if window.backward else None))
        found: list[Record] = []
        while True:
            page = await self._page(call, one.relation)
            kept = [record for record in page.records if _belongs(record, one)]
            if len(kept) < len(page.records) and enough is not None:
                enough = limit + 1
            found = [*kept, *found] if window.backward else [*found, *kept]
            if page.onward is None or (enough is not None and len(found) >= enough):
                # Each page is in order and without repeats; pages that overlap need not be.
                return list(ascending(found)), page.onward is not None
            call = replace(call, before=page.onward) if window.backward else replace(call, after=page.onward)

    async def _once(self, key: Hashable, start: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """Do for the whole request what several wants may need at the same time, whoever of them is cancelled."""
        if key not in self._started:
            self._started[key] = asyncio.create_task(start())
        found: V = await asyncio.shield(self._started[key])
        return found

    async def _page(self, call: ListCall, relation: Relation) -> Page:
        """Read one page; no list on a known record is an empty list, no list at all is a lack of access."""
        page = await self._client.page(self._tenant, call, self._allowance)
        if page is None:
            if relation.of_parent:
                return Page(())
            raise no_access(relation.rows)
        self._memory.keep(relation.rows, page.records)
        return page


def no_access(rows: Resource) -> Forbidden:
    """Build the error for a whole collection that Clever does not show to the token."""
    return Forbidden(
        f"The token has no access to {rows.name}. Reading them takes a district-app token of an app with Secure Sync "
        f"whose data settings share {rows.name}; a person's sign-in token does not do. If every query says this, "
        "GATEWAY_CLEVER_URL may not be Clever's API."
    )


def _belongs(record: Record, one: Want) -> bool:
    keeps, window = one.relation.keeps, one.window
    if window.after is not None and record.id <= window.after:
        return False
    if window.before is not None and record.id >= window.before:
        return False
    return keeps is None or keeps(one.parent_id or "", one.selection, record)


async def _each(work: Mapping[K, Coroutine[Any, Any, V]]) -> dict[K, V | Exception]:
    """Run everything side by side; a failure is the result of its own key."""
    outcomes = await asyncio.gather(*work.values(), return_exceptions=True)
    return {
        key: outcome if isinstance(outcome, Exception) or not isinstance(outcome, BaseException) else Interrupted()
        for key, outcome in zip(work, outcomes, strict=True)
    }


class Interrupted(Exception):
    """Work was cancelled from outside, as at shutdown, while others waited for it."""
