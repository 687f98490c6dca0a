"""Sharing: what a source asks of the place where things are remembered from one request to the next.

The place may be this process's own (`cache.embedded`), or have others behind it (`cache.redis.store`).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from gateway.cache.shelf import Entry, Key, Shelf
from gateway.identity import Tenant


class Claim(Protocol):
    """The right to read something from Clever for all. Whoever has it puts what came, or releases it."""


class Store(Protocol):
    """Entries of all tenants, at hand on a shelf where there is one, and who is reading what.

    What others put is found by `recall` and `claim`. `shared` says that there are others, and that `recall` may bring
    more than is at hand. Nothing raises because of others. Those that `hear` sets are told that others
    dropped a tenant, when (on the clock that dates entries) they had a token accepted, and what they learned.
    """

    shelf: Shelf | None
    shared: bool

    def hear(
        self,
        on_dropped: Callable[[Tenant], None],
        on_accepted: Callable[[Tenant, float], None],
        on_learned: Callable[[Tenant, bytes], None],
    ) -> None:
        """Set who hears of others."""

    async def recall(self, tenant: Tenant, keys: Collection[Key]) -> bool:
        """Put on the shelf what others have put under these keys, if it is newer; say whether there was anything."""

    async def claim(self, tenant: Tenant, key: Key, within_s: float, missing_s: float) -> Entry | Claim:
        """Return what is younger than `within_s` (where it is nothing, `missing_s`), else a claim to read it.

        Waits while somebody else has the claim.
        """

    def put(self, tenant: Tenant, entry: Entry, claim: Claim | None = None) -> None:
        """Remember an entry, with the claim that it was read by."""

    def release(self, claim: Claim) -> None:
        """Give a claim up: there is nothing to put."""

    def replace(self, tenant: Tenant, entry: Entry, parts: Sequence[Entry]) -> None:
        """Remember an entry in place of its parts."""

    def drop_tenant(self, tenant: Tenant) -> None:
        """Forget everything of a tenant, here and wherever it is shared."""

    def accept(self, tenant: Tenant) -> None:
        """Tell others that a token has just been accepted."""

    def teach(self, tenant: Tenant, learned: bytes) -> None:
        """Tell others what was learned of a tenant's Clever."""

    async def aclose(self) -> None:
        """Stop what goes on beside requests."""
