"""The store of one process by itself: a shelf, and claims that only this process knows of."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.cache.shelf import Entry, Key, Shelf
from gateway.identity import Tenant


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedClaim:
    """A claim; `ended` is set when it has been used or given up."""

    name: tuple[Tenant, Key]
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class EmbeddedStore:
    """Remembers on a shelf, where there is one; there are no others to hear of."""

    shared = False

    def __init__(self, shelf: Shelf | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.shelf = shelf
        self._clock = clock
        self._claims: dict[tuple[Tenant, Key], EmbeddedClaim] = {}

    def hear(
        self,
        on_dropped: Callable[[Tenant], None],
        on_accepted: Callable[[Tenant, float], None],
        on_learned: Callable[[Tenant, bytes], None],
    ) -> None:
        """Do nothing: there are no others."""

    async def recall(self, tenant: Tenant, keys: Collection[Key]) -> bool:  # noqa: ARG002
        """Find nothing: all there is, is at hand."""
        return False

    async def claim(self, tenant: Tenant, key: Key, within_s: float, missing_s: float) -> Entry | EmbeddedClaim:
        """Return what is young enough, else a claim."""
        while True:
            entry = None if self.shelf is None else self.shelf.roster(tenant).entries.get(key)
            if entry is not None and self._clock() - entry.at < (missing_s if entry.missing else within_s):
                return entry
            other = self._claims.get((tenant, key))
            if other is None:
                own = self._claims[tenant, key] = EmbeddedClaim((tenant, key))
                return own
            await other.ended.wait()

    def put(self, tenant: Tenant, entry: Entry, claim: Any = None) -> None:
        """Remember an entry, and end the claim."""
        if self.shelf is not None:
            self.shelf.put(tenant, entry)
        if claim is not None:
            self.release(claim)

    def release(self, claim: Any) -> None:
        """End a claim."""
        name: tuple[Tenant, Key] = claim.name
        if self._claims.get(name) is claim:
            del self._claims[name]
        claim.ended.set()

    def replace(self, tenant: Tenant, entry: Entry, parts: Sequence[Entry]) -> None:
        """Remember an entry in place of its parts."""
        if self.shelf is not None:
            for part in parts:
                self.shelf.drop(tenant, part.key)
            self.shelf.put(tenant, entry)

    def drop_tenant(self, tenant: Tenant) -> None:
        """Forget everything of a tenant."""
        if self.shelf is not None:
            self.shelf.drop_tenant(tenant)

    def accept(self, tenant: Tenant) -> None:
        """Do nothing: there are no others."""

    def teach(self, tenant: Tenant, learned: bytes) -> None:
        """Do nothing: there are no others."""

    async def aclose(self) -> None:
        """Stop what the shelf does beside requests."""
        if self.shelf is not None:
            await self.shelf.aclose()
