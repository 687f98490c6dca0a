"""Durations: a histogram that takes an observation in a fraction of the time that prometheus_client's own takes.

That one has a lock, for threads that we do not have; for what is observed in every request it is most of the cost.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels = tuple[str | int, ...]


class Durations(Collector):
    """Seconds by the values of `labels`, in buckets with these upper `bounds`; to be observed in one thread alone."""

    def __init__(self, name: str, about: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name, self._about, self._labels = name, about, labels
        self._bounds = bounds
        # Of each bucket and of all beyond the last the count, and then the sum of seconds.
        self._held: dict[Labels, list[float]] = {}

    def observe(self, values: Labels, seconds: float) -> None:
        """Count one that took so long."""
        held = self._held.get(values)
        if held is None:
            held = self._held[values] = [0] * (len(self._bounds) + 2)
        held[bisect_left(self._bounds, seconds)] += 1
        held[-1] += seconds

    def collect(self) -> Iterable[Metric]:
        """Return the histogram as it is now."""
        found = HistogramMetricFamily(self._name, self._about, labels=self._labels)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for values, held in self._held.items():
            found.add_metric([*map(str, values)], list(zip(names, accumulate(held[:-1]), strict=True)), held[-1])
        yield found
