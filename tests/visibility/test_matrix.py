"""Every role, every type, own and foreign records, every road: what is seen is what README's table says, and no more."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from gateway.schema.ids import TYPES as RESOURCES
from gateway.schema.ids import encode_cursor, encode_id
from tests.conftest import Joins
from tests.schema.test_relations import ALL, EDGES, TYPES, ids_below
from tests.visibility.conftest import People
from tests.visibility.oracle import Visible

ROLES = (
    "student",
    "contact",
    "teacher",
    "staff",
    "district_admin",
    "staff+teacher",
    "district_admin+teacher",
    "district_admin+staff",
)
COLLECTIONS = [name for name in TYPES if name != "districts"]
SeenBy = Callable[[str], Visible]


def global_id(collection: str, key: str) -> str:
    return encode_id(RESOURCES[TYPES[collection]].record(id=key))


def cursor(collection: str, key: str) -> str:
    return encode_cursor(RESOURCES[TYPES[collection]].record(id=key))


def edges_of(collection: str) -> list[Any]:
    return [edge for edge in EDGES if edge.collection == collection]


@cache
def expected(edge: Any, seen: Visible, key: str) -> list[str]:
    if edge.covers == "User.contacts" and "contacts" not in seen.granted.get(key, ()):
        return []
    found: list[str] = edge.expected(seen, seen.records[edge.collection][key])
    return found


def test_there_is_somebody_of_every_role(ids: dict[str, str]) -> None:
    assert set(ROLES) == set(ids)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("collection", TYPES)
async def test_collections_counts_and_every_edge(
    people: People, ids: dict[str, str], seen_by: SeenBy, role: str, collection: str
) -> None:
    seen = seen_by(ids[role])
    edges = edges_of(collection)
    inner = "parent: cleverId " + " ".join(f"e{index}: {edge.selection}" for index, edge in enumerate(edges))
    if collection == "districts":
        answer = await people.ask(ids[role], f"{{ districts {{ {inner} }} }}")
        parents = answer.body["data"]["districts"]
    else:
        answer = await people.ask(ids[role], f"{{ {collection}({ALL}) {{ totalCount nodes {{ {inner} }} }} }}")
        parents = answer.body["data"][collection]["nodes"]
        assert answer.body["data"][collection]["totalCount"] == len(seen.records[collection])

    assert [parent["parent"] for parent in parents] == sorted(seen.records[collection])
    for index, edge in enumerate(edges):
        found = {parent["parent"]: list(ids_below(parent[f"e{index}"])) for parent in parents}
        assert found == {key: expected(edge, seen, key) for key in found}, edge.name
    forbidden = {error["extensions"]["code"] for error in answer.body.get("errors", ())}
    assert forbidden <= {"FORBIDDEN"}


@pytest.mark.parametrize("role", ROLES)
async def test_pages_forward_and_backward_hold_what_is_seen(
    people: People, ids: dict[str, str], seen_by: SeenBy, role: str
) -> None:
    seen = seen_by(ids[role])

    async def pages(collection: str, take: str, from_cursor: str, more: str, end: str) -> list[list[str]]:
        found: list[list[str]] = []
        at = ""
        while True:
            page = f"pageInfo {{ {more} {end} }} nodes {{ cleverId }}"
            answer = await people.ask(ids[role], f"{{ {collection}({take}{at}) {{ {page} }} }}")
            rows = answer.data[collection]
            found.append([row["cleverId"] for row in rows["nodes"]])
            if not rows["pageInfo"][more]:
                return found
            at = f', {from_cursor}: "{rows["pageInfo"][end]}"'

    for collection, size in (("sections", 7), ("users", 60), ("schools", 1)):
        forward = await pages(collection, f"first: {size}", "after", "hasNextPage", "endCursor")
        backward = await pages(collection, f"last: {size}", "before", "hasPreviousPage", "startCursor")
        assert [key for page in forward for key in page] == sorted(seen.records[collection])
        assert [key for page in reversed(backward) for key in page] == sorted(seen.records[collection])


@pytest.mark.parametrize("role", ROLES)
async def test_roads_by_id_lead_to_what_is_seen(
    people: People, joins: Joins, ids: dict[str, str], seen_by: SeenBy, role: str
) -> None:
    seen = seen_by(ids[role])
    for collection in ("districts", *COLLECTIONS):
        keys = sorted(joins.records[collection])[:900]
        globals_ = [global_id(collection, key) for key in keys]
        answer = await people.ask(
            ids[role],
            f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ id ... on {TYPES[collection]} {{ cleverId }} }} }}",
            {"ids": globals_},
        )
        found = [node and node["cleverId"] for node in answer.data["nodes"]]
        assert found == [key if key in seen.records[collection] else None for key in keys]

    users = sorted(joins.users)
    answer = await people.ask(
        ids[role], "query ($ids: [ID!]!) { usersById(ids: $ids) { cleverId } }", {"ids": users[:900]}
    )
    assert [one and one["cleverId"] for one in answer.data["usersById"]] == [
        key if key in seen.users else None for key in users[:900]
    ]


def some(keys: Any, many: int) -> Iterator[str]:
    ordered = sorted(keys)
    yield from ordered[:: max(1, len(ordered) // many)]


@pytest.mark.parametrize("role", ["student", "contact", "teacher", "staff"])
async def test_aliases_and_fragments_lead_nowhere_else(
    people: People, joins: Joins, ids: dict[str, str], seen_by: SeenBy, role: str
) -> None:
    seen = seen_by(ids[role])
    asked = [(name, key) for name in COLLECTIONS for key in some(joins.records[name], 9)]
    fields = " ".join(
        f'a{index}: {TYPES[name].lower()}(id: "{key}") {{ ...on{TYPES[name]} }} '
        f'b{index}: node(id: "{global_id(name, key)}") {{ ...on{TYPES[name]} }}'
        for index, (name, key) in enumerate(asked)
    )
    fragments = " ".join(f"fragment on{kind} on {kind} {{ cleverId }}" for kind in map(TYPES.__getitem__, COLLECTIONS))
    answer = await people.ask(ids[role], f"{{ {fields} }} {fragments}")

    for index, (name, key) in enumerate(asked):
        wanted = {"cleverId": key} if key in seen.records[name] else None
        assert answer.data[f"a{index}"] == answer.data[f"b{index}"] == wanted


@pytest.mark.parametrize("role", ["student", "contact", "teacher", "staff"])
async def test_a_cursor_made_of_a_hidden_record_tells_nothing_of_it(
    people: People, joins: Joins, ids: dict[str, str], seen_by: SeenBy, role: str
) -> None:
    seen = seen_by(ids[role])
    hidden = sorted(joins.users.keys() - seen.users.keys())
    middle = hidden[len(hidden) // 2]
    answer = await people.ask(
        ids[role],
        f'{{ users({ALL}, after: "{cursor("users", middle)}") {{ totalCount nodes {{ cleverId }} }} }}',
    )
    assert [row["cleverId"] for row in answer.data["users"]["nodes"]] == sorted(k for k in seen.users if k > middle)
    assert answer.data["users"]["totalCount"] == len(seen.users)


async def test_somebody_whom_the_roster_does_not_know_sees_nothing(people: People) -> None:
    answer = await people.ask(
        "0" * 24,
        "{ viewer { roles user { cleverId } permissions } districts { cleverId } district { cleverId } "
        "users { totalCount nodes { cleverId } } sections { totalCount } schools { nodes { cleverId } } }",
    )
    assert answer.data == {
        "viewer": {"roles": [], "user": None, "permissions": []},
        "districts": [],
        "district": None,
        "users": {"totalCount": 0, "nodes": []},
        "sections": {"totalCount": 0},
        "schools": {"nodes": []},
    }
