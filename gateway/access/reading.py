"""Reading: one request's way to entries, from memory where they may be used, else from Clever."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from gateway.access.source import Source
from gateway.cache.freshness import Age
from gateway.cache.shelf import Entry, Key
from gateway.cache.view import View
from gateway.clever.allowance import Allowance
from gateway.errors import DeadlineExceeded, GatewayError, UpstreamError
from gateway.identity import Tenant

# Where something older is at hand, Clever has this long to give something newer.
_PATIENCE_S = 2.0
REFRESHING = "REFRESHING"


class Reading:
    """What one request has read, and how much of it came from memory, and how old that was."""

    def __init__(self, source: Source, tenant: Tenant, allowance: Allowance, *, refresh: bool = False) -> None:
        self._source = source
        self._tenant = tenant
        self._allowance = allowance
        self._refresh = refresh
        self._failures: dict[Key, GatewayError] = {}
        self._oldest: float | None = None
        self._reason = REFRESHING
        self.cached = 0
        self.view = View(
            source.roster(tenant),
            source.lifetimes,
            source.clock(),
            refresh=refresh,
            on_used=self._used,
            on_grown=source.resize,
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
        """Return what a key names: what may be used of memory, else what Clever says, else what memory has to spare.

        Raises as Source.read does; what failed once fails the same way for the whole request.
        """
        held = self.view.held(key)
        if held is not None:
            return held
        if key in self._failures:
            raise self._failures[key]
        try:
            entry = await self._newer(key, allowance)
        except GatewayError as error:
            self._failures[key] = error
            raise
        self.view.pin(entry)
        return entry

    def keep(self, entry: Entry, pages: list[Key]) -> None:
        """Use a list put together of pages from now on, and remember it in their place."""
        self.view.pin(entry)
        self._source.keep(self._tenant, entry, pages)

    async def _newer(self, key: Key, allowance: Allowance) -> Entry:
        spare = self.view.spare(key)
        if spare is None:
            return await self._source.read(self._tenant, key, allowance)
        try:
            async with asyncio.timeout(None if self._refresh else _PATIENCE_S):
                return await self._source.read(self._tenant, key, allowance)
        except (UpstreamError, DeadlineExceeded, TimeoutError) as error:
            self._note_stale(spare, REFRESHING if isinstance(error, TimeoutError) else str(error.code))
            self._count(spare)
            return spare

    def _used(self, entry: Entry, age: Age) -> None:
        self._count(entry)
        if age is Age.USABLE:
            self._note_stale(entry, REFRESHING)
            self._source.refresh(self._tenant, entry.key)

    def _count(self, entry: Entry) -> None:
        self.cached += 1
        self._source.touch(entry)

    def _note_stale(self, entry: Entry, reason: str) -> None:
        if self._oldest is None or entry.at < self._oldest:
            self._oldest = entry.at
        if reason != REFRESHING:
            self._reason = reason
