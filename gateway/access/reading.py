"""Reading: one request's way to entries, from memory where they may be used, else from Clever."""

import time
from datetime import UTC, datetime
from typing import Any

from gateway.access.source import Source
from gateway.cache.freshness import Age
from gateway.cache.shelf import Entry, Key
from gateway.cache.view import View
from gateway.clever.allowance import Allowance
from gateway.errors import GatewayError
from gateway.identity import Tenant

REFRESHING = "REFRESHING"


class Reading:
    """What one request has read, and how much of it came from memory, and how old that was.

    `view` shows what may be used, `spare` what is past its time, too, for want of anything newer.
    """

    def __init__(self, source: Source, tenant: Tenant, allowance: Allowance, *, refresh: bool = False) -> None:
        self._source = source
        self._tenant = tenant
        self._allowance = allowance
        self._failures: dict[Key, GatewayError] = {}
        self._oldest: float | None = None
        self._oldest_spare: float | None = None
        self._reason = REFRESHING
        self.cached = 0
        roster, now = source.roster(tenant), source.clock()
        self.view = View(roster, source.lifetimes, now, refresh=refresh, on_used=self._used, on_grown=source.resize)
        self.spare = View(
            roster, source.lifetimes, now, worst=Age.SPARE, on_used=self._looked_at, on_grown=source.resize
        )

    @property
    def stale(self) -> dict[str, Any] | None:
        """Say how old the oldest part of the answer is and why, if anything used was past its time."""
        if self._oldest is None:
            return None
        then = time.time() - (self._source.clock() - self._oldest)
        return {"asOf": datetime.fromtimestamp(then, UTC).isoformat(timespec="seconds"), "reason": self._reason}

    @property
    def calls_left(self) -> int:
        """Return the calls that the tenant's minute has left."""
        return self._source.client.calls_left(self._tenant)

    async def check(self) -> None:
        """Make sure that the tenant may still be shown what is remembered. Raises Unauthenticated."""
        await self._source.check(self._tenant, self._allowance)

    async def entry(self, key: Key, allowance: Allowance) -> Entry:
        """Return what a key names: what may be used of memory, else what Clever says.

        Raises as Source.read does; what failed once fails the same way for the whole request.
        """
        held = self.view.held(key)
        if held is not None:
            return held
        if key in self._failures:
            raise self._failures[key]
        try:
            entry = await self._source.read(self._tenant, key, allowance)
        except GatewayError as error:
            self._failures[key] = error
            raise
        self.view.pin(entry)
        return entry

    def keep(self, entry: Entry, pages: list[Key]) -> None:
        """Use a list put together of pages from now on, and remember it in their place."""
        self.view.pin(entry)
        self._source.keep(self._tenant, entry, pages)

    def note_spare(self, reason: str) -> None:
        """Note that what was past its time has been used, and why."""
        if self._oldest_spare is not None:
            self._note_stale(self._oldest_spare)
            self._reason = reason

    def _used(self, entry: Entry, age: Age) -> None:
        self.cached += 1
        self._source.touch(entry)
        if age is Age.USABLE:
            self._note_stale(entry.at)
            self._source.refresh(self._tenant, entry.key)

    def _looked_at(self, entry: Entry, age: Age) -> None:
        if age > Age.FRESH and (self._oldest_spare is None or entry.at < self._oldest_spare):
            self._oldest_spare = entry.at

    def _note_stale(self, at: float) -> None:
        self._oldest = at if self._oldest is None else min(self._oldest, at)
