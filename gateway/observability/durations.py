"""Durations: a histogram that takes an observation in a fraction of the time that prometheus_client's own takes.

That one has a lock, for threads that we do not have; for what is observed in every request it is most of the cost.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels = tuple[str | int, ...]


class Durations(Collector):
    """Seconds by the values of `labels`, in buckets with these upper `bounds`; to be observed in one thread alone."""

    def __init__(self, name: str, about: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name, self._about, self._labels = name, about, labels
        self._bounds = bounds
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, values: Labels, seconds: float) -> None:
        """Count one that took so long."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * (len(self._bounds) + 1)
            self._sums[values] = 0.0
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[values] += seconds

    def collect(self) -> Iterable[Metric]:
        """Return the histogram as it is now."""
        found = HistogramMetricFamily(self._name, self._about, labels=self._labels)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for values, counts in self._counts.items():
            buckets, below = [], 0
            for name, count in zip(names, counts, strict=True):
                below += count
                buckets.append((name, below))
            found.add_metric([*map(str, values)], buckets, self._sums[values])
        yield found
