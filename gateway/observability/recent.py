"""What happened lately, in bounded rings, for the status page: rates, operations and how long they took, faults."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gateway.cache.redis.events import RedisDone
from gateway.clever.events import CallSent, Misread
from gateway.engine.operations import Named
from gateway.observability.metrics import REDIS_FAILURES, REDIS_READS
from gateway.web.middleware import RequestDone

_MINUTE = 60
_MOST_OPERATIONS = 200
_MOST_TIMES = 500
_MOST_FAULTS = 20
_SHOWN_OPERATIONS = 10
# A token that is refused, and a record that is not shown: no faults of Clever's.
_NO_FAULTS = frozenset((401, 403, 404))
_MISREAD = {"not_clever": "an answer that is not Clever's", "mismatch": "an answer to something else"}


class Minute:
    """How much of something there was in each of the last sixty seconds."""

    __slots__ = ("_clock", "_counts", "_seconds")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seconds = [-_MINUTE] * _MINUTE
        self._counts = [0] * _MINUTE

    def add(self) -> None:
        """Count one, now."""
        second = int(self._clock())
        place = second % _MINUTE
        if self._seconds[place] != second:
            self._seconds[place], self._counts[place] = second, 0
        self._counts[place] += 1

    def each(self, seconds: int = _MINUTE) -> list[int]:
        """Return the counts of the last whole seconds, the latest last."""
        now = int(self._clock())
        return [self._of(second) for second in range(now - min(seconds, _MINUTE - 1), now)]

    def total(self) -> int:
        """Return the count of the last minute."""
        return sum(self.each()) + self._of(int(self._clock()))

    def _of(self, second: int) -> int:
        place = second % _MINUTE
        return self._counts[place] if self._seconds[place] == second else 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A call to Clever that did not end well, at `at` on the wall clock."""

    at: float
    call: str
    what: str
    attempt: int


@dataclass(slots=True)
class Operation:
    """How long an operation took, the last times that it was really run; and how often an answer was given again."""

    named: Named
    made: int = 0
    kept: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_TIMES))

    def quantile(self, share: float) -> float:
        """Return the seconds within which this share of its runs ended."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Recent:
    """Subscribes to requests, calls and Redis, and remembers the latest of each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.requests, self.errors, self.calls = Minute(clock), Minute(clock), Minute(clock)
        self.redis_hits, self.redis_misses, self.redis_failures = Minute(clock), Minute(clock), Minute(clock)
        # None where there is no Redis.
        self.redis_up: bool | None = None
        self.faults: deque[Fault] = deque(maxlen=_MOST_FAULTS)
        self._operations: OrderedDict[Named, Operation] = OrderedDict()

    def on_request(self, done: RequestDone) -> None:
        """Note a request. Those for the page itself and for probes are none of interest."""
        if done.route != "/graphql":
            return
        self.requests.add()
        if done.error_codes or done.status >= 500:
            self.errors.add()
        if done.facts.operation is not None:
            self._note(done.facts.operation, None if done.facts.kept else done.seconds)

    def on_call(self, sent: CallSent) -> None:
        """Note a call, and where it did not end well, how."""
        self.calls.add()
        if sent.status is None:
            what = sent.failure or "nobody waited for it"
        elif sent.status >= 400 and sent.status not in _NO_FAULTS:
            what = f"status {sent.status}"
        else:
            return
        self.faults.append(Fault(self._wall(), sent.template, what, sent.attempt))

    def on_misread(self, misread: Misread) -> None:
        """Note an answer that was of no use."""
        self.faults.append(Fault(self._wall(), misread.template, _MISREAD[misread.fault], misread.attempt))

    def on_redis(self, done: RedisDone) -> None:
        """Note an exchange with Redis."""
        if done.action == "link":
            self.redis_up = done.outcome == "up"
        elif done.outcome in REDIS_FAILURES:
            self.redis_failures.add()
        elif done.outcome in REDIS_READS:
            (self.redis_hits if done.outcome == "hit" else self.redis_misses).add()

    def slowest(self) -> Iterable[Operation]:
        """Return the operations whose slowest runs took longest."""
        run = [one for one in self._operations.values() if one.times]
        return sorted(run, key=lambda one: one.quantile(0.95), reverse=True)[:_SHOWN_OPERATIONS]

    def _note(self, named: Named, seconds: float | None) -> None:
        operation = self._operations.get(named)
        if operation is None:
            operation = self._operations[named] = Operation(named)
            if len(self._operations) > _MOST_OPERATIONS:
                self._operations.popitem(last=False)
        else:
            self._operations.move_to_end(named)
        if seconds is None:
            operation.kept += 1
        else:
            operation.made += 1
            operation.times.append(seconds)
