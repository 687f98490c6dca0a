"""From variables to bytes: what is worked out once, and how an answer is written."""

from typing import Any

import msgspec
import pytest
from graphql import GraphQLError, OperationDefinitionNode, parse
from graphql.execution.values import get_variable_values

from gateway.engine.answers import Answer
from gateway.engine.operations import Named, Operation, Variables
from gateway.engine.writing import Written, write_in_slices
from gateway.schema.build import build_schema

SCHEMA = build_schema()._schema
DECLARED = "$id: ID!, $ids: [ID!], $n: Int, $m: Int = 3, $role: Role, $b: Boolean! = true, $x: [[Int!]]"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"id": "a"},
        {"id": 5, "n": None, "ids": ["a", 1], "role": "STUDENT", "b": False, "m": None},
        {"id": "a", "ids": "one", "x": [[1], None, 2]},
        {"id": None},
        {"id": "a", "n": 2**31},
        {"id": "a", "n": "1"},
        {"id": "a", "role": "NOBODY"},
        {"id": "a", "b": None},
        {"id": "a", "ids": [None]},
        {"id": "a", "x": [[[1]]]},
        {"id": "a", "unknown": 1},
    ],
)
def test_variables_are_coerced_as_graphql_core_does(values: dict[str, Any]) -> None:
    (operation,) = parse(f"query ({DECLARED}) {{ __typename }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    expected = get_variable_values(SCHEMA, operation.variable_definitions or (), values, max_errors=5)
    found = Variables(SCHEMA, operation).coerce(values)

    if isinstance(expected, list):
        assert isinstance(found, list)
        assert [error.message for error in found] == [error.message for error in expected]
        assert all(isinstance(error, GraphQLError) for error in found)
    else:
        assert not isinstance(found, list)
        assert found.coerced == expected.coerced
        assert {name: source.value for name, source in found.sources.items()} == {
            name: source.value for name, source in expected.sources.items()
        }


def test_the_conditions_of_fragments_are_found() -> None:
    text = """query ($a: Boolean!, $b: Boolean!, $c: Boolean!, $n: Int) { users(first: $n) @skip(if: $a) { ...F } }
        fragment F on UserConnection { nodes { ... @include(if: $b) { id ... on User @skip(if: $c) { email } } } }"""
    document = parse(text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)

    assert Operation(SCHEMA, document, operation, len(text), Named("", "")).conditions == ["a", "b", "c"]


class Leaf(msgspec.Struct, rename={"text": "t\u00e9xt"}):
    """A small object."""

    text: str
    number: int | None = None


class Branch(msgspec.Struct):
    """An object with lists of others, and nothing in some."""

    leaves: list[Leaf | None]
    branches: "list[Branch]"
    empty: list[Leaf]
    ext: Any = None


class Nothing(msgspec.Struct):
    """An object of which nothing was selected."""


@pytest.mark.parametrize("many", [0, 1, 7, 9, 5_000])
async def test_what_is_written_in_slices_is_what_is_written_whole(many: int) -> None:
    leaves: list[Leaf | None] = [Leaf(f'"{number}"', number) if number % 7 else None for number in range(many)]
    branch = Branch(leaves, [Branch(leaves[:3], [], []) for _ in range(many % 100)], [], {"a": [1, {"b": None}]})
    for value in (branch, [branch], [Nothing()] * 3, Nothing(), None, []):
        assert b"".join((await write_in_slices(value)).chunks) == msgspec.json.encode(value)


@pytest.mark.parametrize(
    "rest", [{}, {"errors": [{"message": "x"}]}, {"extensions": {"a": 1}}, {"errors": [], "extensions": {}}]
)
def test_a_body_in_chunks_is_the_body_whole(rest: dict[str, Any]) -> None:
    whole = Answer({"a": [1, 2]}, **rest)
    written = Answer(Written([b'{"a":[', b"1,2]}"]), **rest)

    assert b"".join(written.chunks()) == b"".join(whole.chunks()) == msgspec.json.encode(whole)
