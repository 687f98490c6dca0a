"""Shares: what a budget asks of whoever divides a token's calls among processes, and what it tells them."""

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.identity import Tenant


class Use(Protocol):
    """What this process has made of a token's calls, and what it was told of them. Moments are the budget's clock's."""

    under_way: int

    @property
    def past(self) -> Sequence[float]:
        """Return the moments at which calls that have ended cease to count, in order."""

    def told(self, now: float) -> tuple[float, int] | None:
        """Return what Clever's headers said last: the reset as a unix time, and the calls left until then."""

    def closed_for(self, now: float) -> float:
        """Return the seconds for which Clever asked to be left alone."""

    def serve(self) -> None:
        """Give free places to those who wait: there may be more than a moment ago."""


class Share(Protocol):
    """What one process may have of a token's calls where others use the same token, too."""

    def free(self, now: float) -> int:
        """Return how many more calls may begin now, without asking the others."""

    def left(self, now: float) -> int:
        """Return how many more calls could begin now, as far as is known."""

    def wait(self, now: float, places: int) -> float:
        """Return the seconds that must pass before so many more calls can begin, 0 where it is not known."""

    def ask(self, places: int) -> None:
        """Ask the others for so many; `Use.serve` is called as soon as there is an answer."""

    def take(self) -> None:
        """Count a call as begun."""

    def miss(self) -> None:
        """Count a call whose answer did not tell what Clever has counted."""

    def news(self) -> None:
        """Note that calls have ended, or that Clever told something."""


Shares = Callable[[Tenant, Use], Share]
