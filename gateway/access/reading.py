"""Reading: one request's way to entries, from memory where they may be used, else from Clever."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from gateway.access.source import Source
from gateway.cache.freshness import Age
from gateway.cache.pace import Pace
from gateway.cache.shelf import Entry, Key
from gateway.cache.view import View
from gateway.clever.allowance import Allowance
from gateway.clever.catalogue import Resource
from gateway.errors import DeadlineExceeded, GatewayError, UpstreamError
from gateway.identity import Tenant

_CANNOT_BE_ASKED = (UpstreamError, DeadlineExceeded)
# Where something older is at hand, Clever has this long to give something newer.
_PATIENCE_S = 2.0
REFRESHING = "REFRESHING"

K = TypeVar("K")
V = TypeVar("V")


class Reading:
    """What one request has read, and how much of it came from memory, and how old that was.

    `view` is what may be used, `spares` also what may be used for want of anything newer.
    """

    def __init__(self, source: Source, tenant: Tenant, allowance: Allowance, *, refresh: bool = False) -> None:
        self._source = source
        self._tenant = tenant
        self._allowance = allowance
        self._refresh = refresh
        self._failures: dict[Key, GatewayError] = {}
        self._recalled: set[Key] = set()
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
        self.spares = View(
            source.roster(tenant),
            source.lifetimes,
            self.view.began,
            worst=Age.SPARE,
            on_used=lambda entry, _age: self._looked_at.append(entry),
            on_grown=source.resize,
        )
        self._looked_at: list[Entry] = []

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

    @property
    def shares(self) -> bool:
        """Say whether other processes may have read what is not at hand, and it would do."""
        return self._source.store.shared and not self._refresh

    async def recall(self, keys: Iterable[Key]) -> bool:
        """Have at hand what other processes have read, each key being asked for once; say whether there was anything.

        Raises as `check` does.
        """
        keys = [key for key in dict.fromkeys(keys) if key not in self._recalled and not self.view.usable(key)]
        self._recalled.update(keys)
        if not keys or not await self._source.recall(self._tenant, keys, self._allowance):
            return False
        self.view.renew()
        self.spares.renew()
        return True

    def pace(self) -> Pace:
        """Return the pace of a look at what may be much."""
        return self._source.pace()

    async def index(self, view: View) -> bool:
        """Build the indexes that a view looked for and did not find; say whether there were any.

        Raises DeadlineExceeded.
        """
        missed = list(view.unindexed.items())
        view.unindexed.clear()
        for kind, entry in missed:
            await self._source.index(self._tenant, entry, kind, self._allowance)
        return bool(missed)

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

    def keep(self, entry: Entry, pages: Sequence[Entry]) -> None:
        """Use a list put together of pages from now on, and remember it in their place."""
        self.view.pin(entry, pages)
        self._source.keep(self._tenant, entry, pages)

    def close(self) -> None:
        """Let go of what the request has read."""
        self.view.close()
        self.spares.close()
        self._looked_at.clear()
        self._failures.clear()
        self._recalled.clear()

    async def or_spare(
        self,
        keys: Sequence[K],
        work: Callable[[Sequence[K]], Awaitable[dict[K, V]]],
        spare_of: Callable[[Sequence[K]], Awaitable[dict[K, V]]],
    ) -> dict[K, V]:
        """Load what keys stand for; where Clever cannot be asked, what `spare_of` knows stands in.

        A list may be known whose pages are asked for, or a collection that has a record.
        """
        spare = await spare_of(keys)
        try:
            async with asyncio.timeout(_PATIENCE_S if len(spare) == len(keys) and not self._refresh else None):
                found = await work(keys)
        except TimeoutError:
            if self._may_not_spare():
                return await work(keys)
            self._note_spares(REFRESHING)
            return spare
        failed = {key: outcome for key, outcome in found.items() if isinstance(outcome, _CANNOT_BE_ASKED)}
        for key in failed.keys() & spare.keys() if not self._may_not_spare() else ():
            self._note_spares(str(failed[key].code))
            found[key] = spare[key]
        return found

    def _may_not_spare(self) -> bool:
        return self._source.forgot(self._tenant, self.view.began)

    def _note_spares(self, reason: str) -> None:
        """Note that what the other view has looked at was used."""
        for entry in self._looked_at:
            fresh = self.view.age(entry) is Age.FRESH
            if not fresh:
                self._note_stale(entry, reason)
            self._count(entry, "hit" if fresh else "stale")
        self._looked_at.clear()

    async def _newer(self, key: Key, allowance: Allowance) -> Entry:
        spare = self.view.spare(key)
        if spare is None:
            return await self._read(key, allowance)
        try:
            async with asyncio.timeout(None if self._refresh else _PATIENCE_S):
                return await self._read(key, allowance)
        except TimeoutError:
            if self._may_not_spare():
                return await self._read(key, allowance)
            self._note_stale(spare, REFRESHING)
        except _CANNOT_BE_ASKED as error:
            if self._may_not_spare():
                raise
            self._note_stale(spare, str(error.code))
        self._count(spare, "stale")
        return spare

    async def _read(self, key: Key, allowance: Allowance) -> Entry:
        self._source.reads[_resource(key).name, "miss"] += 1
        entry = await self._source.read(self._tenant, key, allowance, newest=self._refresh)
        if self._refresh and self.view.age(entry) > Age.USABLE:
            # Somebody else had begun to read it too long ago.
            entry = await self._source.read(self._tenant, key, allowance, newest=True)
        return entry

    def _used(self, entry: Entry, age: Age) -> None:
        self._count(entry, "hit" if age is Age.FRESH else "stale")
        if age is Age.USABLE:
            self._note_stale(entry, REFRESHING)
            self._source.refresh(self._tenant, entry.key)

    def _count(self, entry: Entry, how: Literal["hit", "stale"]) -> None:
        self.cached += 1
        self._source.reads[entry.resource.name, how] += 1
        self._source.touch(entry)

    def _note_stale(self, entry: Entry, reason: str) -> None:
        if self._oldest is None or entry.at < self._oldest:
            self._oldest = entry.at
        if reason != REFRESHING:
            self._reason = reason


def _resource(key: Key) -> Resource:
    return key[0].rows if isinstance(key, tuple) else key.rows
