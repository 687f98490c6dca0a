"""Plans: what is planned, what is loaded and how often, and what is left to graphql-core."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from graphql import get_named_type, is_leaf_type

from gateway.access.wants import Edge, Rows
from gateway.clever.allowance import Allowance
from gateway.engine import plan as plans
from gateway.engine.answers import Answer
from gateway.engine.begun import Begun
from gateway.engine.documents import DocumentCache
from gateway.engine.executor import Engine, Request, Way
from gateway.engine.limits import Limits
from gateway.engine.plan import PlanCache, compile_plan
from gateway.engine.run import SLICE, Projection
from gateway.observability.metrics import Metrics
from gateway.schema.build import build_schema
from gateway.schema.context import Context
from gateway.schema.ids import TYPES, encode_id
from tests.engine.queries import PROMISED, VARIABLES
from tests.engine.world import StubLoaders, World

SCHEMA = build_schema()._schema
SOUND = World(11)


class Asked:
    """What one execution loaded, charged and answered, and whether it was planned."""

    def __init__(self, way: Way = "compiled") -> None:
        self.planned: list[bool] = []
        documents = DocumentCache(SCHEMA, Limits(depth=1_000, lists=1_000, connections=1_000, selections=10**12))
        self.engine = Engine(SCHEMA, on_executed=self.planned.append, way=way, documents=documents)
        self.loaders = StubLoaders(SOUND)

    async def answer(self, text: str, variables: dict[str, Any] | None = None) -> Answer:
        self.allowance = Allowance(60, 1_000)
        prepared = self.engine.prepare(Request(text, None, variables))
        loaders: Any = self.loaders
        return await self.engine.execute(prepared, Context("v3.1", loaders, self.allowance))


async def both(text: str, variables: dict[str, Any] | None = None) -> tuple[bytes, list[bool]]:
    """Return the answer that both ways agree on, and whether it was planned."""
    compiled, judge = Asked(), Asked("graphql-core")
    answer = msgspec.json.encode(await compiled.answer(text, variables))
    assert answer == msgspec.json.encode(await judge.answer(text, variables))
    return answer, compiled.planned


# What is planned


@pytest.mark.parametrize("text", PROMISED.values(), ids=PROMISED)
async def test_every_promised_document_is_planned(text: str) -> None:
    used = {name: value for name, value in VARIABLES.items() if f"${name}" in text}

    assert (await both(text, used))[1] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema { queryType { name } } }",
        '{ districts { name } __type(name: "User") { name } }',
        "query ($if: Boolean = true) { districts { name @include(if: $if) __typename } ... { __schema { description } } }",
    ],
)
async def test_introspection_is_left_to_graphql_core(text: str) -> None:
    assert (await both(text))[1] == [False]


async def test_an_engine_that_is_told_to_plans_nothing() -> None:
    asked = Asked("graphql-core")
    await asked.answer("{ districts { name } }")

    assert asked.planned == [False]


async def test_a_document_that_selects_without_end_is_left_to_graphql_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.engine.collect.MOST_FIELDS", 3)

    assert (await both("{ districts { name id cleverId } }"))[1] == [False]


def test_what_ran_operations_is_counted_under_three_labels() -> None:
    metrics = Metrics()
    for planned in (True, True, False):
        metrics.on_executed(planned)
    lines = [line for line in metrics.render().decode().splitlines() if line.startswith("gateway_operations_total")]

    assert lines == [
        'gateway_operations_total{way="planned"} 2.0',
        'gateway_operations_total{way="fallback"} 1.0',
        'gateway_operations_total{way="kept"} 0.0',
    ]


# What is loaded


async def test_each_relation_is_loaded_once_for_all_parents() -> None:
    asked = Asked()
    await asked.answer(
        """{ sections { nodes { school { name sections { nodes { name } } } course { name } teachers { email }
        students { totalCount nodes { schools { nodes { name } } } } } } }"""
    )

    assert sorted(asked.loaders.batches) == sorted(
        ["sections", "schools", "courses", "users", "section.users", "school.sections", "user.schools"]
    )


async def test_lookups_that_select_the_same_are_one_batch() -> None:
    asked = Asked()
    ids = SOUND.ids["users"]
    aliases = " ".join(f'u{n}: user(id: "{key}") {{ email district {{ name }} }}' for n, key in enumerate(ids * 3))
    await asked.answer(f"{{ {aliases} }}")

    assert asked.loaders.batches == ["users", "districts"]


async def test_rows_are_read_only_where_something_looks_at_them() -> None:
    text = """query ($yes: Boolean!) { a: users { totalCount } b: users(first: 0) { nodes { id } } c: users { __typename }
        d: users { nodes @skip(if: $yes) { id } totalCount } }"""
    for way in ("compiled", "graphql-core"):
        asked = Asked(way)
        await asked.answer(text, {"yes": True})
        assert asked.allowance._rows == 0
        assert asked.loaders.batches == []


@pytest.mark.parametrize(
    "text",
    [
        "{ sections { nodes { school { sections { nodes { name } } } } } }",
        "{ users { nodes { student { school { users { nodes { name { last } } } } schools { users { totalCount } } } } } }",
        "{ sections { edges { node { teachers { sections { edges { node { students { nodes { id } } } } } } } } } }",
        "{ a: sections { nodes { students { nodes { sections { nodes { students { nodes { id } } } } } } } } }",
    ],
)
async def test_rows_are_charged_for_every_position_though_they_are_shared(text: str) -> None:
    taken = []
    for way in ("compiled", "graphql-core"):
        asked = Asked(way)
        await asked.answer(text)
        taken.append(asked.allowance._rows)

    assert taken[0] == taken[1] > 0


# How records become objects


def everything(kind: Any, depth: int) -> str:
    """Select all leaves of a type, and the parts of it."""
    found = []
    for name, field in kind.fields.items():
        target = get_named_type(field.type)
        if is_leaf_type(target):
            found.append(name)
        elif depth and not field.args and target.name not in TYPES:
            found.append(f"{name} {everything(target, depth - 1)}")
    return "{ " + " ".join(found) + " }"


@pytest.mark.parametrize("name", TYPES)
async def test_sound_records_take_the_fast_road(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(self: Projection, *_: Any) -> list[Any]:
        raise AssertionError(self.source)

    monkeypatch.setattr(Projection, "project_one_by_one", slow)
    keys = [encode_id(SOUND.records[TYPES[name], key]) for key in SOUND.ids[TYPES[name].name]]
    kind = SCHEMA.type_map[name]
    _, planned = await both(
        f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {name} {everything(kind, 3)} }} }}", {"ids": keys}
    )

    assert planned == [True]


async def test_generated_source_holds_nothing_of_the_callers() -> None:
    names = ["class", "__class__", "f0", "lambda", "__init__", "_", "r", "outs", "exec", "import"]
    fields = " ".join(f"{name}: email {name}x: name {{ {name}: first }}" for name in names)
    text = f'query Secret {{ def: users(after: "c2VjcmV0") {{ nodes {{ id }} }} users(first: 3) {{ nodes {{ {fields} }} }} }}'
    asked = Asked()
    prepared = asked.engine.prepare(Request(text))
    plan = compile_plan(SCHEMA, prepared.operation, prepared.variables)
    sources = [projection.source for projection in projections(plan._steps)]

    assert (await both(text))[1] == [True]
    assert len(sources) > 3
    assert not any(
        word in source for source in sources for word in ("class:", "lambda", "c2Vj", "import", "Secret", "def:")
    )


def projections(steps: Any) -> list[Projection]:
    regions = [step.region for step in steps if step.region]
    found = [one for region in regions for one in [region._only, *region._by_class.values()] if one]
    return found + [below for one in found for below in projections(one.steps)]


async def test_nesting_costs_no_stack() -> None:
    text = "district { ... { schools(first: 1) { nodes { "
    depth = 22
    deep = "{ " + text * depth + "id" + " } } } }" * depth + " }"

    answer, planned = await both(deep)
    assert planned == [True]
    at_hand = Asked()
    at_hand.loaders = StubLoaders(SOUND, (False,))
    assert msgspec.json.encode(await at_hand.answer(deep)) == answer


async def test_fragments_that_multiply_are_compiled_once_each() -> None:
    """Forty levels of two fields each are 2**40 positions, and forty selections."""
    levels = " ".join(
        f"fragment F{n} on District {{ a{n}: districtContact {{ district {{ ...F{n + 1} }} }} b{n}: districtContact "
        f"{{ district {{ ...F{n + 1} }} }} }}"
        for n in range(40)
    )
    asked = Asked()
    asked.loaders._world = World(5)
    prepared = asked.engine.prepare(Request("{ district { ...F0 } } " + levels + " fragment F40 on District { id }"))

    assert compile_plan(SCHEMA, prepared.operation, prepared.variables)


# Keeping plans


async def test_a_plan_is_compiled_once_for_each_way_its_conditions_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def counting(*arguments: Any) -> Any:
        compiled.append(arguments)
        return compile_plan(*arguments)

    monkeypatch.setattr(plans, "compile_plan", counting)
    asked = Asked()
    text = "query ($if: Boolean!, $n: Int) { users(first: $n) { nodes { id email @include(if: $if) } } }"
    for condition in (True, False, True, False):
        for n in (1, 2):
            answer = msgspec.json.encode(await asked.answer(text, {"if": condition, "n": n}))
            assert (b"email" in answer) is condition

    assert len(compiled) == 2


def test_plans_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_MOST_PLANS", 3)
    engine = Engine(SCHEMA)
    cache = PlanCache(SCHEMA)
    for number in range(10):
        prepared = engine.prepare(Request(f"{{ a{number}: districts {{ id }} }}"))
        assert cache.plan(prepared.operation, prepared.variables)

    assert len(cache._plans) == 3
    assert cache._characters == sum(operation.size for operation, _ in cache._plans.values())


# Large answers


class Ticker:
    """Counts the turns that the event loop has."""

    def __init__(self) -> None:
        self.turns = 0
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)

    def stop(self) -> None:
        self._task.cancel()


async def test_others_have_their_turn_while_a_large_answer_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked()
    records = list(SOUND.records.values())
    users = [record for record in records if type(record).__name__ == "User"] * (30 * 1_000 // 9)

    async def rows_of(edge: Any, parents: Any) -> Any:
        return [plans_rows(users) for _ in parents]

    monkeypatch.setattr(StubLoaders, "rows_of", lambda _self, edge, parents: rows_of(edge, parents))
    ticker = Ticker()
    answer = await asked.answer("{ a: users { nodes { id email } } b: users { edges { node { name { last } } } } }")
    ticker.stop()
    whole = msgspec.json.decode(b"".join(answer.chunks()))

    assert len(whole["data"]["a"]["nodes"]) == len(whole["data"]["b"]["edges"]) == len(users)
    assert len(answer.chunks()) > 5
    # Projected and written, each list in slices.
    # The smallest objects have three fields, which are counted with them.
    assert ticker.turns > 4 * 3 * len(users) // SLICE


def plans_rows(users: list[Any]) -> Any:
    return Rows(tuple(users))


# What waits, and for what


class Meeting(StubLoaders):
    """Loaders whose batches of these names wait until all of them are under way, or with `stays_apart` for ever."""

    def __init__(self, *names: str, stays_apart: bool = False) -> None:
        super().__init__(SOUND, (False,))
        self.under_way: set[str] = set()
        self.ended: list[str] = []
        self.all_here = asyncio.Event()
        self._names = set(names)
        self._awaited = asyncio.Event() if stays_apart else self.all_here

    async def rows_of(self, edge: Edge, parents: Sequence[Any]) -> Sequence[Any]:
        name = edge.relation.name
        if name in self._names:
            self.under_way.add(name)
            if self.under_way == self._names:
                self.all_here.set()
            try:
                await self._awaited.wait()
            finally:
                self.ended.append(name)
        return await super().rows_of(edge, parents)


BRANCHES = "{ schools(first: 1) { nodes { id } } district { name } sections(first: 1) { nodes { id } } terms { nodes { id } } }"


async def test_what_is_at_hand_is_answered_at_once() -> None:
    asked = Asked()
    asked.loaders = StubLoaders(SOUND, (False,))
    asked.allowance = Allowance(60, 1_000)
    prepared = asked.engine.prepare(Request(BRANCHES))
    loaders: Any = asked.loaders
    begun = Begun(asked.engine.execute(prepared, Context("v3.1", loaders, asked.allowance)))
    assert begun.done
    assert msgspec.json.encode(begun.result) == msgspec.json.encode(await Asked("graphql-core").answer(BRANCHES))


async def test_what_is_not_is_waited_for_side_by_side() -> None:
    asked = Asked()
    asked.loaders = Meeting("schools", "sections", "terms")
    async with asyncio.timeout(10):
        answer = await asked.answer(BRANCHES)
    assert not answer.errors
    assert msgspec.json.encode(answer) == msgspec.json.encode(await Asked("graphql-core").answer(BRANCHES))


async def test_who_goes_away_stops_all_that_is_waited_for() -> None:
    asked = Asked()
    asked.loaders = meeting = Meeting("schools", "sections", "terms", stays_apart=True)
    task = asyncio.create_task(asked.answer(BRANCHES))
    await meeting.all_here.wait()
    task.cancel()
    outcome = await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0)
    assert isinstance(outcome[0], asyncio.CancelledError)
    assert sorted(meeting.ended) == ["schools", "sections", "terms"]
