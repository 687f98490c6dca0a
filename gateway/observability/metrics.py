"""Metrics in Prometheus' text format. Labels are few and closed: routes, path templates, statuses, kinds of words.

What happens is counted here, by children of metrics that are looked up once. What is a state, or counted where it
happens, is read when Prometheus asks (`gauges.py`).
"""

from typing import Generic, TypeVar, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from gateway import __version__
from gateway.cache.redis.events import RedisDone
from gateway.clever.events import CallSent, Fault, Misread
from gateway.observability.durations import Durations
from gateway.observability.gauges import States, Watched
from gateway.web.middleware import RequestDone

# When each series began would be a third of the text, and nobody asks.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Requests are counted so many at a time, which takes half as long.
_COUNTED_TOGETHER = 64

OTHER = "other"
# Names of a manifest that get a label of their own; all further ones are `other`.
MOST_OPERATIONS = 300

# From an answer that is given again to one that took the whole deadline.
_REQUEST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_CALL_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
# Of exchanges with Redis: what a read found, and how one fails.
REDIS_READS = frozenset(("hit", "miss", "refused"))
REDIS_FAILURES = frozenset(("timeout", "error", "full"))
_REDIS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)


M = TypeVar("M", Counter, Histogram)


class _Children(Generic[M]):
    """The children of a metric by the values of their labels: the metric's own look-up costs more than counting."""

    __slots__ = ("_known", "_metric")

    def __init__(self, metric: M) -> None:
        self._metric: M = metric
        self._known: dict[tuple[str | int | None, ...], M] = {}

    def __call__(self, *values: str | int | None) -> M:
        child = self._known.get(values)
        if child is None:
            child = self._known[values] = self._metric.labels(*["none" if one is None else one for one in values])
        return child


class Metrics:
    """The metrics of one gateway; subscribes to requests, operations, calls and Redis."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._done: list[RequestDone] = []
        self._requests = self._durations(
            "gateway_request_seconds", "HTTP requests answered.", ("route", "method", "status")
        )
        self._operations = self._durations(
            "gateway_operation_seconds",
            "GraphQL requests by operation, if its document is trusted, else `other`; `kept` where an earlier answer "
            "was given again, else `made`.",
            ("operation", "answer"),
        )
        self._errors = _Children(self._counter("gateway_errors", "Requests that got an error of this code.", ("code",)))
        self._ways = _Children(
            self._counter(
                "gateway_operations",
                "Operations executed: `planned` by a compiled plan, `fallback` by graphql-core; `kept`: not executed.",
                ("way",),
            )
        )
        self._open_upstream()
        self._open_redis()
        build = Gauge("gateway_build_info", "The version that runs; always 1.", ("version",), registry=self.registry)
        build.labels(__version__).set(1)
        self._states = States()
        self.registry.register(self._states)
        ProcessCollector(registry=self.registry)
        self._named = {OTHER}
        self._begin()

    def on_request(self, done: RequestDone) -> None:
        """Count a request, and the operation that it asked for; at the latest when somebody asks for the metrics."""
        self._done.append(done)
        if len(self._done) >= _COUNTED_TOGETHER:
            self._count_requests()

    def _count_requests(self) -> None:
        done, self._done = self._done, []
        kept = 0
        requests, operations = self._requests, self._operations
        for one in done:
            seconds, facts = one.seconds, one.facts
            requests.observe((one.route, one.method, one.status), seconds)
            if facts.operation is not None:
                name = self._label(facts.operation.name)
                operations.observe((name, "kept" if facts.kept else "made"), seconds)
            kept += facts.kept
            for code in one.error_codes:
                self._errors(code).inc()
        if kept:
            self._ways("kept").inc(kept)

    def on_call(self, sent: CallSent) -> None:
        """Count a call to Clever."""
        self._calls(sent.kind, sent.template, sent.status).observe(sent.seconds)
        self._bytes(sent.template).inc(sent.bytes)
        if sent.attempt > 1:
            self._retries.inc()
        if sent.status is None:
            self._failures(sent.failure or "abandoned").inc()

    def on_misread(self, misread: Misread) -> None:
        """Count an answer that was of no use."""
        self._failures(misread.fault).inc()

    def on_executed(self, planned: bool) -> None:
        """Count an operation."""
        self._ways("planned" if planned else "fallback").inc()

    def on_redis(self, done: RedisDone) -> None:
        """Count an exchange with Redis, or what it found, or note whether Redis is there."""
        if done.action == "link":
            self._redis_up.set(done.outcome == "up")
        elif done.outcome in REDIS_READS:
            self._redis_reads(done.outcome).inc()
        else:
            self._redis(done.action, done.outcome).observe(done.seconds)
        if done.bytes:
            self._redis_bytes(done.action).inc(done.bytes)

    def watch(self, watched: Watched) -> None:
        """Read these states whenever Prometheus asks."""
        self._states.watched = watched

    def render(self) -> bytes:
        """Return all metrics as text."""
        self._count_requests()
        return generate_latest(self.registry)

    def _label(self, name: str) -> str:
        if name in self._named:
            return name
        if not name or len(self._named) > MOST_OPERATIONS:
            return OTHER
        self._named.add(name)
        return name

    def _begin(self) -> None:
        """Begin series at zero where it is known what they will be: a rate needs the sample before the first event."""
        for way in ("planned", "fallback", "kept"):
            self._ways(way)
        for failure in ("timeout", "ConnectError", "ReadError", *get_args(Fault)):
            self._failures(failure)
        for action in ("find", "keep", "calls"):
            self._redis_bytes(action)
            for outcome in ("ok", *sorted(REDIS_FAILURES)):
                self._redis(action, outcome)
        for outcome in sorted(REDIS_READS):
            self._redis_reads(outcome)

    def _open_upstream(self) -> None:
        self._calls = _Children(
            self._histogram(
                "gateway_upstream_call_seconds",
                "Calls sent to Clever, retries included; status `none` where no answer came.",
                ("kind", "call", "status"),
                _CALL_S,
            )
        )
        self._failures = _Children(
            self._counter(
                "gateway_upstream_failures",
                "Calls to Clever that got no answer, or one of no use whatever its status, by what went wrong: "
                "`not_clever` where it was not Clever's, `mismatch` where it was not of what was asked.",
                ("failure",),
            )
        )
        self._bytes = _Children(self._counter("gateway_upstream_bytes", "Bytes read from Clever.", ("call",)))
        self._retries = self._counter(
            "gateway_upstream_retries", "Calls sent to Clever that were second tries or later."
        )

    def _open_redis(self) -> None:
        self._redis = _Children(
            self._histogram("gateway_redis_seconds", "Exchanges with Redis.", ("action", "outcome"), _REDIS_S)
        )
        self._redis_reads = _Children(
            self._counter(
                "gateway_redis_reads", "What reads found in Redis: `hit`, `miss`, or `refused`.", ("outcome",)
            )
        )
        self._redis_bytes = _Children(self._counter("gateway_redis_bytes", "Bytes to and from Redis.", ("action",)))
        self._redis_up = Gauge("gateway_redis_up", "Whether Redis can be asked.", registry=self.registry)

    def _durations(self, name: str, about: str, labels: tuple[str, ...]) -> Durations:
        durations = Durations(name, about, labels, _REQUEST_S)
        self.registry.register(durations)
        return durations

    def _counter(self, name: str, about: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, about, labels, buckets=buckets, registry=self.registry)
