"""How fast operations run: plans against plain Strawberry with both its caches, in one process, same records.

    python -m tests.bench.engine [--rounds 7]

"Plain" is `Schema.execute` with ParserCache and ValidationCache, and `json`, over the same types and resolvers; over
HTTP it is Strawberry's own ASGI view. Nothing goes upstream: loaders answer from memory at once. Prints medians and
ratios; they hold within one run only.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any

import strawberry
from starlette.applications import Starlette
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

from gateway.access.source import Source
from gateway.access.wants import Rows
from gateway.clever import records
from gateway.clever.allowance import Allowance
from gateway.clever.catalogue import SCHOOLS, Relation
from gateway.clever.client import CleverClient
from gateway.cli.serving import listen, run, settle
from gateway.engine.executor import Engine, Prepared, Request
from gateway.schema.build import build_schema
from gateway.schema.context import Context
from gateway.schema.fields import read_attribute
from gateway.schema.query import Query
from gateway.schema.scalars import SCALARS
from gateway.web.admission import EndpointLimits
from gateway.web.edge import Edge
from gateway.web.endpoint import GraphQLEndpoint
from gateway.web.replies import Reply, reply_of
from tests.bench.load import by_asyncio, by_wrk, cpu_s, process

QUERIES = {
    "2000 x 8 fields": "{ courses(first: 2000) { nodes { id cleverId name number a: name b: number c: name d: number } } }",
    "2000 people, 8 fields": "{ users(first: 2000) { nodes { cleverId email name { first last } student { grade gender sisId dob } } } }",
    "50 x 40 x 5 tree": """{ schools(first: 50) { nodes { name sections(first: 40) { nodes { name
        students(first: 5) { nodes { email } } } } } } }""",
    "2000 to-one hops": "{ sections(first: 2000) { nodes { name school { name } } } }",
}
Work = Callable[[], Awaitable[bytes]]
SMALL = "{ users(first: 20) { nodes { cleverId email name { first last } } } }"


class Memory:
    """Loaders whose every answer is at hand, one by one and in batches."""

    def __init__(self) -> None:
        self.users = [_user(number) for number in range(2_000)]
        self.held: dict[str, Sequence[Any]] = {
            "users": self.users,
            "courses": [records.Course(id=f"{n:024x}", name=f"Course {n}", number=str(n)) for n in range(2_000)],
            "schools": [records.School(id=f"{n:024x}", name=f"School {n}") for n in range(50)],
            "sections": [
                records.Section(id=f"{n:024x}", name=f"Section {n}", school=f"{n % 20:024x}") for n in range(2_000)
            ],
        }
        self.schools: Mapping[str, Any] = {school.id: school for school in self.held["schools"]}
        self._known: dict[tuple[str, int], dict[str | None, Rows]] = {}
        self.record = _One(lambda call: self.schools[call.id])
        self.rows = _One(lambda one: self._table(one.relation, one.window.limit)[one.parent_id])

    def _table(self, relation: Relation, limit: int) -> dict[str | None, Rows]:
        """Return the rows of every parent."""
        key = relation.name, limit
        if key not in self._known:
            parents = self.held["schools" if relation.name == "school.sections" else "sections"]
            of = {one.id: self._cut(relation.name, one, limit) for one in parents}
            self._known[key] = {**of} if relation.of_parent else {None: self._cut(relation.name, None, limit)}
        return self._known[key]

    def _cut(self, relation: str, parent: Any, limit: int) -> Rows:
        if parent is None:
            return Rows(tuple(self.held[relation][:limit]))
        start = int(parent.id, 16) * limit % 2_000
        kind = "sections" if relation == "school.sections" else "users"
        return Rows(tuple(self.held[kind][start : start + limit]))

    def check_calls(self, kinds: Any) -> None:
        """Nothing costs a call here."""

    async def withhold(self, groups: Any) -> bool:
        """Nothing is withheld here."""
        return False

    async def records_of(self, rows: Any, keys: Any, role: Any = None) -> Mapping[str, Any]:
        assert rows is SCHOOLS
        return self.schools

    async def rows_of(self, edge: Any, parents: Sequence[Any]) -> Sequence[Rows]:
        table = self._table(edge.relation, edge.window.limit)
        return [table[parent.id] if parent else table[None] for parent in parents]


class _One:
    """A loader that knows every key already, as one with a warm cache does."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self._answer = answer

    def load(self, key: Any) -> Awaitable[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_result(self._answer(key))
        return future


def _user(number: int) -> records.User:
    student = records.StudentRole(
        grade="7", gender="F", sis_id=str(number), dob=f"{1 + number % 12}/{1 + number % 28}/2012"
    )
    name = records.Name(first=f"Ana {number}", last="Levi")
    return records.User(
        id=f"{number:024x}", email=f"{number}@example.net", name=name, roles=records.Roles(student=student)
    )


def context(memory: Memory) -> Context:
    """Return a request's context."""
    loaders: Any = memory
    return Context("v3.1", loaders, Allowance(600, 1_000_000, 100_000_000))


def plain_schema() -> strawberry.Schema:
    """Build the schema as its user's guide has it, with both caches."""
    config = StrawberryConfig(default_resolver=read_attribute, scalar_map=SCALARS)
    return strawberry.Schema(Query, config=config, extensions=[ParserCache, ValidationCache])


async def median(work: Work, rounds: int) -> float:
    """Return the median of the milliseconds of CPU that work takes."""
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        await work()
        taken.append(time.process_time() - started)
    return statistics.median(taken) * 1000


async def in_process(rounds: int) -> None:
    """Compare each query's two ways to bytes."""
    memory, engine, plain = Memory(), Engine(build_schema()._schema), plain_schema()
    print(f"{'in process, CPU to bytes':<26} {'plain ms':>9} {'plan ms':>8} {'ratio':>7}")
    for name, query in QUERIES.items():

        async def interpreted(query: str = query) -> bytes:
            result = await plain.execute(query, context_value=context(memory))
            assert not result.errors, result.errors
            return json.dumps({"data": result.data}).encode()

        async def planned(query: str = query) -> bytes:
            answer = await engine.execute(engine.prepare(Request(query)), context(memory))
            return b"".join(answer.chunks())

        assert json.loads(await planned()) == json.loads(await interpreted()), name
        slow, fast = await median(interpreted, rounds), await median(planned, 5 * rounds)
        print(f"{name:<26} {slow:>9.1f} {fast:>8.2f} {slow / fast:>6.0f}x")


class PlainView(GraphQL[Context, None]):
    """Strawberry's own view, over the same records."""

    memory: Memory

    async def get_context(self, request: Any, response: Any) -> Any:
        return context(self.memory)


class PlannedView(GraphQLEndpoint):
    """The gateway's endpoint, over the same records."""

    memory: Memory

    async def _execute(self, prepared: Prepared, asking: Any, allowance: Any, names: Any) -> Reply:
        return reply_of(200, asking.media_type, await self._engine.execute(prepared, context(self.memory)))


def serve(view: str) -> None:
    """Serve one of the two views as `clever-gateway serve` would."""
    app = Starlette()
    if view == "plain":
        plain = PlainView(plain_schema(), graphql_ide=None)
        plain.memory = Memory()
        app.mount("/graphql", plain)
    else:
        limits = EndpointLimits(
            deadline_s=60, calls=100, rows=1_000_000, body_bytes=100_000, public_introspection=False
        )
        planned = PlannedView(Engine(build_schema()._schema), _no_source, limits)
        planned.memory = Memory()
        app.middleware_stack = Edge(app.build_middleware_stack(), planned, lambda _done: None)
    settle()
    listener = listen("127.0.0.1", 0)
    run(app, listener, lambda: print(listener.getsockname()[1], flush=True))


def over_http(rounds: int) -> None:
    """Compare a small query over HTTP, each view in a process of its own, asked in turn."""
    ask = by_wrk if shutil.which("wrk") else by_asyncio
    paths = {"plain": "/graphql/", "planned": "/graphql"}
    taken: dict[str, list[float]] = {view: [] for view in paths}
    with ExitStack() as servers:
        module = "-m", __spec__.name, "--serve"
        running = {view: servers.enter_context(process(*module, view)) for view in paths}
        for _ in range(rounds):
            for view, (origin, pid) in running.items():
                before = cpu_s(pid)
                rate, _slowest = ask(origin + paths[view], SMALL, 16, 1)
                taken[view].append((cpu_s(pid) - before) / rate)
    print(f"\n{'over HTTP, small query':<26} {'us of CPU':>10}")
    for view, seconds in taken.items():
        print(f"{view:<26} {statistics.median(seconds) * 1e6:>10.0f}")
    ratio = statistics.median([slow / fast for slow, fast in zip(taken["plain"], taken["planned"], strict=True)])
    print(f"{'ratio':<26} {ratio:>9.1f}x")


@cache
def _no_source() -> Source:
    """Return a source that is never read from."""
    return Source(CleverClient("http://127.0.0.1:9", "v3.1"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", metavar="VIEW", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    asyncio.run(in_process(options.rounds))
    over_http(options.rounds)


if __name__ == "__main__":
    main()
