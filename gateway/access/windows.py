"""Windows: the rows of one want, on the path that was chosen for it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gateway.access.planner import Path
from gateway.access.reading import Reading
from gateway.access.wants import Rows, Want, Window, candidates, cut
from gateway.cache.rows import DecodedRows
from gateway.cache.shelf import Entry
from gateway.cache.view import View
from gateway.clever.allowance import Allowance
from gateway.clever.calls import LAST, MAX_LIMIT, RecordCall, first_page
from gateway.clever.catalogue import Resource
from gateway.clever.decode import ascending
from gateway.clever.records import Record
from gateway.clever.values import is_id


class Windows:
    """Loads windows for one request, at once from what is known or with the calls that their path takes."""

    def __init__(self, reading: Reading, view: View | None = None) -> None:
        self._reading = reading
        self._view = view or reading.view

    def at_once(self, one: Want) -> Rows | None:
        """Return the rows of a want if what is known tells them all."""
        if not one.relation.applies(one.parent, one.selection):
            return cut((), one.window)
        whole = self._view.whole(one.list_key)
        if whole is not None:
            return cut(whole.records, one.window)
        ids = self._view.ids(one.relation, one.parent, one.selection) if one.relation.of_parent else None
        return None if ids is None else self._of_known(one, ids)

    async def load(self, one: Want, path: Path, allowance: Allowance) -> Rows:
        """Load the rows of a want on a path."""
        if path is Path.EMPTY:
            return cut((), one.window)
        if path is Path.HELD and (whole := self._view.whole(one.list_key)) is not None:
            return cut(whole.records, one.window)
        if path is Path.REFERENCES:
            ids = self._view.ids(one.relation, one.parent, one.selection)
            return await self._follow_references(one, ids or [], allowance)
        if one.whole:
            entry = await self._reading.entry(one.list_key, allowance)
            return cut(self._view.open(entry).records, one.window)
        return await self._follow_link(one, allowance)

    async def record(self, call: RecordCall, allowance: Allowance) -> Record | None:
        """Look a record up; None if Clever does not show it."""
        known, record = self._view.find(call.rows, call.id)
        if known or not is_id(call.id):
            return record
        return self._view.open(await self._reading.entry(call, allowance)).find(call.id)

    def _of_known(self, one: Want, ids: Sequence[str]) -> Rows | None:
        """Return the rows of these ids if all that are needed are known."""
        window, role = one.window, one.selection.role or one.relation.role_of_rows
        find = self._view.find
        found: list[Record] = []
        rest = ids if one.whole else candidates(ids, window)
        for key in rest:
            known, record = find(one.relation.rows, key, role)
            if not known:
                if is_id(key):
                    return None
            elif record is not None and holds(record, role):
                found.append(record)
                if len(found) > window.limit and not one.whole:
                    break
        found.sort(key=_id)
        if one.whole:
            self._view.remember(one.list_key, tuple(found))
        return cut(found, window)

    async def _row(self, rows: Resource, key: str, role: str | None, allowance: Allowance) -> Record | None:
        """Return a row of a list by its id; None if Clever does not show it, or not in that role."""
        known, record = self._view.find(rows, key, role)
        if not known:
            record = await self.record(RecordCall(rows, key), allowance)
        return record if record is not None and holds(record, role) else None

    async def _follow_references(self, one: Want, ids: Sequence[str], allowance: Allowance) -> Rows:
        """Look ids up outward from the cursor until the window is full; what Clever does not show is passed over."""
        window, role = one.window, one.selection.role or one.relation.role_of_rows
        waiting = [key for key in (ids if one.whole else candidates(ids, window)) if is_id(key)]
        found: list[Record] = []
        started = False
        while waiting and (one.whole or len(found) <= window.limit):
            if started and not all(self._view.knows(one.relation.rows, key, role) for key in waiting):
                # So many are not shared that looking on, one after another, would cost more than the list itself.
                return await self._follow_link(one, allowance)
            started = True
            size = len(waiting) if one.whole else window.limit + 1 - len(found)
            chunk, waiting = waiting[:size], waiting[size:]
            looked_up = await asyncio.gather(*[self._row(one.relation.rows, key, role, allowance) for key in chunk])
            found.extend(record for record in looked_up if record is not None)
        found.sort(key=_id)
        if one.whole or (window.after is None and window.before is None and not waiting):
            self._view.remember(one.list_key, tuple(found))
        return cut(found, window)

    async def _follow_link(self, one: Want, allowance: Allowance) -> Rows:
        """Read pages of the link; what turns out to be the whole list is remembered as such."""
        window = one.window
        found, more, pages = await self._read(one, window.limit, allowance)
        if not more and window.after is None and window.before is None:
            entry = Entry(one.list_key, one.relation.rows, min(page.at for page in pages), DecodedRows(tuple(found)))
            entry.missing = any(page.missing for page in pages)
            self._reading.keep(entry, pages)
        rows = cut(found, window)
        if window.backward:
            return Rows(rows.records, rows.has_next, more or rows.has_previous)
        return Rows(rows.records, more or rows.has_next, rows.has_previous)

    async def _read(self, one: Want, enough: int, allowance: Allowance) -> tuple[list[Record], bool, list[Entry]]:
        """Read pages in the window's direction until `enough` rows are there.

        Returns the rows in ascending order, whether Clever has more, and the pages. Short pages are no end, and rows
        that do not belong to the selection make no page: then one row beyond is read, so that "more" is true.
        """
        window = one.window
        first = first_page(one.relation, one.parent_id, one.selection, max(window.limit, 1))
        call = replace(first, after=window.after, before=window.before or (LAST if window.backward else None))
        found: list[Record] = []
        pages: list[Entry] = []
        while True:
            page = await self._reading.entry(call, allowance)
            pages.append(page)
            records = self._view.open(page).records
            kept = [record for record in records if _belongs(record, one)]
            if len(kept) < len(records):
                enough = max(window.limit, 1) + 1
            found = [*kept, *found] if window.backward else [*found, *kept]
            if page.onward is None or len(found) >= enough:
                # Each page is in order and without repeats; pages that overlap need not be.
                return list(ascending(found)), page.onward is not None, pages
            call = replace(call, before=page.onward) if window.backward else replace(call, after=page.onward)


def whole_window(one: Want) -> Want:
    """Return the want for a whole list."""
    return replace(one, whole=True, window=Window(limit=MAX_LIMIT))


def holds(record: Record, role: str | None) -> bool:
    """Say whether a record holds a role, where one is asked for."""
    return role is None or getattr(getattr(record, "roles", None), role, None) is not None


def _id(record: Record) -> str:
    return record.id


def _belongs(record: Record, one: Want) -> bool:
    keeps, window = one.relation.keeps, one.window
    if window.after is not None and record.id <= window.after:
        return False
    if window.before is not None and record.id >= window.before:
        return False
    return keeps is None or keeps(one.parent_id or "", one.selection, record)
