"""Metrics in Prometheus' text format. Labels are few and closed: routes, path templates, statuses, kinds of words."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from gateway.clever.client import CallSent
from gateway.clever.values import unrecognized
from gateway.web.middleware import RequestDone

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Requests are counted so many at a time, which takes half as long.
_COUNTED_TOGETHER = 64


class Metrics:
    """The metrics of one gateway; subscribes to requests, operations and calls."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "gateway_request_seconds",
            "HTTP requests answered.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        # To find the labels' child anew takes longer than all that is done with it.
        self._done: list[tuple[str, str, int, float, tuple[str, ...]]] = []
        self._requests_of: dict[tuple[str, str, int], Histogram] = {}
        self._errors = Counter(
            "gateway_errors", "Requests that got an error of this code.", ("code",), registry=self._registry
        )
        self._calls = Histogram(
            "gateway_upstream_call_seconds",
            "Calls sent to Clever, retries included; status `none` where no answer came.",
            ("call", "status"),
            registry=self._registry,
        )
        self._operations = Counter(
            "gateway_operations",
            "Operations executed: `planned` by a compiled plan, `fallback` by graphql-core.",
            ("way",),
            registry=self._registry,
        )
        for way in ("planned", "fallback"):
            self._operations.labels(way)
        self._registry.register(_Unrecognized())

    def on_request(self, done: RequestDone) -> None:
        """Count a request, before the next one who asks for the metrics at the latest."""
        self._done.append((done.route, done.method, done.status, done.seconds, done.error_codes))
        if len(self._done) >= _COUNTED_TOGETHER:
            self._count_requests()

    def _count_requests(self) -> None:
        done, self._done = self._done, []
        for route, method, status, seconds, error_codes in done:
            self._count_request((route, method, status), seconds, error_codes)

    def _count_request(self, key: tuple[str, str, int], seconds: float, error_codes: tuple[str, ...]) -> None:
        child = self._requests_of.get(key)
        if child is None:
            child = self._requests_of[key] = self._requests.labels(*map(str, key))
        child.observe(seconds)
        for code in error_codes:
            self._errors.labels(code).inc()

    def on_call(self, sent: CallSent) -> None:
        """Count a call to Clever."""
        self._calls.labels(sent.template, str(sent.status or "none")).observe(sent.seconds)

    def on_executed(self, planned: bool) -> None:
        """Count an operation."""
        self._operations.labels("planned" if planned else "fallback").inc()

    def render(self) -> bytes:
        """Return all metrics as text."""
        self._count_requests()
        return generate_latest(self._registry)


class _Unrecognized(Collector):
    """What Clever sent and this version does not know, by kind."""

    def collect(self) -> Iterable[CounterMetricFamily]:
        family = CounterMetricFamily(
            "gateway_unrecognized", "Values of Clever's that this version does not know.", labels=["kind"]
        )
        for kind, count in unrecognized.items():
            family.add_metric([kind], count)
        yield family
