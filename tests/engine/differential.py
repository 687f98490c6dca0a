"""Runs documents both ways, by plan and by graphql-core, and compares the answers.

    python -m tests.engine.differential --examples 20000 [--seed 1]

Data must be equal byte for byte. Errors must be equal, but below a position that an error has nulled already: which of
several errors nulls it is left open by GraphQL (https://spec.graphql.org/draft/#sec-Handling-Execution-Errors).
"""

import argparse
import asyncio
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis_graphql import queries

from gateway.clever.allowance import Allowance
from gateway.engine.answers import Answer
from gateway.engine.executor import Engine, Prepared, Refused, Request
from gateway.schema.build import build_schema
from gateway.schema.context import Context
from tests.engine.documents import Documents
from tests.engine.world import StubLoaders, World

SCHEMA = build_schema()._schema
SDL = (Path(__file__).parents[2] / "schema.graphql").read_text(encoding="utf-8")
# Of each generated document, so many crooked ones are made: generating is what takes time.
VARIANTS = 8
# A plan is run where every batch waits, where all is at hand, and where some is.
WAITS = ((True,), (False,), (False, True, False))


@dataclass
class Tally:
    """What was compared."""

    compared: int = 0
    refused: int = 0
    fallbacks: int = 0
    with_errors: int = 0
    differences: list[str] = field(default_factory=list)


class Both:
    """An engine that plans and one that does not."""

    def __init__(self) -> None:
        self.tally = Tally()
        self._planned: list[bool] = []
        self._prepares = Engine(SCHEMA, on_executed=self._planned.append)
        self._judges = Engine(SCHEMA, way="graphql-core")

    async def compare(self, text: str, variables: dict[str, Any], world: World) -> None:
        """Run a document both ways; a difference is noted in the tally."""
        request = Request(text, None, variables)
        try:
            prepared = self._prepares.prepare(request)
        except Refused:
            self.tally.refused += 1
            return
        answers = [await self._run(self._prepares, prepared, world, waits) for waits in WAITS]
        answers.append(await self._run(self._judges, prepared, world))
        self.tally.compared += 1
        self.tally.fallbacks += not self._planned.pop()
        self._planned.clear()
        data = [msgspec.json.encode(answer.data) for answer in answers]
        errors = [comparable(answer) for answer in answers]
        self.tally.with_errors += bool(answers[0].errors)
        if any(one != data[0] for one in data) or any(one != errors[0] for one in errors):
            found = [f"seed {world.seed}", text, str(variables), *map(bytes.decode, data), *map(str, errors)]
            self.tally.differences.append("\n".join(found))

    async def _run(self, engine: Engine, prepared: Prepared, world: World, waits: Sequence[bool] = (True,)) -> Answer:
        loaders: Any = StubLoaders(world, waits)
        return await engine.execute(prepared, Context("v3.1", loaders, Allowance(60, 1_000)))


def comparable(answer: Answer) -> tuple[Counter[str], set[str]]:
    """Return errors as a multiset, and apart from them the positions nulled by an error below them."""
    data = msgspec.json.decode(msgspec.json.encode(answer.data))
    exact: Counter[str] = Counter()
    nulled: set[str] = set()
    for error in answer.errors or ():
        path = error["path"]
        at = data
        depth = 0
        while at is not None and depth < len(path):
            at = at[path[depth]]
            depth += 1
        if depth < len(path):
            nulled.add(str(path[:depth]))
        else:
            exact[msgspec.json.encode(error).decode()] += 1
    return exact, nulled


def worlds(seed: int) -> list[World]:
    """Return worlds of each kind: sound, failing, with wrong values, and all of it."""
    kinds = [(0.0, 0.0), (0.0, 0.15), (0.05, 0.0), (0.03, 0.05)]
    return [World(seed * 10 + number, wrong=wrong, failing=failing) for number, (wrong, failing) in enumerate(kinds)]


def run(examples: int, seed: int) -> Tally:
    """Compare so many times: half with documents of our own, half with hypothesis-graphql's, made crooked."""
    both = Both()
    made = [worlds(seed + number) for number in range(4)]
    each = len(made[0])
    with asyncio.Runner() as runner:

        def compare(text: str, variables: dict[str, Any], number: int) -> None:
            for world in made[number % len(made)]:
                runner.run(both.compare(text, variables, world))

        own = examples // 2 // each
        for number in range(own):
            documents = Documents(SCHEMA, made[0][0], seed * 1_000_003 + number)
            compare(*documents.generated(depth=(2, 4, 6)[number % 3]), number)
        for number, text in enumerate(generated(own // VARIANTS, seed)):
            for variant in range(VARIANTS):
                documents = Documents(SCHEMA, made[0][0], seed * 2_000_003 + number * VARIANTS + variant)
                compare(*documents.crooked(text), number + variant)
    return both.tally


def generated(count: int, seed: int) -> list[str]:
    """Return documents by hypothesis-graphql."""
    found: list[str] = []

    @seeded(seed)
    @settings(
        max_examples=max(count, 1),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(queries(SDL))
    def collect(text: str) -> None:
        found.append(text)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return found


def main() -> None:
    """Compare and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.perf_counter()
    tally = run(options.examples, options.seed)
    for difference in tally.differences[:5]:
        print(difference, end="\n\n")
    print(
        f"{tally.compared} compared, {tally.with_errors} with errors, {tally.fallbacks} not planned, "
        f"{tally.refused} refused, {len(tally.differences)} differences, {time.perf_counter() - started:.0f} s"
    )
    raise SystemExit(bool(tally.differences))


if __name__ == "__main__":
    main()
