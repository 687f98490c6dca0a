"""Admission: what one request may take, and whose turn it is."""

from dataclasses import dataclass, field

from gateway.web.rates import Rates
from gateway.web.turns import Turns


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """What one request may take: seconds, calls to Clever, rows, bytes of its body; what needs no token; whether it
    may ask what was done upstream; and whether students see their classmates' names. `audited`: an account is kept of
    what it was given.
    """

    deadline_s: float
    calls: int
    rows: int
    body_bytes: int
    public_introspection: bool
    explain: bool = False
    classmates: bool = False
    audited: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """Whose turn it is: how many requests are worked out at a time, and how often one may ask where that is limited."""

    turns: Turns = field(default_factory=lambda: Turns(1_000, 0, 1))
    rates: Rates | None = None
