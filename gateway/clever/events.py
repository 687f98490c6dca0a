"""What subscribers hear of calls to Clever: never an id, a token or a body."""

from dataclasses import dataclass
from typing import Literal

from gateway.clever.calls import Kind

# What answered was not Clever, as far as can be told; or it answered with something else than was asked for.
Fault = Literal["not_clever", "mismatch"]


@dataclass(frozen=True, slots=True)
class CallSent:
    """What subscribers hear of one call sent.

    `status` is None where none came; then `failure` says why, or is empty where nobody waited to the end.
    """

    template: str
    status: int | None
    seconds: float
    bytes: int
    attempt: int
    kind: Kind
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Misread:
    """What subscribers hear, besides, of an answer that is of no use, whatever its status says."""

    template: str
    fault: Fault
    attempt: int
