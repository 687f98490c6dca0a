"""District tokens that the gateway holds: which districts there are, and the token that each has now.

A district is one tenant whatever its token: what is remembered of it outlives a rotation.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gateway.clever.outside import Unread
from gateway.clever.token_sources import TokenSource
from gateway.identity import Tenant

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class TokensRead:
    """What subscribers hear of a reading: how many districts have a token, and what changed.

    `problem` says why it failed; then nothing has changed.
    """

    districts: int
    added: int = 0
    rotated: int = 0
    gone: int = 0
    problem: str | None = None


class DistrictTokens:
    """The tenants of all districts, kept current. Use as an async context manager.

    Tokens are read every `refresh_s` seconds, and at once where a district is unknown or Clever refuses a token; what
    was read last stays while reading fails. `on_gone` hears of districts that have no token any more.
    """

    def __init__(
        self,
        source: TokenSource,
        *,
        refresh_s: float = 900.0,
        on_read: Callable[[TokensRead], None] = lambda _read: None,
        on_gone: Callable[[Tenant], None] = lambda _tenant: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._refresh_s = refresh_s
        self._on_read = on_read
        self._on_gone = on_gone
        self._clock = clock
        self._tenants: dict[str, Tenant] = {}
        self._asked_at = float("-inf")
        self._failures = 0
        self._reading: asyncio.Task[None] | None = None
        self._loop: asyncio.Task[None] | None = None
        self.ready = False

    def __repr__(self) -> str:
        return f"DistrictTokens({len(self._tenants)} districts)"

    async def __aenter__(self) -> Self:
        await self._read_once()
        self._loop = asyncio.create_task(self._go_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (self._loop, self._reading):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def districts(self) -> list[str]:
        """Return the ids of the districts that have a token, ascending."""
        return sorted(self._tenants)

    async def tenant(self, district: str) -> Tenant | None:
        """Return the tenant of a district, having looked for new ones where it is unknown; None where it stays so."""
        if self._source.changed():
            await self._read_once()
        found = self._tenants.get(district)
        if found is None and (self._under_way or self._clock() - self._asked_at >= self._source.pause_s):
            await self._read_once()
            found = self._tenants.get(district)
        return found

    def current(self, tenant: Tenant) -> Tenant:
        """Return the tenant with the token that it has now."""
        return self._tenants.get(tenant.district or "", tenant)

    async def renew(self, tenant: Tenant) -> bool:
        """Say, having read the tokens anew, whether the district has another one than this, which Clever refused."""
        refused_at = self._clock()
        while self._asked_at < refused_at and not self._is_replaced(tenant):
            if not self._under_way:
                await asyncio.sleep(max(0.0, self._asked_at + self._source.pause_s - self._clock()))
            await self._read_once()
        return self._is_replaced(tenant)

    def _is_replaced(self, tenant: Tenant) -> bool:
        return self.current(tenant).credential != tenant.credential

    @property
    def _under_way(self) -> bool:
        return self._reading is not None and not self._reading.done()

    async def _read_once(self) -> None:
        """Read the tokens, once for all who wait for it."""
        if self._reading is None or self._reading.done():
            self._asked_at = self._clock()
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        try:
            found = await self._source.read()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and reading goes on
            self._failures += 1
            problem = str(error) if isinstance(error, Unread) else f"something unexpected ({type(error).__name__})"
            self._on_read(TokensRead(len(self._tenants), problem=problem))
        else:
            self._failures = 0
            self._take(found)
            self.ready = True

    def _take(self, found: Mapping[str, str]) -> None:
        before = self._tenants
        now = {district: Tenant(token, district) for district, token in found.items()}
        kept = now.keys() & before.keys()
        rotated = sum(now[district].credential != before[district].credential for district in kept)
        gone = before.keys() - now.keys()
        self._tenants = now
        for district in gone:
            self._on_gone(before[district])
        self._on_read(TokensRead(len(now), len(now) - len(kept), rotated, len(gone)))

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._pause_s())
            await self._read_once()

    def _pause_s(self) -> float:
        """Return the seconds until the next reading: fewer after a failure, then more and more."""
        if not self._failures:
            return self._refresh_s
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 10), self._refresh_s)
        return random.uniform(longest / 2, longest)  # noqa: S311 - to spread replicas, not to hide anything
