"""How many calls to Clever a query takes: one by one, as planned, once more from memory, and at the very least.

    python -m tests.bench.calls [--preset sandbox large top100]

- One by one: follows the relative link of each parent and looks each id up, each record once.
- Cold: as planned by a gateway that knows nothing yet.
- Warm: the same query once more, from what the gateway remembers.
- Floor: the fewest calls in which Clever could hand out what the answer is made of, to somebody who knew beforehand
  which records these are (`floor.py`). Nobody can know that, so that a cold query may come near the floor, not below.

Prints a table for each preset; `x floor` is cold calls by the floor.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gateway.access.executor import Access
from gateway.access.planner import Known, Path, Plan, choose
from gateway.access.source import Source
from gateway.access.statistics import Statistics
from gateway.access.wants import Rows, Want
from gateway.cache.shelf import Shelf
from gateway.clever.allowance import Allowance
from gateway.clever.budget import WindowBudget
from gateway.clever.calls import RecordCall
from gateway.clever.client import CleverClient
from gateway.clever.records import Record
from gateway.engine.executor import Engine, Request
from gateway.identity import Tenant
from gateway.loaders import Loaders
from gateway.sandbox import PRESETS, create_app
from gateway.schema.build import build_schema
from gateway.schema.context import Context
from tests.bench.floor import Needs
from tests.servers import running

TOKEN = "TEST_TOKEN"

QUESTIONS = {
    "50 sections per school with teacher and students": """{ district { schools(first: 10) { nodes {
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


class Noting(OneByOne):
    """Reads one by one and notes what was needed."""

    def __init__(self, *arguments: Any, needs: Needs, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._needs = needs

    async def rows(self, wants: Sequence[Want]) -> Mapping[Want, Rows | Exception]:
        """Load windows as ever and note them."""
        found = await super().rows(wants)
        self._needs.note_rows({one: rows for one, rows in found.items() if isinstance(rows, Rows)})
        return found

    async def records(self, calls: Sequence[RecordCall]) -> Mapping[RecordCall, Record | Exception | None]:
        """Look records up as ever and note them."""
        self._needs.note_records(calls)
        return await super().records(calls)


async def ask(source: Source, engine: Engine, query: str, access: type[Access], **options: Any) -> Any:
    """Return calls, seconds and answer of a query."""
    allowance = Allowance(600, 1_000_000)
    context = Context(source.client.version, Loaders(access(source, Tenant(TOKEN), allowance, **options)), allowance)
    started = time.perf_counter()
    answer = await engine.execute(engine.prepare(Request(query)), context)
    seconds = time.perf_counter() - started
    assert not answer.errors, answer.errors
    return allowance.used, seconds, msgspec.json.encode(answer)


async def run(origin: str, counts: Mapping[str, int]) -> None:
    """Measure every question in every way and print the table."""
    engine = Engine(build_schema()._schema)
    heads = ("one by one", "cold", "warm", "floor", "x floor")
    print(f"{'question':<54} {' '.join(f'{head:>10}' for head in heads)} {'seconds, each way':>24}")
    for question, query in QUESTIONS.items():
        needs = Needs(counts)
        async with CleverClient(origin, "v3.1", budget=WindowBudget(1_000_000, at_once=32)) as client:
            plain, plain_s, expected = await ask(Source(client), engine, query, Noting, planner=links, needs=needs)
            source = Source(client, Shelf(512 * 1024 * 1024))
            cold, cold_s, answer = await ask(source, engine, query, Access)
            warm, warm_s, again = await ask(source, engine, query, Access)
            await source.aclose()
        assert answer == again == expected, "the answers differ"
        floor = needs.floor()
        numbers = f"{plain:>10,} {cold:>10} {warm:>10} {floor:>10} {cold / floor:>10.1f}"
        print(f"{question:<54} {numbers} {plain_s:>8.2f} {cold_s:>7.2f} {warm_s:>7.2f}")


def main() -> None:
    """Serve a sandbox of each preset and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", nargs="+", default=["sandbox"], choices=PRESETS)
    for preset in parser.parse_args().preset:
        app = create_app(preset, rate_limit=None)
        print(f"preset {preset}")
        with running(app) as origin:
            asyncio.run(run(origin, app.describe()[0].counts))


if __name__ == "__main__":
    main()
