"""Plans answer as graphql-core does: generated documents over generated records, both ways."""

import pytest

from gateway.engine import problems
from tests.engine.differential import Both, run
from tests.engine.world import World


def test_plans_and_graphql_core_answer_alike() -> None:
    tally = run(320, seed=7)

    assert tally.differences == []
    assert tally.compared > 250
    assert tally.fallbacks == 0
    assert tally.with_errors > 50


@pytest.mark.parametrize(
    "text",
    [
        "{ users { nodes { roles email name { first } student { grade schools { name } } } } }",
        "{ sections { edges { cursor node { teachers { email } students { totalCount nodes { id } } } } } }",
        '{ a: users(first: -1) { totalCount } b: node(id: "x") { id } nodes(ids: ["x"]) { __typename } }',
    ],
)
async def test_it_would_notice(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The comparison is one that fails: here where errors are placed one level too high."""
    both = Both()
    world = World(3, wrong=0.3, failing=0.5)
    await both.compare(text, {}, world)
    assert both.tally.differences == []

    placed = problems._as_list
    monkeypatch.setattr(problems, "_as_list", lambda path: placed(path)[:-1])
    await both.compare(text, {}, world)
    assert len(both.tally.differences) == 1
