"""The schema as the world relies on it: committed, described, null-tolerant, loaded through loaders."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)
from strawberry.types.base import StrawberryObjectDefinition

from gateway.clever.catalogue import RELATIONS
from gateway.schema import query
from gateway.schema.build import build_schema, print_schema
from gateway.schema.sources import SOURCE, Connected, Loaded, Lookup, Reference, References, source_of

ROOT = Path(__file__).parents[2]
SCHEMA = build_schema()._schema
OWN = {name: kind for name, kind in SCHEMA.type_map.items() if not name.startswith("__")}
OBJECTS = {name: kind for name, kind in OWN.items() if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)}
FIELDS = {f"{name}.{field}": definition for name, kind in OBJECTS.items() for field, definition in kind.fields.items()}


def is_edge_of_the_graph(definition: GraphQLField) -> bool:
    """Say whether a field leads to other records, or to a connection of them."""
    target = get_named_type(definition.type)
    nodes = isinstance(target, GraphQLObjectType) and any(one.name == "Node" for one in target.interfaces)
    return nodes or target.name.endswith("Connection") or target.name == "Node"


def test_the_committed_schema_is_what_the_code_prints() -> None:
    committed = (ROOT / "schema.graphql").read_text(encoding="utf-8")

    assert committed == print_schema(), "write it anew with: clever-gateway schema --write"


def test_everything_is_described() -> None:
    silent = [name for name, kind in OWN.items() if not kind.description and kind.name not in _BUILT_IN]
    silent += [name for name, field in FIELDS.items() if not field.description]
    silent += [
        f"{name}({arg})" for name, field in FIELDS.items() for arg, given in field.args.items() if not given.description
    ]
    silent += [
        f"{name}.{value}"
        for name, kind in OWN.items()
        if isinstance(kind, GraphQLEnumType)
        for value, definition in kind.values.items()
        if not definition.description
    ]

    assert silent == []


_BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if is_edge_of_the_graph(field)])
def test_what_costs_a_call_is_nullable(name: str) -> None:
    owner, field = name.split(".")
    if field in ("nodes", "edges", "node") and owner.endswith(("Connection", "Edge")):
        return
    assert not isinstance(FIELDS[name].type, GraphQLNonNull) or name == "Query.nodes"


def test_unions_of_people_are_always_connections_but_for_short_lists() -> None:
    plain = [name for name, field in FIELDS.items() if is_edge_of_the_graph(field) and "[" in str(field.type)]

    assert sorted(name for name in plain if not name.endswith((".nodes", ".edges"))) == [
        "Query.districts",
        "Query.usersById",
        "Section.teachers",
        "Staff.schools",
        "Student.schools",
        "Teacher.schools",
    ]


def declared() -> Iterator[tuple[str, Any]]:
    """Return every Strawberry field of the schema by its GraphQL name."""
    for name in OBJECTS:
        definition = build_schema().get_type_by_name(name)
        assert isinstance(definition, StrawberryObjectDefinition)
        for field in definition.fields:
            yield f"{name}.{build_schema().config.name_converter.get_graphql_name(field)}", field


def test_every_edge_loads_through_the_loaders() -> None:
    """Relations are made by the helpers of `fields.py`; what the root loads itself says so in its source."""
    for name, field in declared():
        if not is_edge_of_the_graph(FIELDS[name]) or name.split(".")[0].endswith(("Connection", "Edge")):
            continue
        source = field.metadata[SOURCE]
        if name.startswith("Query.") and isinstance(source, Loaded):
            assert _loads(source.load), name
        else:
            assert isinstance(source, Reference | References | Connected | Lookup), name


def test_every_field_says_where_its_value_comes_from() -> None:
    assert [name for name, field in FIELDS.items() if source_of(field) is None] == []


def _loads(function: Any) -> bool:
    source = inspect.getsource(function)
    calls = [one for one in vars(query).values() if inspect.isfunction(one) and f"{one.__name__}(" in source]
    return ".loaders." in source or any(_loads(one) for one in calls if one is not function)


def test_every_relation_of_the_catalogue_is_an_edge_of_the_graph() -> None:
    sources = [field.metadata.get(SOURCE) for _, field in declared()]
    connected = {source.relation.name for source in sources if isinstance(source, Connected)}

    assert {relation.name for relation in RELATIONS} - connected == {"districts"}
