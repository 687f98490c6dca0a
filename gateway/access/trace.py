"""What one request did upstream and why, step by step; no id, name or value of the roster is in it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.access.costs import Cost
from gateway.clever.allowance import Allowance


@dataclass(slots=True)
class Step:
    """One thing that was read: which relation, for how many parents, on which path and why; and what it took.

    `cached`: nothing was asked of Clever. Times are in milliseconds since the request's first step.
    """

    relation: str
    parents: int
    path: str
    why: str
    estimate: Cost
    started_ms: float = 0.0
    took_ms: float = 0.0
    calls: int = 0
    bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the step as it stands in `extensions.clever.plan`."""
        return {
            "relation": self.relation,
            "parents": self.parents,
            "path": self.path,
            "why": self.why,
            "calls": {"estimated": self.estimate.calls, "made": self.calls},
            "bytes": {"estimated": self.estimate.bytes, "read": self.bytes},
            "ms": {"start": round(self.started_ms, 1), "took": round(self.took_ms, 1)},
            "cached": self.calls == 0,
        }


@dataclass(slots=True)
class Trace:
    """The steps of one request in the order of their beginning; kept only where `on`.

    `listens` says whether anybody hears of steps that take no call, too.
    """

    on: bool = False
    steps: list[Step] = field(default_factory=list)
    _began: float = field(default_factory=time.perf_counter)
    listens: bool = field(init=False)

    def __post_init__(self) -> None:
        self.listens = self.on

    @contextmanager
    def step(self, step: Step, allowance: Allowance) -> Iterator[Allowance]:
        """Measure what is done for a step; yields the allowance to do it with."""
        if not self.on:
            yield allowance
            return
        part = allowance.part()
        step.started_ms = (time.perf_counter() - self._began) * 1000
        self.steps.append(step)
        try:
            yield part
        finally:
            step.took_ms = (time.perf_counter() - self._began) * 1000 - step.started_ms
            step.calls, step.bytes = part.used, part.bytes
