"""What a caller reaches: the access and the loaders of one request, cut to the viewer where the caller is a person."""

from collections.abc import Set
from dataclasses import dataclass

from gateway.access.executor import Access
from gateway.access.scoped import ScopedAccess
from gateway.access.sight import Sight
from gateway.access.source import Source
from gateway.access.trace import Trace
from gateway.clever.allowance import Allowance
from gateway.errors import GatewayError
from gateway.identity import EXPLAIN, REFRESH, Caller
from gateway.loaders import Loaders
from gateway.loaders.handed import Handed


@dataclass(frozen=True, slots=True)
class Reach:
    """One request's access to Clever, and the loaders over it."""

    access: Access
    loaders: Loaders
    caller: Caller
    handed: Handed | None
    scoped: ScopedAccess | None = None

    @property
    def permits(self) -> Set[str]:
        """Return what the caller is permitted, as far as it is known who that is."""
        return self.scoped.permits if self.scoped else self.caller.permissions

    @property
    def tells_costs(self) -> bool:
        """Say whether the caller may know what the request cost: it tells how much there is to be hidden."""
        return EXPLAIN in self.permits

    def close(self) -> None:
        """End the request's work, and let go of what it has read."""
        self.loaders.close()
        self.access.close()

    def report(self) -> dict[str, object]:
        """Return what the request cost, as far as the caller may know."""
        report = self.access.report()
        return report if self.tells_costs else {name: report[name] for name in report.keys() & {"stale"}}


async def reach_of(
    source: Source,
    caller: Caller,
    allowance: Allowance,
    trace: Trace,
    *,
    refresh: bool,
    classmates: bool,
    handed: Handed | None = None,
) -> Reach:
    """Open the access of a request; `refresh` asks for newer data, which takes a permission.

    `handed` counts the records that the request is given.
    """
    if caller.viewer is None:
        access = Access(
            source, caller.tenant, allowance, refresh=refresh and REFRESH in caller.permissions, trace=trace
        )
        return Reach(access, Loaders(access, caller.permissions, handed), caller, handed)
    access = Access(source, caller.tenant, allowance, trace=trace)
    sight = Sight(access, caller.viewer, classmates=classmates)
    scoped = ScopedAccess(access, sight, caller.permissions)
    if refresh and await _may_refresh(scoped):
        access.close()
        access = Access(source, caller.tenant, allowance, refresh=True, trace=trace)
        scoped = ScopedAccess(access, Sight(access, caller.viewer, classmates=classmates), caller.permissions)
    return Reach(access, Loaders(scoped, handed=handed), caller, handed, scoped)


async def _may_refresh(scoped: ScopedAccess) -> bool:
    try:
        return REFRESH in (await scoped.who()).permissions
    except GatewayError:
        # The fields tell why it could not be read.
        return False
