"""Windows: the rows of one want, on the path that was chosen for it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from gateway.access.planner import Path, needed_of
from gateway.access.reading import Reading
from gateway.access.wants import Rows, Want, Window, candidates, cut
from gateway.cache.pace import Pace
from gateway.cache.rows import DecodedRows, OpenRows, id_of
from gateway.cache.shelf import Entry
from gateway.cache.view import View
from gateway.clever.allowance import Allowance
from gateway.clever.calls import LAST, MAX_LIMIT, ListCall, RecordCall, first_page
from gateway.clever.catalogue import Resource
from gateway.clever.checks import Walk
from gateway.clever.decode import ascending
from gateway.clever.records import Record
from gateway.clever.values import is_id

# After so many look-ups the clock is looked at: each may unpack a few hundred rows.
_AT_A_STRETCH = 16


class Windows:
    """Loads windows for one request, from what is known or with the calls that their path takes."""

    def __init__(self, reading: Reading, view: View | None = None) -> None:
        self._reading = reading
        self.view = self._view = view or reading.view

    async def known(self, one: Want, pace: Pace) -> Rows | None:
        """Return the rows of a want if what is known tells them all."""
        if not one.relation.applies(one.parent, one.selection):
            return cut((), one.window)
        whole = self._view.whole(one.list_key)
        if whole is not None:
            return await _cut_out(whole, one.window, pace)
        ids = self._view.ids(one.relation, one.parent, one.selection) if one.relation.of_parent else None
        rows = None if ids is None else await self._of_known(one, ids, pace)
        return await self._of_held_pages(one, pace) if rows is None and not one.whole else rows

    async def load(self, one: Want, path: Path, allowance: Allowance) -> Rows:
        """Load the rows of a want on a path."""
        if path is Path.EMPTY:
            return cut((), one.window)
        if path is Path.HELD and (whole := self._view.whole(one.list_key)) is not None:
            return await _cut_out(whole, one.window, self._reading.pace())
        if path is Path.REFERENCES:
            ids = self._view.ids(one.relation, one.parent, one.selection)
            return await self._follow_references(one, ids or [], allowance)
        if one.whole:
            entry = await self._reading.entry(one.list_key, allowance)
            return await _cut_out(self._view.open(entry), one.window, self._reading.pace())
        return await self._follow_link(one, allowance)

    async def record(self, call: RecordCall, allowance: Allowance) -> Record | None:
        """Look a record up; None if Clever does not show it."""
        known, record = self._view.find(call.rows, call.id)
        if known or not is_id(call.id):
            return record
        return self._view.open(await self._reading.entry(call, allowance)).find(call.id)

    async def look_over(self, wants: Sequence[Want]) -> None:
        """Look once, a while at a time, at what the planner is going to look at."""
        pace = self._reading.pace()
        for one in wants:
            role = one.selection.role or one.relation.role_of_rows
            if self._view.unpacks(one.relation.rows, role):
                for key in needed_of(one, self._view) or ():
                    self._view.find(one.relation.rows, key, role)
                    if pace.due:
                        await pace.rest()

    async def _of_known(self, one: Want, ids: Sequence[str], pace: Pace) -> Rows | None:
        """Return the rows of these ids if all that are needed are known."""
        window = one.window
        # Where the ids are counted, nothing is read for the total's sake.
        whole = one.whole and self._view.count(one.relation, one.parent, one.selection) is None
        keys = ids if whole else candidates(ids, window)
        found: list[Record] = []
        start, missing = 0, len(keys) if whole else window.limit + 1
        while start < len(keys) and missing > 0:
            if start and pace.due:
                await pace.rest()
            end = start + min(missing, _AT_A_STRETCH)
            if not self._add_known(one, keys[start:end], found):
                return None
            start, missing = end, (len(keys) if whole else window.limit + 1) - len(found)
        if window.backward and not whole:
            found.reverse()
        if whole:
            self._view.remember(one.list_key, tuple(found))
        return cut(found, window)

    def _add_known(self, one: Want, keys: Sequence[str], found: list[Record]) -> bool:
        """Add the rows of these ids to those that were found; say whether all of them are known."""
        rows, role, find = one.relation.rows, one.selection.role or one.relation.role_of_rows, self._view.find
        first = self._view.first_finder(rows, role)
        for key in keys:
            known, record = True, first(key) if first else None
            if record is None:
                known, record = find(rows, key, role)
            if not known:
                if is_id(key):
                    return False
            elif record is not None and holds(record, role):
                found.append(record)
        return True

    async def _rows(self, one: Want, keys: Sequence[str], allowance: Allowance) -> list[Record]:
        """Return the rows of these ids, those that are not known by as many calls side by side."""
        rows, role = one.relation.rows, one.selection.role or one.relation.role_of_rows
        pace = self._reading.pace()
        unknown: list[str] = []
        found: list[Record | None] = []
        for key in keys:
            if pace.due:
                await pace.rest()
            known, record = self._view.find(rows, key, role)
            if not known:
                unknown.append(key)
            elif record is not None and holds(record, role):
                found.append(record)
        found += await asyncio.gather(*[self._row(rows, key, role, allowance) for key in unknown])
        return [record for record in found if record is not None]

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
            found += await self._rows(one, chunk, allowance)
        found.sort(key=id_of)
        if one.whole or (window.after is None and window.before is None and not waiting):
            self._view.remember(one.list_key, tuple(found))
        return cut(found, window)

    async def _follow_link(self, one: Want, allowance: Allowance) -> Rows:
        """Read pages of the link; what turns out to be the whole list is remembered as such."""
        walk = _Walk(one)
        while walk.call is not None:
            entry = await self._reading.entry(walk.call, allowance)
            walk.take(entry, await _all_of(self._view.open(entry), self._reading.pace()))
        window = one.window
        if not walk.more and window.after is None and window.before is None:
            at = min(page.at for page in walk.pages)
            whole = Entry(one.list_key, one.relation.rows, at, DecodedRows(tuple(walk.found)))
            whole.missing = any(page.missing for page in walk.pages)
            self._reading.keep(whole, walk.pages)
        return walk.rows()

    async def _of_held_pages(self, one: Want, pace: Pace) -> Rows | None:
        """Return the rows of a want if all pages that it takes are known."""
        walk = _Walk(one)
        while walk.call is not None:
            entry = self._view.held(walk.call)
            if entry is None:
                return None
            walk.take(entry, await _all_of(self._view.open(entry), pace))
        return walk.rows()


class _Walk:
    """A walk over the pages of a list in a window's direction until there are enough rows.

    `call` is the next page to take, None at the end. Short pages are no end, and rows that do not belong to the
    selection make no page: then one row beyond is read, so that "more" is true.
    """

    def __init__(self, one: Want) -> None:
        self._one = one
        self._enough = one.window.limit
        self.call: ListCall | None = first_of(one)
        self.pages: list[Entry] = []
        self.found: Sequence[Record] = ()
        self.more = False
        self._walk = Walk()

    def take(self, page: Entry, records: Sequence[Record]) -> None:
        """Take the rows of the page that `call` named. Raises UpstreamInvalidResponse where there is no end."""
        assert self.call is not None  # noqa: S101 - for the type checker: there is a next page to take
        self.pages.append(page)
        self._walk.take(self.call, records, page.onward)
        kept = _belonging(records, self._one)
        if len(kept) < len(records):
            self._enough = max(self._one.window.limit, 1) + 1
        backward = self._one.window.backward
        if len(self.pages) > 1:
            kept = [*kept, *self.found] if backward else [*self.found, *kept]
        self.found = kept
        self.more = page.onward is not None
        if not self.more or len(self.found) >= self._enough:
            # Each page is in order and without repeats; pages that overlap need not be.
            if len(self.pages) > 1:
                self.found = ascending(list(self.found))
            self.call = None
        else:
            after, before = (self.call.after, page.onward) if backward else (page.onward, self.call.before)
            self.call = replace(self.call, after=after, before=before)

    def rows(self) -> Rows:
        """Return the window's rows once all pages have been taken."""
        rows = cut(self.found, self._one.window)
        if self._one.window.backward:
            return Rows(rows.records, rows.has_next, self.more or rows.has_previous)
        return Rows(rows.records, self.more or rows.has_next, rows.has_previous)


