"""Every query of the dashboard's panels and of the alerts, run on a real Prometheus that scraped two gateways under load.

    python -m tests.bench.dashboard [--seconds 20]

Sandbox, gateways and Prometheus are processes on free ports of this machine. The load is a mix: answers made and given again,
trusted and not, mistakes, refused tokens, calls that come too late. Says which queries have no answer; of alerts, what is
compared with a number is asked for. Ends with 1 if there are any.
"""

import argparse
import asyncio
import json
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.cli.processes import started
from tests.deploy.files import DEPLOY, Query, alerts, panels

PROMETHEUS = shutil.which("prometheus")
_WINDOW_S = 10
_LONGEST_START_S = 30

TRUSTED = {
    "rosters": "query Rosters($n: Int) { sections(first: $n) { nodes { name students { nodes { name { first last } } } } } }",
    "teachers": "query Teachers { users(role: TEACHER, first: 50) { nodes { name { last } schools { nodes { name } } } } }",
    "schools": "query Schools { schools { nodes { name sections(first: 5) { totalCount } } } }",
}
OTHERS = (
    "{ district { name } }",
    "{ users(first: 20) { nodes { id contacts { nodes { id } } } } }",
    "{ __schema { queryType { name } } }",
    "{ nothing }",
    "{ courses { nodes { name } } terms { nodes { name } } }",
)
TOKENS = ("TEST_TOKEN", "TEST_TOKEN", "TEST_TOKEN", "TEST_TOKEN_2", "NOT_A_TOKEN")


@dataclass(frozen=True)
class Outcome:
    """What a query answered: how many series, and the first one's value."""

    query: Query
    series: int
    value: str


def check(seconds: float) -> list[Outcome]:
    """Run everything for so long, then return what each query answered."""
    with ExitStack() as running, tempfile.TemporaryDirectory(prefix="dashboard-") as folder:
        manifest = Path(folder, "documents.json")
        manifest.write_text(json.dumps(TRUSTED), encoding="utf-8")
        sandbox = running.enter_context(started("sandbox", "--preset", "tiny", "--port", "0"))
        variables = {
            "GATEWAY_CLEVER_URL": sandbox.until(r"at (http://[\d.:]+)/v3\.1"),
            "GATEWAY_TRUSTED_DOCUMENTS": str(manifest),
            "GATEWAY_TRUSTED_DOCUMENTS_MODE": "off",
            "GATEWAY_LOG_LEVEL": "error",
            # Some calls come too late.
            "GATEWAY_UPSTREAM_TIMEOUT": "0.05",
            "GATEWAY_TTL_USERS": "2",
        }
        gateways = [running.enter_context(started("serve", "--port", "0", **variables)) for _ in range(2)]
        origins = [one.until(r"GraphQL at (\S+)/graphql, over") for one in gateways]
        prometheus = running.enter_context(_prometheus(Path(folder), origins))
        asyncio.run(_load(origins, seconds))
        return [_ask(prometheus, query) for query in (*panels(), *(one.measured for one in alerts()))]


@contextmanager
def _prometheus(folder: Path, origins: list[str]) -> Iterator[str]:
    """Start Prometheus with the configuration in deploy/, but for where the gateways are and how often they are asked."""
    configuration = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (job,) = configuration["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [origin.removeprefix("http://") for origin in origins]}]
    Path(folder, "prometheus.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    shutil.copy(DEPLOY / "prometheus/alerts.yaml", folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    files = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    with Path(folder, "prometheus.log").open("wb") as log:
        process = subprocess.Popen([str(PROMETHEUS), *files, f"--web.listen-address={address}"], stdout=log, stderr=log)
        try:
            until = time.monotonic() + _LONGEST_START_S
            while not _is_ready(f"http://{address}"):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(Path(folder, "prometheus.log").read_text(encoding="utf-8"))
                time.sleep(0.1)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait()


def _is_ready(origin: str) -> bool:
    try:
        return httpx.get(f"{origin}/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


async def _load(origins: list[str], seconds: float) -> None:
    chance = random.Random(1)
    ends = time.monotonic() + seconds
    async with httpx.AsyncClient(timeout=40, trust_env=False) as http:

        async def one() -> None:
            while time.monotonic() < ends:
                headers = {"authorization": f"Bearer {chance.choice(TOKENS)}"}
                if chance.random() < 0.2:
                    headers["cache-control"] = "no-cache"
                body: dict[str, Any] = {"query": chance.choice(OTHERS)}
                if chance.random() < 0.6:
                    body = {"documentId": chance.choice([*TRUSTED]), "variables": {}}
                if body.get("documentId") == "rosters":
                    body["variables"] = {"n": chance.randint(1, 5)}
                await http.post(f"{chance.choice(origins)}/graphql", json=body, headers=headers)
                await asyncio.sleep(0.05)

        await asyncio.gather(*(one() for _ in range(6)))


def _ask(prometheus: str, query: Query) -> Outcome:
    answer = httpx.get(
        f"{prometheus}/api/v1/query", params={"query": query.over(f"{_WINDOW_S}s")}, trust_env=False
    ).json()
    if answer["status"] != "success":
        raise RuntimeError(f"{query.where}: {answer['error']}")
    found = answer["data"]["result"]
    return Outcome(query, len(found), found[0]["value"][1] if found else "")


def main() -> None:
    """Run the check and print what each query answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    outcomes = check(parser.parse_args().seconds)
    for outcome in outcomes:
        print(f"{outcome.query.where:<45}{outcome.series:>4} series  {outcome.value or 'EMPTY'}")
    empty = [outcome.query.where for outcome in outcomes if not outcome.series]
    print(f"{len(outcomes)} queries, {len(empty)} without an answer{': ' if empty else ''}{', '.join(empty)}")
    sys.exit(1 if empty else 0)


if __name__ == "__main__":
    main()
