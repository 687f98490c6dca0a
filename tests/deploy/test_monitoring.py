"""Dashboard and alerts ask for metrics and labels that exist, in PromQL that Prometheus takes."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.files import ALERTS, DASHBOARD, DEPLOY, Query, alerts, documents, panels, samples

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; Debian's prometheus has it")

QUERIES = [*panels(), *alerts()]
NAMES = re.compile(r"\b(?:gateway|process)_\w+|\bup\b")
SELECTED = re.compile(r"\b(\w+)\{([^}]*)\}")
MATCHED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPED = re.compile(r"\bby\s*\(([^)]*)\)")


def where(query: Query) -> str:
    return query.where


@pytest.mark.parametrize("query", QUERIES, ids=where)
def test_a_query_asks_for_metrics_and_labels_that_exist(query: Query) -> None:
    known = samples()
    expression = re.sub(r'"[^"]*"', '""', query.expression)
    grouped = {label.strip() for labels in GROUPED.findall(expression) for label in labels.split(",")}
    names = {name for name in NAMES.findall(expression) if name not in grouped}

    assert names
    assert names <= known.keys()
    for name, selection in SELECTED.findall(expression):
        assert set(MATCHED.findall(selection)) <= known[name]
    assert grouped <= frozenset[str]().union(*(known[name] for name in names))


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = " ".join(query.expression for query in panels())
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in samples() if name.startswith("gateway_")}

    assert {name for name in families if name not in shown} == set()


def test_the_dashboard_can_be_imported() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    ids = [panel["id"] for panel in board["panels"]]
    (source,) = documents(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")[0]["datasources"]

    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == source["uid"]
            assert panel["description"]
    boxes = [tuple(panel["gridPos"][side] for side in "xywh") for panel in board["panels"]]
    for index, (x, y, w, h) in enumerate(boxes):
        for x2, y2, w2, h2 in boxes[index + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_every_alert_waits_and_says_what_happens_and_what_to_do() -> None:
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for group in documents(ALERTS)[0]["groups"]:
        for rule in group["rules"]:
            assert rule["for"]
            assert rule["labels"]["severity"] in {"page", "ticket"}
            assert rule["annotations"]["summary"].endswith(".")
            assert f"`{rule['alert']}`" in guide


def test_what_an_alert_measures_is_compared_with_a_number() -> None:
    assert all(query.measured != query for query in alerts())


@needs_promtool
def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    for command in (["rules", "alerts.yaml"], ["config", "--syntax-only", "prometheus.yaml"]):
        done = subprocess.run(
            [str(PROMTOOL), "check", *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"query_{index}", "expr": query.over("1m")} for index, query in enumerate(QUERIES)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run([str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_alerts_fire_when_they_should() -> None:
    test = Path(__file__).with_name("alerts.yaml")
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", test.name], cwd=test.parent, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    tried = {one["alertname"] for group in documents(test)[0]["tests"] for one in group["alert_rule_test"]}
    assert tried == {query.where.removeprefix("alert ") for query in alerts()}
