"""Root fields that find records: by global id, by Clever's own id, one by one and in lists."""

import base64

import pytest

from tests.conftest import Gateway, Joins

TYPES = {
    "school": ("School", "schools"),
    "section": ("Section", "sections"),
    "course": ("Course", "courses"),
    "term": ("Term", "terms"),
    "user": ("User", "users"),
    "resource": ("Resource", "resources"),
    "district": ("District", "districts"),
}
UNKNOWN = "ffffffffffffffffffffffff"


def global_id(type_name: str, key: str) -> str:
    return base64.urlsafe_b64encode(f"{type_name}:{key}".encode()).decode().rstrip("=")


@pytest.mark.parametrize("field", TYPES)
async def test_an_object_is_found_by_its_global_id_by_clevers_id_and_as_a_node(
    gateway: Gateway, joins: Joins, field: str
) -> None:
    type_name, collection = TYPES[field]
    key = min(joins.records[collection])
    seen = await gateway.query(f'{{ it: {field}(id: "{key}") {{ __typename id cleverId selfLink }} }}')
    again = await gateway.query(
        f"query($id: ID!) {{ it: {field}(id: $id) {{ __typename id cleverId selfLink }} node(id: $id) {{ __typename id }} }}",
        {"id": seen.data["it"]["id"]},
    )

    assert seen.data["it"]["cleverId"] == key
    assert seen.data["it"]["selfLink"] == f"/v3.1/{collection}/{key}"
    assert again.data["it"] == seen.data["it"]
    assert again.data["node"] == {"__typename": type_name, "id": seen.data["it"]["id"]}


@pytest.mark.parametrize("field", TYPES)
async def test_an_unknown_id_is_null(gateway: Gateway, field: str) -> None:
    answer = await gateway.query(f'{{ it: {field}(id: "{UNKNOWN}") {{ id }} }}')

    assert answer.data == {"it": None}


async def test_a_record_that_is_not_shared_is_null(gateway: Gateway, joins: Joins) -> None:
    hidden = min(joins.unshared["users"])
    answer = await gateway.query(
        "query($id: ID!) { user(id: $id) { id } usersById(ids: [$id]) { id } }", {"id": hidden}
    )

    assert answer.data == {"user": None, "usersById": [None]}
    assert answer.calls == {"/users/{id}": 1}


@pytest.mark.parametrize("field", TYPES)
async def test_the_id_of_another_type_is_refused(gateway: Gateway, joins: Joins, field: str) -> None:
    other = "User" if field != "user" else "School"
    answer = await gateway.query(f"query($id: ID!) {{ {field}(id: $id) {{ id }} }}", {"id": global_id(other, UNKNOWN)})

    assert answer.error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "id"}
    assert other in answer.error["message"]
    assert answer.calls == {}


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "x",
        "U3R1ZGVudDo=",
        "%%%",
        "../me",
        "a" * 5000,
        "zzzzzzzzzzzzzzzzzzzzzzzz",
        UNKNOWN + "?limit=1",
        global_id("User", "me"),
        global_id("User", UNKNOWN) + "=",
        global_id("Nothing", UNKNOWN),
        "é" * 24,
    ],
)
async def test_a_malformed_id_is_refused_without_a_call_and_without_repeating_it(
    gateway: Gateway, malformed: str
) -> None:
    answer = await gateway.query(
        "query($id: ID!) { user(id: $id) { id } node(id: $id) { id } usersById(ids: [$id]) { id } }", {"id": malformed}
    )

    assert answer.body["data"] == {"user": None, "node": None, "usersById": [None]}
    assert answer.codes == ["BAD_USER_INPUT"] * 3
    assert [error["path"] for error in answer.body["errors"]] == [["user"], ["node"], ["usersById", 0]]
    assert answer.calls == {}
    if len(malformed) > 3:
        assert malformed not in str(answer.body["errors"])


async def test_clevers_id_is_no_global_id(gateway: Gateway, joins: Joins) -> None:
    answer = await gateway.query("query($id: ID!) { node(id: $id) { id } }", {"id": min(joins.users)})

    assert answer.error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_lists_of_ids_keep_their_order_their_repeats_and_their_gaps(gateway: Gateway, joins: Joins) -> None:
    one, two, *_ = sorted(joins.users)
    asked = [two, UNKNOWN, one, two]
    answer = await gateway.query(
        "query($ids: [ID!]!, $nodes: [ID!]!) { usersById(ids: $ids) { cleverId } nodes(ids: $nodes) { ... on User { cleverId } } }",
        {"ids": asked, "nodes": [global_id("User", key) for key in asked]},
    )

    expected = [{"cleverId": two}, None, {"cleverId": one}, {"cleverId": two}]
    assert answer.data == {"usersById": expected, "nodes": expected}
    assert answer.calls == {"/users/{id}": 3}


async def test_nodes_of_all_types_come_in_one_answer(gateway: Gateway, joins: Joins) -> None:
    asked = [global_id(name, min(joins.records[rows])) for name, rows in TYPES.values()]
    answer = await gateway.query("query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", {"ids": asked})

    assert [node["__typename"] for node in answer.data["nodes"]] == [name for name, _ in TYPES.values()]
    assert [node["id"] for node in answer.data["nodes"]] == asked


async def test_more_than_a_thousand_ids_are_refused(gateway: Gateway) -> None:
    answer = await gateway.query("query($ids: [ID!]!) { usersById(ids: $ids) { id } }", {"ids": [UNKNOWN] * 1001})

    assert answer.error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "ids"}
    assert "1000" in answer.error["message"]
    assert answer.calls == {}


async def test_a_record_met_by_several_ways_is_fetched_once(gateway: Gateway, joins: Joins) -> None:
    key = min(joins.users)
    answer = await gateway.query(
        f'{{ a: user(id: "{key}") {{ name {{ last }} }} b: user(id: "{key}") {{ email }} '
        f'c: node(id: "{global_id("User", key)}") {{ id }} d: usersById(ids: ["{key}", "{key}"]) {{ id }} }}'
    )

    assert answer.data["a"] is not None
    assert answer.calls == {"/users/{id}": 1}


async def test_each_token_sees_its_own_district(gateway: Gateway) -> None:
    first = await gateway.query("{ district { cleverId } districts { cleverId } }")
    second = await gateway.query("{ district { cleverId state } }", token="TEST_TOKEN_2")
    foreign = await gateway.query(
        "query($id: ID!) { district(id: $id) { cleverId } }",
        {"id": first.data["district"]["cleverId"]},
        token="TEST_TOKEN_2",
    )

    assert first.data["districts"] == [first.data["district"]]
    assert first.calls == {"/districts": 1}
    assert second.data["district"]["cleverId"] != first.data["district"]["cleverId"]
    assert second.data["district"]["state"] == "PAUSED"
    assert foreign.data == {"district": None}
