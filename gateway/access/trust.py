"""Trust: a token that Clever no longer accepts reads nothing any more, however much of its district is remembered.

What is said of a token is kept by its credential: one that takes its place is asked about anew.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

from gateway.cache.flights import Flights
from gateway.clever.allowance import Allowance
from gateway.clever.calls import MAX_LIMIT, first_page
from gateway.clever.catalogue import DISTRICT_LIST, EVERYTHING
from gateway.clever.client import CleverClient
from gateway.errors import GatewayError, Unauthenticated
from gateway.identity import Tenant

K = TypeVar("K")
V = TypeVar("V")

# How long a token that Clever refused is refused here without asking.
REFUSED_S = 30.0
# How long those who want something remembered wait for Clever's word on their token; without it they get it.
_PATIENCE_S = 5.0
_CHECK_S = 60.0
_CHECK_CALLS = 8
_MOST_TENANTS = 4096

_CHECK = "check"


class Tokens(Protocol):
    """Where tokens come from."""

    def current(self, tenant: Tenant) -> Tenant:
        """Return the tenant with the token that it has now."""

    async def renew(self, tenant: Tenant) -> bool:
        """Say, having looked, whether the tenant has another token than this one, which Clever refused."""


class CallersTokens:
    """Tokens that callers bring: there is no other."""

    def current(self, tenant: Tenant) -> Tenant:
        """Return the tenant as it is."""
        return tenant

    async def renew(self, _tenant: Tenant) -> bool:
        """Say no."""
        return False


class Trust:
    """When Clever last accepted each token, and which ones it refused; asks again every `recheck_s` seconds at most.

    `forget` drops what is remembered of a tenant; not of one whose refused token has been replaced. `on_accepted` hears
    of tokens that were asked about and are good.
    """

    def __init__(
        self,
        client: CleverClient,
        flights: Flights,
        forget: Callable[[Tenant], None],
        tokens: Tokens,
        *,
        recheck_s: float,
        clock: Callable[[], float],
        on_accepted: Callable[[Tenant], None] = lambda _tenant: None,
    ) -> None:
        self._client = client
        self._on_accepted = on_accepted
        self._flights = flights
        self._forget = forget
        self._tokens = tokens
        self._recheck_s = recheck_s
        self._clock = clock
        self._accepted: OrderedDict[bytes, float] = OrderedDict()
        self._refused: OrderedDict[bytes, float] = OrderedDict()
        self._forgotten: OrderedDict[Tenant, float] = OrderedDict()
        # Tokens of which a call was refused, until it is known whether it was because of the token.
        self._doubted: OrderedDict[bytes, None] = OrderedDict()
        # When it was tried last to ask about a token, and Clever could not be asked.
        self._in_vain: OrderedDict[bytes, float] = OrderedDict()

    def accept(self, tenant: Tenant, asked_at: float) -> bool:
        """Note that a call sent at `asked_at` was answered; False where the tenant has been forgotten since then."""
        if self._forgotten.get(tenant, float("-inf")) >= asked_at:
            return False
        _keep(self._accepted, tenant.credential, self._clock())
        self._refused.pop(tenant.credential, None)
        return True

    def forgot(self, tenant: Tenant, since: float) -> bool:
        """Say whether a tenant has been forgotten since then, or may have to be."""
        return tenant.credential in self._doubted or self._forgotten.get(tenant, float("-inf")) >= since

    def stands(self, tenant: Tenant, now: float) -> bool:
        """Say whether `check` has nothing to ask, nor to refuse."""
        token = tenant.credential
        accepted = self._accepted.get(token)
        if accepted is None or now - accepted >= self._recheck_s / 2 or token in self._doubted:
            return False
        return not (self._refused and self._refused_lately(tenant, now))

    async def check(self, tenant: Tenant, allowance: Allowance, *, remembers: bool) -> None:
        """Make sure that Clever still accepts a token before anything remembered, if there is, is given out.

        Raises Unauthenticated where it does not, and why Clever could not be asked where it has refused a call.
        """
        now = self._clock()
        if self._refused_lately(tenant, now):
            raise _not_accepted()
        if not remembers:
            return
        token = tenant.credential
        doubted = token in self._doubted
        # Of a token that is not in the table nothing is known: it has made room for others.
        age = now - self._accepted.get(token, float("-inf"))
        if not doubted and age < self._recheck_s / 2:
            return
        if not doubted and (age < self._recheck_s or now - self._in_vain.get(token, float("-inf")) < REFUSED_S):
            if not self._flights.under_way(tenant, (_CHECK, token)):
                self._flights.start(tenant, (_CHECK, token), self._ask(tenant, Allowance(_CHECK_S, _CHECK_CALLS)))
            return
        waits = allowance.part(seconds=min(_PATIENCE_S, allowance.seconds_left))
        try:
            await self._shared(tenant, allowance, waits)
        except Unauthenticated:
            raise
        except GatewayError:
            # Clever cannot be asked: what it said of the token last is the best there is.
            if doubted:
                raise
            _keep(self._in_vain, token, self._clock())

    async def doubt(self, tenant: Tenant, allowance: Allowance) -> None:
        """Ask whether it is the token that Clever refused, as a call was; forget the tenant if it is."""
        if self._refused_lately(tenant, self._clock()):
            return
        _keep(self._doubted, tenant.credential, None)
        try:
            await self._shared(tenant, allowance, allowance)
        except GatewayError:
            # Refused, and then it has been forgotten; or not to be found out now, and the next request asks first.
            return

    def narrow(self, tenant: Tenant) -> None:
        """Forget a tenant whose token is shown less than before."""
        self.note_forgotten(tenant)
        self._forget(tenant)

    def note_forgotten(self, tenant: Tenant) -> None:
        """Note that a tenant is being forgotten: what was asked for before is not to be remembered."""
        self._accepted.pop(tenant.credential, None)
        self._doubted.pop(tenant.credential, None)
        _keep(self._forgotten, tenant, self._clock())

    def note_accepted(self, tenant: Tenant, at: float) -> None:
        """Note that a token was accepted, as another process has heard."""
        token = tenant.credential
        if at > max(self._accepted.get(token, float("-inf")), self._forgotten.get(tenant, float("-inf"))):
            _keep(self._accepted, token, at)

    def _refused_lately(self, tenant: Tenant, now: float) -> bool:
        return now - self._refused.get(tenant.credential, float("-inf")) < REFUSED_S

    async def _shared(self, tenant: Tenant, allowance: Allowance, waits: Allowance) -> None:
        """Ask about a token, together with all who want to know, and wait as long as `waits` has time."""
        name = (_CHECK, tenant.credential)
        await self._flights.share(tenant, name, lambda: self._ask(tenant, allowance.part(_CHECK_S)), waits)

    async def _give_up(self, tenant: Tenant) -> None:
        """Refuse a token from now on; forget the tenant unless it has another token."""
        renewed = await self._tokens.renew(tenant)
        _keep(self._refused, tenant.credential, self._clock())
        if renewed:
            self._accepted.pop(tenant.credential, None)
            self._doubted.pop(tenant.credential, None)
        else:
            self.narrow(tenant)

    async def _ask(self, tenant: Tenant, allowance: Allowance) -> None:
        """Ask for the district, the cheapest thing there is, twice where it is refused; then forget the tenant.

        Raises Unauthenticated where the token is refused, and as CleverClient does.
        """
        asked_at = self._clock()
        for last in (False, True):
            try:
                call = first_page(DISTRICT_LIST, None, EVERYTHING, MAX_LIMIT)
                page = await self._client.page(tenant, call, allowance)
            except Unauthenticated:
                if last:
                    await self._give_up(tenant)
                    raise
            else:
                if page is not None:
                    self._doubted.pop(tenant.credential, None)
                    self._in_vain.pop(tenant.credential, None)
                    if self.accept(tenant, asked_at):
                        self._on_accepted(tenant)
                    return
                if last:
                    self.narrow(tenant)


def _keep(table: OrderedDict[K, V], key: K, value: V) -> None:
    """Put a value at the end of a bounded table."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > _MOST_TENANTS:
        table.popitem(last=False)


def _not_accepted() -> Unauthenticated:
    return Unauthenticated(
        f"Clever refused this token less than {REFUSED_S:g} s ago, and was not asked again. Check that it is a current "
        "district-app token of the Clever that GATEWAY_CLEVER_URL names."
    )
