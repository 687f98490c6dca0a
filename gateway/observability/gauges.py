"""States, read when Prometheus asks: cache, budget, queues; and counts that are kept where they arise."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.access.source import Source
from gateway.clever.values import unrecognized
from gateway.engine.responses import Responses

# Districts that get a label of their own, those with the fewest calls left first.
MOST_DISTRICTS = 50
# A rate needs the sample before the first event.
_UNRECOGNIZED = ("list element", "list item", "record without id", "role")


@dataclass(frozen=True, slots=True)
class Queue:
    """Requests that are being answered and that wait to be; at most `limit` are answered at once, 0: any number."""

    running: int = 0
    waiting: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """What states are read from. `source` returns None while the gateway is not started; `calls` are a minute's."""

    source: Callable[[], Source | None]
    responses: Responses
    calls: int
    queue: Callable[[], Queue] = Queue


class States(Collector):
    """Metrics that are worked out when they are asked for; without anything to watch they have no samples."""

    def __init__(self) -> None:
        self.watched: Watched | None = None

    def collect(self) -> Iterable[Metric]:
        """Return every metric with what there is to say now."""
        watched = self.watched
        source = watched.source() if watched else None
        yield _labelled(
            CounterMetricFamily(
                "gateway_unrecognized", "Values of Clever's that this version does not know.", labels=["kind"]
            ),
            dict.fromkeys(_UNRECOGNIZED, 0) | unrecognized,
        )
        yield from _cache(source)
        yield _decisions(source)
        yield from _answers(watched)
        yield from _upstream(source)
        yield from _budget(source, watched.calls if watched else 0)
        queue = watched.queue() if watched else None
        yield _gauge("gateway_requests_running", "Requests being answered.", queue.running if queue else None)
        yield _gauge(
            "gateway_requests_waiting", "Requests that wait for others to end.", queue.waiting if queue else None
        )
        yield _gauge(
            "gateway_requests_limit", "Requests answered at once; 0: any number.", queue.limit if queue else None
        )


def _cache(source: Source | None) -> Iterable[Metric]:
    reads = CounterMetricFamily(
        "gateway_cache_reads",
        "Reads answered from memory, fresh (`hit`) or past its time (`stale`), or by asking Clever (`miss`).",
        labels=["kind", "outcome"],
    )
    for (kind, outcome), count in sorted(source.reads.items()) if source else ():
        reads.add_metric([kind, outcome], count)
    yield reads
    shelf = source.shelf if source else None
    entries, held = (shelf.entries_of, shelf.bytes_of) if shelf else ({}, {})
    yield _labelled(GaugeMetricFamily("gateway_cache_entries", "What is remembered.", labels=["kind"]), entries)
    yield _labelled(GaugeMetricFamily("gateway_cache_bytes", "Memory that it takes.", labels=["kind"]), held)
    yield _gauge("gateway_cache_capacity_bytes", "Memory that it may take.", shelf.capacity if shelf else None)
    evicted = CounterMetricFamily("gateway_cache_evicted", "Entries given up to make room.")
    if shelf:
        evicted.add_metric([], shelf.evicted)
    yield evicted


def _decisions(source: Source | None) -> Metric:
    family = CounterMetricFamily(
        "gateway_decisions",
        "Records that viewers asked for and were shown, that were hidden, and lists that were refused.",
        labels=["kind", "decision"],
    )
    # A rate needs the sample before the first event.
    begun = {("users", decision): 0 for decision in ("shown", "hidden", "refused")}
    for (kind, decision), count in sorted((begun | source.decisions).items()) if source else ():
        family.add_metric([kind, decision], count)
    return family


def _answers(watched: Watched | None) -> Iterable[Metric]:
    kept = watched.responses if watched else None
    yield _gauge("gateway_answers_entries", "Answers that can be given again.", None if kept is None else len(kept))
    yield _gauge("gateway_answers_bytes", "Memory that they take.", None if kept is None else kept.bytes)
    yield _gauge(
        "gateway_answers_capacity_bytes", "Memory that they may take.", None if kept is None else kept.capacity
    )


def _upstream(source: Source | None) -> Iterable[Metric]:
    client = source.client if source else None
    yield _gauge("gateway_upstream_running", "Calls to Clever under way.", client.under_way.now if client else None)
    yield _gauge(
        "gateway_upstream_waiting", "Calls to Clever that wait for their turn.", client.waiting.now if client else None
    )
    yield _gauge("gateway_upstream_limit", "Calls to Clever under way at most.", client.concurrency if client else None)
    yield _gauge(
        "gateway_upstream_left_alone",
        "Whether Clever is left alone after failures.",
        client.left_alone if client else None,
    )


def _budget(source: Source | None, calls: int) -> Iterable[Metric]:
    left = {tenant: source.client.calls_left(tenant) for tenant in source.tenants} if source else {}
    tenants = GaugeMetricFamily(
        "gateway_budget_tenants", "Tokens in use by the share of the minute's calls that is left.", labels=["left"]
    )
    if source:
        shares = [count / calls for count in left.values()]
        tenants.add_metric(["none"], sum(share <= 0 for share in shares))
        tenants.add_metric(["under 10%"], sum(0 < share < 0.1 for share in shares))
        tenants.add_metric(["under 50%"], sum(0.1 <= share < 0.5 for share in shares))
        tenants.add_metric(["50% and more"], sum(share >= 0.5 for share in shares))
    yield tenants
    yield _gauge("gateway_budget_calls", "Calls to Clever per token and minute.", calls if source else None)
    yield _gauge(
        "gateway_budget_least_left_calls",
        "Calls left in this minute to the token that has fewest.",
        min(left.values(), default=calls) if source else None,
    )
    districts = {tenant.district: count for tenant, count in left.items() if tenant.district is not None}
    yield _labelled(
        GaugeMetricFamily(
            "gateway_budget_district_left_calls",
            f"Calls left in this minute, of the {MOST_DISTRICTS} districts with fewest; not in pass-through.",
            labels=["district"],
        ),
        dict(nsmallest(MOST_DISTRICTS, districts.items(), lambda one: one[1])),
    )


def _gauge(name: str, about: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(name, about)
    if value is not None:
        family.add_metric([], value)
    return family


def _labelled(family: Metric, values: Mapping[str, float]) -> Metric:
    for label, value in values.items():
        family.add_metric([label], value)  # type: ignore[attr-defined]
    return family
