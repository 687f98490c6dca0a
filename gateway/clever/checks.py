"""What an answer that is Clever's JSON must still keep to: its own list, onward only, an end, and one district."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from gateway.clever.calls import DEFAULT_LIMIT, LAST, ListCall
from gateway.clever.decode import Page
from gateway.clever.records import District, Record
from gateway.clever.values import is_id, unrecognized
from gateway.errors import UpstreamInvalidResponse
from gateway.identity import Tenant

# Five million rows in the largest pages: about twice the people of the largest district there is.
_MOST_PAGES = 500
# Pages may be short or empty for want of rows that Clever may show, but a list of hardly anything else has no end.
_MOST_SHORT_PAGES = 25
_SHORT = 1 / 20
# These have rows, and all of them were on earlier pages.
_MOST_BARREN_PAGES = 3
_MOST_TENANTS = 4096
_BELIEVED_S = 600.0


def check_link(call: ListCall, onward: str | None) -> None:
    """Raise UpstreamInvalidResponse where a page's link does not lead on from where the page began."""
    if onward is None:
        return
    if call.before:
        back = call.before != LAST and onward >= call.before
    else:
        back = call.after is not None and onward <= call.after
    if back:
        raise _leads_back()


def rows_beyond(call: ListCall, page: Page) -> Page:
    """Return the page without rows from before its own beginning, which Clever was told to leave out.

    Raises UpstreamInvalidResponse where it has no others.
    """
    rows, after, before = page.records, call.after, None if call.before == LAST else call.before
    if not rows or not ((after and rows[0].id <= after) or (before and rows[-1].id >= before)):
        return page
    beyond = tuple(row for row in rows if (not after or row.id > after) and (not before or row.id < before))
    if not beyond:
        raise _leads_back()
    unrecognized["row of an earlier page"] += len(rows) - len(beyond)
    return replace(page, records=beyond)


class Walk:
    """The pages of one list so far, which must come to an end."""

    def __init__(self) -> None:
        self._pages = 0
        self._short = 0
        self._barren = 0
        self._furthest = ""

    def take(self, call: ListCall, rows: Sequence[Record], onward: str | None) -> None:
        """Count a page. Raises UpstreamInvalidResponse where it links on and they have led nowhere for too long."""
        if onward is None:
            return
        self._pages += 1
        limit = call.limit or DEFAULT_LIMIT
        self._short += len(rows) < limit and len(rows) <= max(1, limit * _SHORT)
        if rows:
            furthest = rows[0 if call.before else -1].id
            gets_on = not self._furthest or (furthest < self._furthest if call.before else furthest > self._furthest)
            self._barren += not gets_on
            self._furthest = furthest if gets_on else self._furthest
        if self._pages > _MOST_PAGES or self._short > _MOST_SHORT_PAGES or self._barren > _MOST_BARREN_PAGES:
            raise UpstreamInvalidResponse(
                f"A list of Clever's had no end within {self._pages} pages; it was not followed further."
            )


class Districts:
    """The district that each tenant's records are of: a token has one (https://dev.clever.com/docs/districts).

    What a cache on the way mixes up must not be shown to another district. The first answer says which one it is, and
    is believed until none has agreed with it for ten minutes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[Tenant, tuple[str, float]] = OrderedDict()

    def check(self, tenant: Tenant, records: Iterable[Record]) -> None:
        """Raise UpstreamInvalidResponse where a record is of another district than the tenant's others."""
        found = {district for district in {_district(record) for record in records} if is_id(district)}
        if not found:
            return
        now = self._clock()
        known, agreed = self._known.get(tenant, ("", 0.0))
        if len(found) == 1 and (known in found or not known or now - agreed > _BELIEVED_S):
            self._known[tenant] = found.pop(), now
            if len(self._known) > _MOST_TENANTS:
                self._known.popitem(last=False)
            return
        raise UpstreamInvalidResponse(
            "Clever answered with records of another district than the token's; none of them was used."
        )


def _district(record: Record) -> str:
    if isinstance(record, District):
        return record.id
    return getattr(record, "district", None) or ""


def _leads_back() -> UpstreamInvalidResponse:
    return UpstreamInvalidResponse("A list of pages led back to an earlier page; it was not followed.")
