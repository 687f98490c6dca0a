"""Plans answer as graphql-core does: generated documents over generated records, both ways."""

from typing import Any

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
    """The comparison is one that fails: with settlement left out, or with an error's place wrong."""
    both = Both()

    def misplaced(path: Any) -> list[str | int]:
        return ["elsewhere"]

    world = World(3, wrong=0.3, failing=0.5)
    await both.compare(text, {}, world)
    assert both.tally.differences == []
    monkeypatch.setattr(problems, "_as_list", misplaced)
    with pytest.raises((KeyError, TypeError)):
        await both.compare(text, {}, world)
