"""GraphQL over HTTP: what may be sent to `/graphql`, in which form it is answered, and with which status."""

import json
from typing import Any

import httpx
import pytest

from tests.conftest import TOKEN, Gateway
from tests.web.conftest import GRAPHQL_JSON, JSON, SMALLEST_BODY

AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
DISTRICT = "{ district { name } }"


async def post(gateway: Gateway, body: Any, accept: str = GRAPHQL_JSON, **headers: str) -> httpx.Response:
    """Post a body: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": JSON, "accept": accept, **AUTHORIZED, **headers}
    return await gateway.http.post("/graphql", content=content, headers=sent)


def error_of(response: httpx.Response) -> tuple[str, str]:
    """Return code and message of the one error of an answer that must hold no data."""
    body = response.json()
    assert body.keys() == {"errors"}
    (error,) = body["errors"]
    return error["extensions"]["code"], error["message"]


class TestForms:
    @pytest.mark.parametrize("media_type", [GRAPHQL_JSON, JSON])
    async def test_an_answer_comes_in_the_media_type_asked_for(self, gateway: Gateway, media_type: str) -> None:
        response = await post(gateway, {"query": DISTRICT}, accept=media_type)

        assert response.status_code == 200
        assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert response.json().keys() == {"data", "extensions"}

    async def test_get_answers_what_post_answers(self, gateway: Gateway, joins: Any) -> None:
        document = "query One($id: ID!) { school(id: $id) { name } } query Other { district { name } }"
        variables = {"id": min(joins.records["schools"])}
        parameters = {"query": document, "operationName": "One", "variables": json.dumps(variables)}

        got = await gateway.http.get("/graphql", params=parameters, headers=AUTHORIZED)
        posted = await post(gateway, {"query": document, "operationName": "One", "variables": variables})

        assert got.status_code == posted.status_code == 200
        assert got.json()["data"] == posted.json()["data"]
        assert got.json()["data"]["school"]["name"]

    @pytest.mark.parametrize(
        "rest",
        [
            {},
            {"variables": None, "operationName": None, "extensions": None},
            {"variables": {}, "operationName": "", "extensions": {"a": 1}},
            {"variables": {"unused": [1, {"deep": None}]}, "id": "strange", "other": 3},
        ],
    )
    async def test_the_other_members_may_be_null_or_missing_and_strange_ones_are_ignored(
        self, gateway: Gateway, rest: dict[str, Any]
    ) -> None:
        response = await post(gateway, {"query": "{ __typename }", **rest})

        assert (response.status_code, response.json()) == (200, {"data": {"__typename": "Query"}})

    @pytest.mark.parametrize("empty", ["", "null", "{}"])
    async def test_empty_parameters_of_get_are_as_if_not_sent(self, gateway: Gateway, empty: str) -> None:
        parameters = {"query": "{ __typename }", "variables": empty, "operationName": "", "extensions": empty}
        response = await gateway.http.get("/graphql", params=parameters, headers=AUTHORIZED)

        assert response.json() == {"data": {"__typename": "Query"}}

    @pytest.mark.parametrize(
        "content_type",
        [JSON, "Application/JSON", f"{JSON};charset=utf-8", f'{JSON}; charset="UTF-8"', f"{JSON}; odd=1"],
    )
    async def test_json_in_utf8_is_taken_however_it_is_written(self, gateway: Gateway, content_type: str) -> None:
        response = await post(gateway, {"query": "{ __typename }"}, **{"content-type": content_type})

        assert response.status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"content-type": "text/plain"},
            {"content-type": "application/graphql"},
            {"content-type": "application/x-www-form-urlencoded"},
            {"content-type": "multipart/form-data; boundary=x"},
            {"content-type": f"{JSON}; charset=utf-16"},
            {"content-type": ""},
            {"content-type": JSON, "content-encoding": "gzip"},
        ],
    )
    async def test_other_bodies_get_415(self, gateway: Gateway, headers: dict[str, str]) -> None:
        response = await post(gateway, {"query": "{ __typename }"}, **headers)

        assert response.status_code == 415
        assert error_of(response)[0] == "BAD_USER_INPUT"

    async def test_a_body_in_the_servers_eyes_compressed_by_nothing_is_taken(self, gateway: Gateway) -> None:
        response = await post(gateway, {"query": "{ __typename }"}, **{"content-encoding": "identity"})

        assert response.status_code == 200

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"])
    async def test_other_methods_get_405_and_the_ones_there_are(self, gateway: Gateway, method: str) -> None:
        response = await gateway.http.request(method, "/graphql", headers=AUTHORIZED)

        assert response.status_code == 405
        assert response.headers["allow"] == "GET, POST"
        assert method == "HEAD" or error_of(response)[0] == "BAD_USER_INPUT"

    @pytest.mark.parametrize("accept", ["text/html", "image/*, text/plain", f"{JSON};q=0, {GRAPHQL_JSON};q=0"])
    async def test_who_takes_neither_media_type_gets_406(self, gateway: Gateway, accept: str) -> None:
        response = await post(gateway, {"query": "{ __typename }"}, accept=accept)

        assert response.status_code == 406
        assert response.headers["content-type"] == f"{JSON}; charset=utf-8"
        assert error_of(response) == ("BAD_USER_INPUT", f"Accept `{GRAPHQL_JSON}` or `{JSON}`.")


class TestMalformed:
    @pytest.mark.parametrize(
        ("body", "part"),
        [
            (b"", "cannot be read as JSON"),
            (b"{", "cannot be read as JSON"),
            (b"{'query': '{ __typename }'}", "cannot be read as JSON"),
            (b'{"query": "{ __typename }"} more', "cannot be read as JSON"),
            (b'{"query": "{ __typename }", "variables": {"a": NaN}}', "cannot be read as JSON"),
            (b'{"query": "{ __typename }", "variables": {"a": 1e999}}', "cannot be read as JSON"),
            (b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}', "cannot be read as JSON"),
            (b'{"query": "{ __typename } # \xff"}', "UTF-8"),
            ('{"query": "{ __typename }"}'.encode("utf-16"), "cannot be read as JSON"),
            (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, "nested too deeply"),
            (b"[" * 400_000, "more than 50000 lists and objects"),
            (b"3", "must be a JSON object"),
            (b"null", "must be a JSON object"),
            (b'"{ __typename }"', "must be a JSON object"),
            (b'[{"query": "{ __typename }"}]', "Batches"),
            (b"[]", "Batches"),
            (b"{}", "`query` is missing"),
            (b'{"query": null}', "`query` is missing"),
            (b'{"query": ""}', "`query` is missing"),
            (b'{"query": " \\n"}', "`query` is missing"),
            (b'{"query": {"__typename": true}}', "`query` is missing"),
            (b'{"query": "{ __typename }", "operationName": 3}', "`operationName` must be a string"),
            (b'{"query": "{ __typename }", "variables": []}', "`variables` must be an object"),
            (b'{"query": "{ __typename }", "variables": "{}"}', "`variables` must be an object"),
            (b'{"query": "{ __typename }", "extensions": true}', "`extensions` must be an object"),
        ],
        ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
    )
    @pytest.mark.parametrize("media_type", [GRAPHQL_JSON, JSON])
    async def test_what_is_no_graphql_request_gets_400_in_either_media_type(
        self, gateway: Gateway, body: bytes, part: str, media_type: str
    ) -> None:
        response = await post(gateway, body, accept=media_type)

        code, message = error_of(response)
        assert (response.status_code, code) == (400, "BAD_USER_INPUT")
        assert part in message

    @pytest.mark.parametrize(
        ("query_string", "part"),
        [
            ("", "`query` is missing"),
            ("query=", "`query` is missing"),
            ("query={__typename}&variables=[1]", "`variables` must be an object"),
            ("query={__typename}&variables={", "`variables` cannot be read as JSON"),
            ("query={__typename}&extensions=3", "`extensions` must be an object"),
            ("query={__typename}&variables=" + "[" * 5000, "`variables` is nested too deeply"),
        ],
        ids=range(6),
    )
    async def test_the_same_holds_of_get(self, gateway: Gateway, query_string: str, part: str) -> None:
        response = await gateway.http.get(f"/graphql?{query_string}", headers=AUTHORIZED)

        code, message = error_of(response)
        assert (response.status_code, code) == (400, "BAD_USER_INPUT")
        assert part in message

    async def test_a_query_string_that_is_not_utf8_is_a_parse_error(self, gateway: Gateway) -> None:
        response = await gateway.http.get("/graphql?query={%ff}", headers={"accept": GRAPHQL_JSON, **AUTHORIZED})

        assert (response.status_code, error_of(response)[0]) == (400, "GRAPHQL_PARSE_FAILED")


class TestSize:
    async def test_a_body_declared_too_large_is_refused(self, closed: httpx.AsyncClient) -> None:
        body = json.dumps({"query": "{ __typename }" + " " * SMALLEST_BODY})
        response = await closed.post("/graphql", content=body, headers={"content-type": JSON, **AUTHORIZED})

        assert response.status_code == 413
        assert error_of(response)[1] == f"The request body is larger than {SMALLEST_BODY} bytes."

    async def test_a_body_that_turns_out_too_large_is_refused(self, closed: httpx.AsyncClient) -> None:
        async def chunks() -> Any:
            for _ in range(SMALLEST_BODY // 100 + 2):
                yield b" " * 100

        response = await closed.post("/graphql", content=chunks(), headers={"content-type": JSON, **AUTHORIZED})

        assert response.status_code == 413
        assert error_of(response)[0] == "BAD_USER_INPUT"

    async def test_a_body_of_the_very_size_is_taken_whole_or_in_pieces(self, closed: httpx.AsyncClient) -> None:
        body = json.dumps({"query": "{ __typename }"}).encode().ljust(SMALLEST_BODY)

        async def chunks() -> Any:
            for at in range(0, len(body), 700):
                yield body[at : at + 700]

        for content in (body, chunks()):
            response = await closed.post("/graphql", content=content, headers={"content-type": JSON, **AUTHORIZED})
            assert response.json() == {"data": {"__typename": "Query"}}


class TestDocuments:
    @pytest.mark.parametrize(
        ("document", "code"),
        [
            ("{ district { name }", "GRAPHQL_PARSE_FAILED"),
            ("hello", "GRAPHQL_PARSE_FAILED"),
            ("{" * 9_000, "GRAPHQL_PARSE_FAILED"),
            ("{" * 20_000, "QUERY_TOO_COMPLEX"),
            ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("mutation { nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"),
            ("query A { __typename } query B { __typename }", "GRAPHQL_VALIDATION_FAILED"),
            ("query ($first: Int!) { schools(first: $first) { nodes { id } } }", "BAD_USER_INPUT"),
        ],
        ids=lambda value: value[:20],
    )
    async def test_what_cannot_be_executed_gets_400_as_graphql_and_200_as_json(
        self, gateway: Gateway, document: str, code: str
    ) -> None:
        graphql = await post(gateway, {"query": document}, accept=GRAPHQL_JSON)
        plain = await post(gateway, {"query": document}, accept=JSON)

        assert (graphql.status_code, plain.status_code) == (400, 200)
        assert graphql.json() == plain.json()
        assert error_of(graphql)[0] == code

    async def test_the_place_of_a_mistake_is_told(self, gateway: Gateway) -> None:
        invalid = (await post(gateway, {"query": "{\n  nothing\n}"})).json()["errors"][0]
        broken = (await post(gateway, {"query": "{\n  district {"})).json()["errors"][0]

        assert invalid["locations"] == [{"line": 2, "column": 3}]
        assert "line 2, column 13" in broken["message"]

    async def test_the_operation_named_is_the_one_that_runs(self, gateway: Gateway) -> None:
        document = "query A { a: __typename } query B { b: __typename }"

        for name in "AB":
            response = await post(gateway, {"query": document, "operationName": name})
            assert response.json() == {"data": {name.lower(): "Query"}}

    async def test_a_name_that_no_operation_has_is_refused_and_not_repeated(self, gateway: Gateway) -> None:
        response = await post(gateway, {"query": "query A { __typename }", "operationName": "MARKED"})

        assert response.status_code == 400
        assert error_of(response)[0] == "GRAPHQL_VALIDATION_FAILED"
        assert "MARKED" not in response.text

    async def test_a_mistake_in_a_field_keeps_status_200_and_the_rest_of_the_data(self, gateway: Gateway) -> None:
        response = await post(gateway, {"query": '{ school(id: "nonsense") { name } district { name } }'})

        assert response.status_code == 200
        assert response.json()["data"]["school"] is None
        assert response.json()["data"]["district"]["name"]
        assert response.json()["errors"][0]["path"] == ["school"]
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


class TestVariables:
    @pytest.mark.parametrize(
        ("declared", "value"),
        [
            ("Int", "MARKED"),
            ("Int", 10**30),
            ("Int", 1.5),
            ("Int", True),
            ("Int", {"MARKED": 1}),
            ("Int!", None),
        ],
    )
    async def test_one_that_does_not_fit_is_named_and_its_value_is_not(
        self, gateway: Gateway, declared: str, value: object
    ) -> None:
        document = f"query ($first: {declared}) {{ schools(first: $first) {{ nodes {{ id }} }} }}"
        response = await post(gateway, {"query": document, "variables": {"first": value}})

        code, message = error_of(response)
        assert (response.status_code, code) == (400, "BAD_USER_INPUT")
        assert "$first" in message
        assert f"`{declared}`" in message
        assert response.json()["errors"][0]["extensions"]["argument"] == "$first"
        assert "MARKED" not in response.text
        assert str(10**30) not in response.text

    @pytest.mark.parametrize("digits", [20, 4_000, 5_000])
    async def test_a_huge_number_is_refused_before_it_costs_anything(self, gateway: Gateway, digits: int) -> None:
        body = '{"query": "query ($n: Int) { schools(first: $n) { nodes { id } } }", "variables": {"n": %s}}'
        response = await post(gateway, (body % ("9" * digits)).encode())

        assert (response.status_code, error_of(response)[0]) == (400, "BAD_USER_INPUT")

    @pytest.mark.parametrize(
        "document",
        [
            "query ($flag: Boolean = true) { __typename @include(if: $flag) }",
            "query ($flag: Boolean = true) { district { name @skip(if: $flag) } }",
        ],
    )
    async def test_null_where_a_default_stands_is_the_callers_mistake(self, gateway: Gateway, document: str) -> None:
        answer = await gateway.query(document, {"flag": None})

        assert answer.error["extensions"] == {"code": "BAD_USER_INPUT", "argument": "$flag"}
        assert answer.error["message"] == "Variable `$flag` is null where null is not taken."
