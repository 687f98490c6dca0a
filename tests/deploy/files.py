"""What is in deploy/: its files read, and the queries of its dashboard and its alerts."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.metrics import MetricWrapperBase

from gateway.observability.metrics import Metrics

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD = DEPLOY / "grafana/dashboards/gateway.json"
ALERTS = DEPLOY / "prometheus/alerts.yaml"

# What Prometheus adds to every sample that it scrapes.
_SCRAPED = frozenset({"instance", "job"})
_COMPARED = re.compile(r"(.+) (?:[<>]=?|[=!]=) ([\d.]+)", re.DOTALL)


@dataclass(frozen=True)
class Query:
    """An expression, and where it stands."""

    where: str
    expression: str

    def over(self, window: str) -> str:
        """Return the expression as Grafana would send it: with a window for rates, of all replicas."""
        return self.expression.replace("$__rate_interval", window).replace("$instance", ".*")

    @property
    def measured(self) -> "Query":
        """Return what an alert compares with a number: it has a value whether or not the alert fires."""
        compared = _COMPARED.fullmatch(self.expression)
        return Query(self.where, compared[1]) if compared else self


def documents(path: Path) -> list[Any]:
    """Return the documents of a YAML file."""
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one is not None]


def panels() -> Iterator[Query]:
    """Return the queries of the dashboard's panels."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            yield Query(f"panel {panel['title']} {target['refId']}", target["expr"])


def alerts() -> Iterator[Query]:
    """Return the expressions of the alerts."""
    for group in documents(ALERTS)[0]["groups"]:
        for rule in group["rules"]:
            yield Query(f"alert {rule['alert']}", rule["expr"])


def samples() -> dict[str, frozenset[str]]:
    """Return the names of all samples that the gateway's metrics have, each with its labels."""
    found = {"up": _SCRAPED}
    for collector in Metrics().registry._collector_to_names:
        for family in collector.collect():
            of = collector if isinstance(collector, MetricWrapperBase) else family
            labels = frozenset(getattr(of, "_labelnames", ())) | _SCRAPED
            endings = {"counter": ("_total",), "histogram": ("_count", "_sum")}.get(family.type, ("",))
            found |= {family.name + ending: labels for ending in endings}
            if family.type == "histogram":
                found[f"{family.name}_bucket"] = labels | {"le"}
    return found
