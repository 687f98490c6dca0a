"""Source: reads from Clever once for all who want it at the same time, and remembers what came."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from typing import TypeVar

from gateway.access.costs import REUSED
from gateway.access.sharing import Claim, Store
from gateway.access.statistics import Statistics
from gateway.access.trust import CallersTokens, Tokens, Trust
from gateway.cache.embedded import EmbeddedStore
from gateway.cache.flights import Flights
from gateway.cache.freshness import Lifetimes
from gateway.cache.indexes import IndexBuilder, IndexKind
from gateway.cache.pace import SLICE_S, Pace
from gateway.cache.rows import DecodedRows, RowsBuilder
from gateway.cache.shelf import Entry, Key, ListKey, Roster, Shelf
from gateway.cache.view import NEWEST_S
from gateway.clever.allowance import Allowance
from gateway.clever.calls import MAX_LIMIT, CountCall, ListCall, RecordCall, first_page
from gateway.clever.catalogue import Resource
from gateway.clever.client import CleverClient
from gateway.errors import Forbidden, Unauthenticated
from gateway.identity import Tenant

# A whole list may take longer than a request has: what one request began, the next one finds.
_LIST_S = 120.0
# What is read anew without anybody waiting may take this long and this many calls, and leaves so many to others.
_REFRESH_S = 60.0
_REFRESH_CALLS = 200
_LEFT_TO_OTHERS = 100
_MOST_TENANTS = 4096
_MANY = 1_000
# So often, at most, other processes are told what has been learned of a tenant's Clever.
_TEACH_S = 1.0

V = TypeVar("V")


class Source:
    """The one way to Clever: entries come back, and stay on the shelf where there is one."""

    def __init__(
        self,
        client: CleverClient,
        shelf: Shelf | None = None,
        lifetimes: Lifetimes | None = None,
        tokens: Tokens | None = None,
        *,
        recheck_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        store: Store | None = None,
        slice_s: float = SLICE_S,
    ) -> None:
        self.client = client
        self.store: Store = EmbeddedStore(shelf, clock) if store is None else store
        self.shelf = self.store.shelf
        self.lifetimes = lifetimes or Lifetimes()
        self.clock = clock
        self._flights = Flights()
        self._turns = asyncio.Lock()
        self._slice_s = slice_s
        self._tokens = tokens or CallersTokens()
        self._trust = Trust(
            client,
            self._flights,
            self._forget,
            self._tokens,
            recheck_s=recheck_s,
            clock=clock,
            on_accepted=self.store.accept,
        )
        self.store.hear(self._forget_here, self._trust.note_accepted, self._learn)
        self._taught: OrderedDict[Tenant, float] = OrderedDict()
        self._statistics: OrderedDict[Tenant, Statistics] = OrderedDict()
        self._refreshing: Counter[Tenant] = Counter()
        # How requests came to what they read, by kind of record and `hit`, `stale` or `miss`.
        self.reads: Counter[tuple[str, str]] = Counter()
        # What viewers got of what they asked for, by kind of record and `shown`, `hidden` or `refused`.
        self.decisions: Counter[tuple[str, str]] = Counter()

    async def aclose(self) -> None:
        """Stop what is still being read."""
        await self._flights.aclose()
        await self.store.aclose()

    def roster(self, tenant: Tenant) -> Roster:
        """Return what is remembered of a tenant's district."""
        return Roster() if self.shelf is None else self.shelf.roster(tenant)

    @property
    def tenants(self) -> list[Tenant]:
        """Return whose Clever something has been learned of, those first who came first."""
        return list(self._statistics)

    def statistics(self, tenant: Tenant) -> Statistics:
        """Return what has been learned of a tenant's Clever, with the calls that its minute has left now."""
        found = self._statistics.get(tenant)
        if found is None:
            found = self._statistics[tenant] = Statistics(reused=1 if self.shelf is None else REUSED)
            if len(self._statistics) > _MOST_TENANTS:
                self._statistics.popitem(last=False)
        found.minute_left = self.client.calls_left(tenant)
        return found

    def keep(self, tenant: Tenant, entry: Entry, pages: Sequence[Entry]) -> None:
        """Remember a list in place of the pages that it was put together of."""
        if self.shelf is not None:
            entries = self.shelf.roster(tenant).entries
            # What is gone from the shelf by now was dropped for a reason, or there is something newer.
            if all(entries.get(page.key) is page for page in pages):
                self.store.replace(tenant, entry, pages)

    def touch(self, entry: Entry) -> None:
        """Note that something remembered was used."""
        if self.shelf is not None:
            self.shelf.touch(entry)

    def resize(self, entry: Entry) -> None:
        """Note that something remembered takes more memory than before."""
        if self.shelf is not None:
            self.shelf.resize(entry)

    def pace(self) -> Pace:
        """Return the pace of something that may go on for long."""
        return Pace(self._turns, self._slice_s)

    async def index(self, tenant: Tenant, entry: Entry, kind: IndexKind, allowance: Allowance) -> None:
        """Build an index over a collection, or wait for it where that is under way.

        Raises DeadlineExceeded.
        """
        await self._flights.share(tenant, (entry, kind), lambda: self._index(entry, kind), allowance)

    async def check(self, tenant: Tenant, allowance: Allowance) -> None:
        """Make sure that what is remembered may be given out.

        Raises Unauthenticated where the caller's token is refused, Forbidden where it is the gateway's own.
        """
        if not self.trusts(tenant, self.clock()):
            remembers = self._remembers(tenant)
            await self._renewing(tenant, lambda one: self._trust.check(one, allowance, remembers=remembers))

    def trusts(self, tenant: Tenant, now: float) -> bool:
        """Say whether `check` would return at once, with nothing to ask."""
        return self.shelf is None or self._trust.stands(self._tokens.current(tenant), now)

    def forgot(self, tenant: Tenant, since: float) -> bool:
        """Say whether what was remembered of a tenant has been dropped since then because of its token."""
        return self._trust.forgot(tenant, since)

    async def recall(self, tenant: Tenant, keys: Collection[Key], allowance: Allowance) -> bool:
        """Have at hand what other processes have read; say whether there was anything. Raises as `check` does."""
        found = await self.store.recall(tenant, keys)
        if found:
            await self.check(tenant, allowance)
        return found

    async def read(self, tenant: Tenant, key: Key, allowance: Allowance, *, newest: bool = False) -> Entry:
        """Read from Clever what a key names, or wait for it where that is under way, here or elsewhere.

        What another process has read is good while it is fresh, with `newest` for a few seconds only. Raises as
        CleverClient does, and Forbidden for a collection that is not shown.
        """
        return await self._flights.share(tenant, key, lambda: self._read(tenant, key, allowance, newest), allowance)

    def refresh(self, tenant: Tenant, key: Key) -> None:
        """Read what a key names anew, unless that is under way or would take calls that others may need."""
        # Those that have just been started have not taken their calls yet.
        left = self.client.calls_left(tenant) - self._refreshing[tenant]
        if not self._flights.under_way(tenant, key) and left > _LEFT_TO_OTHERS:
            self._refreshing[tenant] += 1
            task = self._flights.start(tenant, key, self._read(tenant, key, Allowance(_REFRESH_S, _REFRESH_CALLS)))
            task.add_done_callback(lambda _done: self._refreshed(tenant))

    async def _renewing(self, tenant: Tenant, work: Callable[[Tenant], Awaitable[V]]) -> V:
        """Do something with the token that the tenant has now, and again where that is refused and replaced."""
        tenant = self._tokens.current(tenant)
        try:
            return await work(tenant)
        except Unauthenticated:
            renewed = self._tokens.current(tenant)
            if tenant.district is None:
                raise
            if renewed.credential == tenant.credential:
                raise not_held() from None
        try:
            return await work(renewed)
        except Unauthenticated:
            raise not_held() from None

    async def _read(self, tenant: Tenant, key: Key, allowance: Allowance, newest: bool = False) -> Entry:
        rows = key.rows if not isinstance(key, tuple) else key[0].rows
        most = NEWEST_S if newest else float("inf")
        fresh, missing = (min(most, self.lifetimes.fresh_s(rows, missing=missing)) for missing in (False, True))
        found = await self.store.claim(tenant, key, fresh, missing)
        if isinstance(found, Entry):
            return found
        claim: Claim | None = found
        try:
            entry, may_be_kept = await self._renewing(tenant, lambda one: self._read_now(one, key, allowance))
            if may_be_kept:
                self.store.put(tenant, entry, claim)
                claim = None
        finally:
            if claim is not None:
                self.store.release(claim)
        self._teach(tenant)
        return entry

    async def _read_now(self, tenant: Tenant, key: Key, allowance: Allowance) -> tuple[Entry, bool]:
        """Return an entry, and whether it may be remembered."""
        now = self.clock()
        try:
            entry = await self._load(tenant, key, allowance, now)
            if entry.missing and _of_collection(key):
                remembered = self._remembers(tenant, entry.resource)
                if remembered:
                    entry = await self._load(tenant, key, allowance, now)
                if entry.missing:
                    if remembered:
                        # Shown before and hidden now, twice: the token has been narrowed.
                        self._trust.narrow(tenant)
                    raise no_access(entry.resource)
        except Unauthenticated:
            if self.shelf is not None:
                await self._trust.doubt(tenant, allowance)
            else:
                await self._tokens.renew(tenant)
            raise
        return entry, entry.missing or self._trust.accept(tenant, now)

    async def _load(self, tenant: Tenant, key: Key, allowance: Allowance, now: float) -> Entry:
        if isinstance(key, tuple):
            return await self._load_list(tenant, key, allowance, now)
        part = allowance.part()
        entry = Entry(key, key.rows, now)
        if isinstance(key, RecordCall):
            record = await self.client.record(tenant, key, part)
            entry.missing = record is None
            if record is not None:
                entry.rows = DecodedRows((record,))
        elif isinstance(key, ListCall):
            page = await self.client.page(tenant, key, part)
            entry.missing = page is None
            if page is not None:
                entry.rows, entry.onward = DecodedRows(page.records), page.onward
        else:
            entry.count = await self.client.count(tenant, key, part)
            entry.missing = entry.count is None
            if entry.count is not None:
                self.statistics(tenant).sizes[key.rows, key.role] = entry.count
        self.statistics(tenant).learn_call(key.rows, len(entry.rows), part.bytes, part.seconds)
        return entry

    async def _load_list(self, tenant: Tenant, key: ListKey, allowance: Allowance, now: float) -> Entry:
        """Read a list to its end in the largest pages there are."""
        relation, parent_id, selection = key
        entry = Entry(key, relation.rows, now)
        builder = RowsBuilder(relation.rows.record, self.shelf.most_decoded if self.shelf else float("inf"))
        part = allowance.part(seconds=max(_LIST_S, allowance.seconds_left))
        call = first_page(relation, parent_id, selection, MAX_LIMIT)
        count = 0
        async with aclosing(self.client.pages(tenant, call, part)) as pages:
            async for page in pages:
                if page is None:
                    entry.missing = True
                    return entry
                count += len(page.records)
                rows = relation.keep(parent_id, selection, page.records)
                if len(rows) > _MANY:
                    # It may pack what there is, and compressing takes a while.
                    await asyncio.to_thread(builder.add, rows)
                else:
                    builder.add(rows)
        # Pages that overlap, or come in no order, are put in order once more.
        entry.rows = await asyncio.to_thread(builder.build) if count > _MANY else builder.build()
        statistics = self.statistics(tenant)
        statistics.learn_call(relation.rows, count, part.bytes, part.seconds)
        if relation.of_parent:
            statistics.learn_link(relation, len(entry.rows))
        else:
            statistics.sizes[relation.rows, selection.role] = len(entry.rows)
        return entry

    async def _index(self, entry: Entry, kind: IndexKind) -> None:
        if kind not in entry.indexes:
            builder, pace = IndexBuilder(*kind), self.pace()
            for _ in builder.steps(entry.rows.open()):
                if pace.due:
                    await pace.rest()
            entry.add_index(kind, builder.index)
            self.resize(entry)

    def _remembers(self, tenant: Tenant, rows: Resource | None = None) -> bool:
        entries = self.roster(tenant).entries.values()
        return any(not known.missing and rows in (None, known.resource) for known in entries)

    def _refreshed(self, tenant: Tenant) -> None:
        self._refreshing[tenant] -= 1
        if not self._refreshing[tenant]:
            del self._refreshing[tenant]

    def withdraw(self, tenant: Tenant) -> None:
        """Forget a tenant whose district has withdrawn its token; what is being read for it is not kept."""
        self._trust.narrow(tenant)

    def _forget(self, tenant: Tenant) -> None:
        self._statistics.pop(tenant, None)
        self.store.drop_tenant(tenant)

    def _forget_here(self, tenant: Tenant) -> None:
        """Forget what is at hand of a tenant that another process has dropped."""
        self._trust.note_forgotten(tenant)
        self._statistics.pop(tenant, None)
        if self.shelf is not None:
            self.shelf.drop_tenant(tenant)

    def _teach(self, tenant: Tenant) -> None:
        """Tell other processes from time to time what has been learned."""
        if self.store.shared and tenant in self._statistics:
            now = self.clock()
            if now - self._taught.get(tenant, float("-inf")) >= _TEACH_S:
                self._taught[tenant] = now
                self._taught.move_to_end(tenant)
                if len(self._taught) > _MOST_TENANTS:
                    self._taught.popitem(last=False)
                self.store.teach(tenant, self._statistics[tenant].written())

    def _learn(self, tenant: Tenant, learned: bytes) -> None:
        self.statistics(tenant).take(learned)


def no_access(rows: Resource) -> Forbidden:
    """Build the error for a whole collection that Clever does not show to the token."""
    return Forbidden(
        f"The token has no access to {rows.name}. Reading them takes a district-app token of an app with Secure Sync "
        f"whose data settings share {rows.name}; a person's sign-in token does not do. If every query says this, "
        "GATEWAY_CLEVER_URL may not be Clever's API."
    )


def not_held() -> Forbidden:
    """Build the error for a district whose token, held by the gateway, Clever refuses."""
    return Forbidden(
        "Clever refuses the token that the gateway holds for this district, and there is no other. The district may "
        "have withdrawn it, or it was rotated and is not known yet; the gateway's operators can tell."
    )


def _of_collection(key: Key) -> bool:
    """Say whether a key names a whole collection, or a page or the size of one."""
    if isinstance(key, tuple):
        return not key[0].of_parent
    return isinstance(key, CountCall) or (isinstance(key, ListCall) and key.id is None)
