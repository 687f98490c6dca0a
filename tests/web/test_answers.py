"""What every answer of `/graphql` carries, whatever it says; what costs no call; and what of a failure is shown."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from graphql import (
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    get_introspection_query,
)
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from gateway.access.source import Source
from gateway.app import create_app
from gateway.clever.client import CleverClient
from gateway.engine.executor import Engine
from gateway.errors import INTERNAL_MESSAGE
from gateway.observability.log import log_internal, log_request
from gateway.settings import Settings
from gateway.web import graphiql_page
from gateway.web.admission import EndpointLimits
from gateway.web.endpoint import GraphQLEndpoint
from gateway.web.middleware import AccessLog, RequestIds
from tests.conftest import TOKEN, Gateway, Upstream
from tests.observability.lines import Log, logged
from tests.servers import running
from tests.web.conftest import GRAPHQL_JSON, JSON, inside

AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
SECRET = "Ada Lovelace's record"


@pytest.fixture
def log() -> Iterator[Log]:
    with logged() as log:
        yield log


class TestHeaders:
    @pytest.mark.parametrize(
        ("method", "headers", "body", "status"),
        [
            ("POST", AUTHORIZED, {"query": "{ district { name } }"}, 200),
            ("POST", AUTHORIZED, {"query": "{ school(id: 3) { name } }"}, 200),
            ("POST", {"accept": GRAPHQL_JSON}, {"query": "{"}, 400),
            ("POST", {}, [], 400),
            ("POST", {}, {"query": "{ district { name } }"}, 401),
            ("POST", {"authorization": "Basic eDp5"}, {"query": "{ __typename }"}, 401),
            ("DELETE", {}, None, 405),
            ("POST", {"accept": "text/html"}, {"query": "{ __typename }"}, 406),
            ("POST", {}, {"query": " " * 1_000_001}, 413),
            ("POST", {"content-type": "text/plain"}, {"query": "{ __typename }"}, 415),
        ],
        ids=lambda value: str(value) if isinstance(value, int) else "",
    )
    async def test_no_answer_may_be_kept_sniffed_or_mixed_up(
        self, gateway: Gateway, method: str, headers: dict[str, str], body: object, status: int
    ) -> None:
        content = json.dumps(body).encode()
        response = await gateway.http.request(
            method, "/graphql", content=content, headers={"content-type": JSON, **headers}
        )

        assert response.status_code == status
        assert response.headers["cache-control"] == "private, no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["vary"] == "Accept, Authorization"
        assert response.headers["content-type"].endswith("json; charset=utf-8")
        assert response.headers["x-request-id"]
        assert all(error["extensions"]["code"] for error in response.json().get("errors", ()))


class TestCost:
    @pytest.mark.parametrize(
        "document", ["{ __typename }", get_introspection_query(), '{ __type(name: "User") { name } }']
    )
    async def test_what_asks_for_the_schema_alone_costs_no_call(self, gateway: Gateway, document: str) -> None:
        for token in (TOKEN, None):
            answer = await gateway.query(document, token=token)
            assert answer.data
            assert answer.calls == {}

    async def test_what_is_refused_costs_no_call(self, gateway: Gateway) -> None:
        for document in ("{", "{ nothing }", "query ($a: Int!) { schools(first: $a) { nodes { id } } }"):
            assert (await gateway.query(document)).calls == {}


class TestSlowCallers:
    async def test_a_body_that_never_arrives_is_given_up(self, upstream: Upstream) -> None:
        with running(create_app(Settings(cache=False, clever_url=upstream.origin, deadline=0.2))) as origin:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(origin.rsplit(":", 1)[1]))
            writer.write(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            writer.write(b"Authorization: Bearer x\r\nContent-Length: 100\r\n\r\n{")
            answer = await reader.read(10_000)
            writer.close()

        assert answer.startswith(b"HTTP/1.1 408 ")

    async def test_a_caller_who_hangs_up_half_way_leaves_the_gateway_well(self, gateway: Gateway) -> None:
        port = int(gateway.origin.rsplit(":", 1)[1])
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
            )
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        assert (await gateway.query("{ __typename }", token=None)).data == {"__typename": "Query"}


def broken() -> Starlette:
    """Serve a schema whose resolvers fail as only a fault of ours could make them."""

    def fail(_root: object, _info: object) -> str:
        raise ValueError(SECRET)

    def wrong_type(_root: object, _info: object) -> object:
        return {"name": SECRET}

    fields = {
        "fails": GraphQLField(GraphQLString, resolve=fail),
        "mistyped": GraphQLField(GraphQLString, resolve=wrong_type),
        "required": GraphQLField(GraphQLNonNull(GraphQLString), resolve=lambda _root, _info: None),
        "fine": GraphQLField(GraphQLString, resolve=lambda _root, _info: "fine"),
    }
    engine = Engine(GraphQLSchema(GraphQLObjectType("Query", fields)), on_internal=log_internal)
    source = Source(CleverClient("http://127.0.0.1:9", "v3.1"))
    limits = EndpointLimits(deadline_s=5, calls=5, rows=100, body_bytes=10_000, public_introspection=True)
    return Starlette(
        routes=[Route("/graphql", GraphQLEndpoint(engine, lambda: source, limits, log_internal))],
        middleware=[
            Middleware(RequestIds),
            Middleware(AccessLog, on_request=log_request, routes=frozenset({"/graphql"})),
        ],
    )


class TestFaultsOfOurs:
    @pytest.mark.parametrize(("field", "kind"), [("fails", "ValueError"), ("mistyped", "GraphQLError")])
    async def test_a_field_that_fails_says_nothing_and_the_others_answer(self, log: Log, field: str, kind: str) -> None:
        async with inside(broken()) as http:
            response = await http.post("/graphql", json={"query": f"{{ fine {field} }}"}, headers=AUTHORIZED)

        assert response.status_code == 200
        assert response.json() == {
            "data": {"fine": "fine", field: None},
            "errors": [
                {
                    "message": INTERNAL_MESSAGE,
                    "locations": [{"line": 1, "column": 8}],
                    "path": [field],
                    "extensions": {
                        "code": "INTERNAL_SERVER_ERROR",
                        "requestId": response.headers["x-request-id"],
                    },
                }
            ],
        }
        (line,) = log.of("internal error")
        assert line.keys() == {"time", "level", "event", "request_id", "type", "at"}
        assert (line["level"], line["type"]) == ("error", kind)
        assert line["request_id"] == response.headers["x-request-id"]
        assert kind != "ValueError" or __file__ in line["at"][-1]
        assert SECRET not in log.text

    async def test_null_where_the_schema_promises_a_value_is_masked_too(self, log: Log) -> None:
        async with inside(broken()) as http:
            response = await http.post("/graphql", json={"query": "{ fine required }"}, headers=AUTHORIZED)

        assert response.json()["data"] is None
        assert response.json()["errors"][0]["message"] == INTERNAL_MESSAGE
        assert len(log.of("internal error")) == 1

    async def test_a_failure_of_the_whole_request_is_a_masked_500_with_all_its_headers(self, log: Log) -> None:
        app = create_app(Settings())
        # Its lifespan has not begun, so it has no client to ask Clever with.
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://in") as http:
            response = await http.post("/graphql", json={"query": "{ district { name } }"}, headers=AUTHORIZED)

        assert response.status_code == 500
        extensions = {"code": "INTERNAL_SERVER_ERROR", "requestId": response.headers["x-request-id"]}
        assert response.json() == {"errors": [{"message": INTERNAL_MESSAGE, "extensions": extensions}]}
        assert response.headers["cache-control"] == "private, no-store"
        (internal,), (access,) = log.of("internal error"), log.of("request")
        assert internal["request_id"] == access["request_id"] == response.headers["x-request-id"]
        assert (access["status"], access["error_codes"]) == (500, ["INTERNAL_SERVER_ERROR"])

    async def test_a_failure_elsewhere_is_masked_too_and_can_be_found_by_its_id(
        self, log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "assets").mkdir()
        lost = tmp_path / "assets" / "lost.js"
        lost.write_text("")
        (tmp_path / "index.html").write_text("")
        monkeypatch.setattr(graphiql_page, "_BUNDLE", tmp_path)
        app = create_app(Settings(graphiql=True))
        lost.unlink()
        async with inside(app) as http:
            response = await http.get("/graphiql/assets/lost.js")

        assert response.status_code == 500
        assert response.json()["errors"][0]["message"] == INTERNAL_MESSAGE
        (internal,), (access,) = log.of("internal error"), log.of("request")
        assert internal["request_id"] == access["request_id"] == response.headers["x-request-id"]
        assert (access["status"], access["route"]) == (500, "other")
        assert "lost" not in response.text + log.text


@pytest.mark.parametrize(
    "document",
    [
        '{ users(first: "Jane Doe") { nodes { id } } }',
        "{ users(role: JANE_DOE) { nodes { id } } }",
        '{ users(role: "Jane Doe") { nodes { id } } }',
        '{ "Jane Doe" }',
        'query($a: Int = "Jane Doe") { users(first: $a) { nodes { id } } }',
        '{ node(id: ["Jane Doe"]) { id } }',
        '{ users(first: {name: "Jane Doe"}) { nodes { id } } }',
    ],
)
async def test_literals_of_a_document_are_not_repeated(gateway: Gateway, document: str) -> None:
    answer = await gateway.query(document)

    assert answer.body["errors"]
    assert "jane" not in str(answer.body).lower()
