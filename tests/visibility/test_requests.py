"""What a request of a person costs, what is remembered of it, and what happens when the roster cannot be read."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import create_app as create_sandbox
from gateway.settings import Settings
from tests.conftest import Gateway, Upstream
from tests.servers import running
from tests.visibility.conftest import WAYS, People, district_of, gateway_for_people, jwt_of, people_of
from tests.visibility.oracle import Visible
from tests.visibility.test_matrix import global_id

NEWER: dict[str, Any] = {"cache-control": "no-cache"}
OWN = "{ user(id: $id) { sections(first: 1000) { nodes { name students(first: 1000) { nodes { name { last } } } } } } }"


async def test_a_teachers_own_data_costs_the_calls_that_it_costs_unscoped(
    upstream: Upstream, keys: str, district: str, ids: dict[str, str]
) -> None:
    document = f"query ($id: ID!) {OWN}"
    found = []
    with (
        gateway_for_people(upstream, keys, cache=False) as scoped,
        running(create_app(Settings(cache=False, clever_url=upstream.origin, log_level="error"))) as plain,
    ):
        for origin, token in ((scoped, jwt_of(ids["teacher"], district)), (plain, "TEST_TOKEN")):
            async with httpx.AsyncClient(base_url=origin, timeout=30) as http:
                found.append(await Gateway(origin, upstream, http).query(document, {"id": ids["teacher"]}, token))

    assert found[0].data == found[1].data
    assert sum(found[0].calls.values()) <= sum(found[1].calls.values())


async def test_what_is_hidden_by_id_costs_no_call_beyond_knowing_who_asks(
    upstream: Upstream, keys: str, district: str, ids: dict[str, str], seen_by: Callable[[str], Visible]
) -> None:
    seen = seen_by(ids["student"])
    hidden = sorted(upstream.oracle().sections.keys() - seen.sections.keys())[:20]
    with gateway_for_people(upstream, keys, cache=False) as origin:
        async with httpx.AsyncClient(base_url=origin, timeout=30) as http:
            answer = await Gateway(origin, upstream, http).query(
                "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
                {"ids": [global_id("sections", key) for key in hidden]},
                jwt_of(ids["student"], district),
            )
    assert answer.data == {"nodes": [None] * 20}
    assert answer.calls == {"/users/{id}": 1, "/users/{id}/sections": 1}


@pytest.mark.parametrize("setting", [True, False], ids=["answers kept", "answers not kept"])
async def test_one_viewer_is_never_given_what_another_was(
    upstream: Upstream, keys: str, district: str, ids: dict[str, str], seen_by: Callable[[str], Visible], setting: bool
) -> None:
    document = "{ viewer { user { cleverId } } users(first: 10000) { totalCount nodes { cleverId } } }"
    with gateway_for_people(upstream, keys, response_cache=setting) as origin:
        async with httpx.AsyncClient(base_url=origin, timeout=60) as http:

            async def ask(person: str) -> None:
                body, sent = {"query": document}, {"authorization": f"Bearer {jwt_of(person, district)}"}
                answer = (await http.post("/graphql", json=body, headers=sent)).json()
                assert answer["data"]["viewer"]["user"]["cleverId"] == person
                seen = sorted(seen_by(person).users)
                assert [row["cleverId"] for row in answer["data"]["users"]["nodes"]] == seen
                assert answer["data"]["users"]["totalCount"] == len(seen)

            for _ in range(3):
                await asyncio.gather(*[ask(person) for person in ids.values() for _ in range(3)])


async def test_two_districts_and_their_viewers_never_cross(keys: str) -> None:
    """The same person's id under another district is nobody there."""
    tokens = ("TEST_TOKEN", "TEST_TOKEN_2")
    app = create_sandbox("tiny", districts=2, rate_limit=None)
    with running(app) as upstream_origin:
        upstream = Upstream(upstream_origin, app)
        districts = {token: district_of(upstream, token) for token in tokens}
        seen = {
            (token, person): set(Visible(upstream, person, token).users)
            for token in tokens
            for role, person in people_of(upstream.oracle(token)).items()
            if role in ("teacher", "student", "staff", "district_admin")
        }
        with gateway_for_people(upstream, keys, tokens) as origin:
            async with httpx.AsyncClient(base_url=origin, timeout=60) as http:

                async def ask(token: str, person: str) -> set[str]:
                    body = {"query": "{ users(first: 10000) { nodes { cleverId } } }"}
                    sent = {"authorization": f"Bearer {jwt_of(person, districts[token])}"}
                    answer = (await http.post("/graphql", json=body, headers=sent)).json()
                    return {row["cleverId"] for row in answer["data"]["users"]["nodes"]}

                for _ in range(4):
                    found = await asyncio.gather(*[ask(*viewer) for viewer in seen])
                    assert dict(zip(seen, found, strict=True)) == seen
                crossed = [ask(tokens[token == tokens[0]], who) for token, who in seen]
                assert await asyncio.gather(*crossed) == [set()] * len(seen)


async def test_costs_and_fresh_data_take_a_permission(people: People, ids: dict[str, str]) -> None:
    document = "{ schools { nodes { name } } }"
    await people.ask(ids["teacher"], document)
    answer = await people.ask(ids["teacher"], document, **NEWER)
    assert "extensions" not in answer.body
    assert answer.calls == {}

    await people.ask(ids["district_admin"], document)
    answer = await people.ask(ids["district_admin"], f"{document} # once", **NEWER)
    assert answer.body["extensions"]["clever"]["cost"]["calls"] == sum(answer.calls.values())
    for role, told in (("district_admin", True), ("teacher", False)):
        for _ in range(2):
            again = await people.ask(ids[role], f"{document} # again and again")
        assert ("extensions" in again.body) is told, "an answer that is given again says as much as the first one"


@pytest.mark.parametrize("way", WAYS)
async def test_where_the_viewer_cannot_be_read_nothing_is_shown_and_each_field_says_why(
    way: str, upstream: Upstream, keys: str, district: str
) -> None:
    with gateway_for_people(upstream, keys, clever_url="http://127.0.0.1:9", engine=way, deadline=3) as origin:
        async with httpx.AsyncClient(base_url=origin, timeout=30) as http:
            document = f'{{ viewer {{ roles }} users {{ nodes {{ email }} }} user(id: "{"1" * 24}") {{ email }} }}'
            sent = {"authorization": f"Bearer {jwt_of('0' * 24, district)}"}
            answer = (await http.post("/graphql", json={"query": document}, headers=sent)).json()

    assert answer["data"] == {"viewer": None, "users": None, "user": None}
    assert {tuple(error["path"]): error["extensions"]["code"] for error in answer["errors"]} == {
        (field,): "UPSTREAM_UNAVAILABLE" for field in answer["data"]
    }