def first_of(one: Want) -> ListCall:
    """Return the first page that a walk over a want's list takes."""
    first = first_page(one.relation, one.parent_id, one.selection, max(one.window.limit, 1))
    after, before = one.window.after, one.window.before or (LAST if one.window.backward else None)
    return first if after is None and before is None else replace(first, after=after, before=before)


def whole_window(one: Want) -> Want:
    """Return the want for a whole list."""
    return replace(one, whole=True, window=Window(limit=MAX_LIMIT))


def holds(record: Record, role: str | None) -> bool:
    """Say whether a record holds a role, where one is asked for."""
    return role is None or getattr(getattr(record, "roles", None), role, None) is not None


async def _all_of(rows: OpenRows, pace: Pace) -> Sequence[Record]:
    """Return all rows."""
    return rows.records if isinstance(rows, DecodedRows) else (await _cut_out(rows, Window(len(rows)), pace)).records


async def _cut_out(rows: OpenRows, window: Window, pace: Pace) -> Rows:
    """Return a window's rows out of a whole list, of which no more is unpacked than the window takes."""
    if isinstance(rows, DecodedRows):
        return cut(rows.records, window)
    parts: list[Sequence[Record]] = []
    missing = window.limit + 1
    for part in rows.downward(window.before) if window.backward else rows.upward(window.after):
        parts.append(part)
        missing -= len(part)
        if missing <= 0:
            break
        if pace.due:
            await pace.rest()
    if window.backward:
        parts.reverse()
    return cut(list(chain.from_iterable(parts)), window)


def _belonging(records: Sequence[Record], one: Want) -> Sequence[Record]:
    """Return the records that belong to a want's selection and window; most pages hold no other."""
    if one.relation.keeps is None and one.window.after is None and one.window.before is None:
        return records
    return [record for record in records if _belongs(record, one)]


def _belongs(record: Record, one: Want) -> bool:
    keeps, window = one.relation.keeps, one.window
    if window.after is not None and record.id <= window.after:
        return False
    if window.before is not None and record.id >= window.before:
        return False
    return keeps is None or keeps(one.parent_id or "", one.selection, record)
