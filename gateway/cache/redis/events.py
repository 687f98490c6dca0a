"""What subscribers hear of exchanges with Redis."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "timeout", "error", "full", "hit", "miss", "up", "down"]


@dataclass(frozen=True, slots=True)
class RedisDone:
    """What subscribers hear of an exchange with Redis, never a name or a value.

    `action` is what it was about: `beat`, `find`, `claim`, `keep`, `drop`, `calls`, `text`, `spent`, `link`.
    """

    action: str
    outcome: Outcome
    seconds: float = 0.0
    bytes: int = 0
