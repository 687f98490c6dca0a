"""Who asks: the token is the caller's, only Clever judges it, and what needs none is a setting."""

import json

import httpx
import pytest
from graphql import get_introspection_query

from tests.conftest import TOKEN, Gateway

DISTRICT = {"query": "{ district { name } }"}


def assert_refused(response: httpx.Response) -> str:
    """Check that an answer is a 401 as it should be, and return its message."""
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="Clever"'
    body = response.json()
    assert body.keys() == {"errors"}
    assert body["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    message: str = body["errors"][0]["message"]
    return message


class TestWithoutAToken:
    async def test_data_is_refused_with_what_to_send(self, gateway: Gateway) -> None:
        message = assert_refused(await gateway.http.post("/graphql", json=DISTRICT))

        assert "Authorization: Bearer <token>" in message
        assert "TEST_TOKEN" in message

    async def test_data_beside_the_schema_is_refused_too(self, gateway: Gateway) -> None:
        for document in ("{ __typename district { name } }", "{ ... { district { name } } }", "{ ...A }"):
            query = document + (" fragment A on Query { __typename }" if "...A" in document else "")
            assert_refused(await gateway.http.post("/graphql", json={"query": query}))

    async def test_no_call_upstream_is_made(self, gateway: Gateway) -> None:
        answer = await gateway.query("{ district { name } }", token=None)

        assert (answer.status, answer.calls) == (401, {})

    async def test_the_schema_may_be_read_where_that_is_set(self, gateway: Gateway) -> None:
        response = await gateway.http.post("/graphql", json={"query": get_introspection_query()})

        assert response.json()["data"]["__schema"]["queryType"]["name"] == "Query"

    @pytest.mark.parametrize("document", ["{ __typename }", get_introspection_query(), "{", "{ nothing }"])
    async def test_nothing_is_told_where_that_is_not_set(self, closed: httpx.AsyncClient, document: str) -> None:
        assert_refused(await closed.post("/graphql", json={"query": document}))

    async def test_the_schema_may_be_read_with_a_token_then(self, closed: httpx.AsyncClient) -> None:
        body = json.dumps({"query": get_introspection_query()}, separators=(",", ":"))
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        response = await closed.post("/graphql", content=body, headers=headers)

        assert response.json()["data"]["__schema"]["queryType"]["name"] == "Query"


class TestTheHeader:
    @pytest.mark.parametrize(
        "value",
        ["", "Bearer", "Basic dXNlcjpwYXNz", "TEST_TOKEN", "Token TEST_TOKEN", "BearerTEST_TOKEN", "Bearer é"],
    )
    async def test_what_is_no_bearer_token_is_refused_and_not_repeated(self, gateway: Gateway, value: str) -> None:
        headers = {b"authorization": value.encode()}
        message = assert_refused(await gateway.http.post("/graphql", json=DISTRICT, headers=headers))

        assert "Bearer <token>" in message
        assert "dXNlcjpwYXNz" not in message

    async def test_it_is_refused_even_where_no_token_is_needed(self, gateway: Gateway) -> None:
        headers = {"authorization": "Basic dXNlcjpwYXNz"}

        assert_refused(await gateway.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers))

    @pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
    async def test_the_scheme_is_read_without_regard_to_case_and_spaces(self, gateway: Gateway, scheme: str) -> None:
        response = await gateway.http.post("/graphql", json=DISTRICT, headers={"authorization": f"{scheme} {TOKEN}"})

        assert response.json()["data"]["district"]["name"]


class TestTokensOfAnyForm:
    @pytest.mark.parametrize(
        "token", ["x", "~!@#$%^&*()_+=,./;'[]", "two words", "a" * 8_000, "Bearer again", "ilé".encode().hex(), "%00"]
    )
    async def test_only_clever_judges_it(self, gateway: Gateway, token: str) -> None:
        answer = await gateway.query("{ district { name } __typename }", token=token)

        assert answer.status == 200
        assert answer.body["data"] == {"district": None, "__typename": "Query"}
        assert answer.error["path"] == ["district"]
        assert answer.error["extensions"]["code"] == "UNAUTHENTICATED"
        assert sum(answer.calls.values()) == 1
        assert len(token) < 3 or token not in json.dumps(answer.body)

    async def test_two_tokens_are_two_districts(self, gateway: Gateway) -> None:
        names = [
            (await gateway.query("{ district { name } }", token=token)).data["district"]["name"]
            for token in ("TEST_TOKEN", "TEST_TOKEN_2", "TEST_TOKEN")
        ]

        assert names[0] == names[2] != names[1]
