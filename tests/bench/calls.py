"""How many calls to Clever a cold query takes: one by one, and as planned.

    python -m tests.bench.calls [--preset sandbox]

"One by one" follows the relative link of each parent and looks each id up, each record once. Prints a table.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from gateway.access.executor import Access
from gateway.access.planner import Known, Path, Plan, choose
from gateway.access.source import Source
from gateway.access.statistics import Statistics
from gateway.access.wants import Want
from gateway.clever.allowance import Allowance
from gateway.clever.client import CleverClient
from gateway.engine.executor import Engine, Request
from gateway.identity import Tenant
from gateway.loaders import Loaders
from gateway.sandbox import PRESETS, create_app
from gateway.schema.build import build_schema
from gateway.schema.context import Context
from tests.servers import running

TOKEN = "TEST_TOKEN"

QUESTIONS = {
    "250 sections of 5 schools with teacher and students": """{ district { schools(first: 10) { nodes {
        sections(first: 50) { nodes { name teacher { name { last } } students(first: 100) { nodes { name { first } } } } }
    } } } }""",
    "every section with school, course, term and teachers": """{ sections(first: 10000) { nodes {
        school { name } course { name } term { name } teachers { name { last } } } } }""",
    "the teachers of each of 1,000 students": "{ users(role: STUDENT, first: 1000) { nodes { teachers { nodes { email } } } } }",
    "the contacts of each of 100 students": "{ users(role: STUDENT) { nodes { contacts { nodes { name { last } } } } } }",
    "one section with its teacher and students": """{ sections(first: 1) { nodes {
        teacher { name { last } } students { nodes { name { last } } } } } }""",
}


class OneByOne(Access):
    """Reads without planning: links for lists, look-ups for records."""

    async def _prepare(self, choose: Callable[..., Plan], batch: Sequence[Any]) -> Plan:
        plan = choose(batch, self._view, self._allowance.calls_left, Statistics())
        return Plan(paths=plan.paths)


def links(wants: Iterable[Want], known: Known, calls_left: int, statistics: Statistics) -> Plan:
    """Follow the link of every want that is not known or empty."""
    paths = choose(wants, known, calls_left, statistics).paths
    settled = (Path.EMPTY, Path.HELD)
    return Plan(paths={one: path if path in settled else Path.LINK for one, path in paths.items()})


async def measure(origin: str, engine: Engine, query: str, access: type[Access], **options: Any) -> Any:
    """Return calls and seconds of one cold query, with a minute's budget of its own."""
    allowance = Allowance(120, 100_000)
    async with CleverClient(origin, "v3.1") as client:
        context = Context(
            client.version, Loaders(access(Source(client), Tenant(TOKEN), allowance, **options)), allowance
        )
        started = time.perf_counter()
        answer = await engine.execute(engine.prepare(Request(query)), context)
        seconds = time.perf_counter() - started
    assert not answer.errors, answer.errors
    return allowance.used, seconds, msgspec.json.encode(answer)


async def run(origin: str) -> None:
    """Measure every question both ways and print the table."""
    engine = Engine(build_schema()._schema)
    print(f"{'question':<56} {'one by one':>10} {'planned':>8} {'ratio':>6} {'seconds':>14}")
    for question, query in QUESTIONS.items():
        plain, plain_s, expected = await measure(origin, engine, query, OneByOne, planner=links)
        planned, planned_s, answer = await measure(origin, engine, query, Access)
        assert answer == expected, "the answers differ"
        print(f"{question:<56} {plain:>10} {planned:>8} {plain / planned:>6.1f} {plain_s:>6.2f} {planned_s:>7.2f}")


def main() -> None:
    """Serve a sandbox and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="sandbox", choices=PRESETS)
    options = parser.parse_args()
    with running(create_app(options.preset, rate_limit=None)) as origin:
        asyncio.run(run(origin))


if __name__ == "__main__":
    main()
