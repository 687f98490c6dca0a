"""The edge answers as the whole stack of middleware and routes does: the same status, headers, body and log line."""

import json
import re
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from gateway.web.edge import Edge
from tests.conftest import TOKEN, Upstream
from tests.observability.lines import logged
from tests.web.conftest import GRAPHQL_JSON, JSON, inside

AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
POST = {**AUTHORIZED, "content-type": JSON}
QUERY = {"query": "{ schools(first: 2) { nodes { name } } }"}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "post": ("POST", {"json": QUERY, "headers": POST}),
    "post as graphql": ("POST", {"json": QUERY, "headers": {**POST, "accept": GRAPHQL_JSON}}),
    "get": ("GET", {"params": QUERY, "headers": AUTHORIZED}),
    "get, known": ("GET", {"params": QUERY, "headers": {**AUTHORIZED, "if-none-match": "*TAG*"}}),
    "with an id": ("POST", {"json": QUERY, "headers": {**POST, "x-request-id": "trace-01"}}),
    "with an unsound id": ("POST", {"json": QUERY, "headers": {**POST, "x-request-id": "two words"}}),
    "invalid": ("POST", {"json": {"query": "{ nothing }"}, "headers": {**POST, "accept": GRAPHQL_JSON}}),
    "not json": ("POST", {"content": "{", "headers": POST}),
    "too large": ("POST", {"content": " " * 3_000, "headers": POST}),
    "another type": ("POST", {"content": "a", "headers": {**POST, "content-type": "text/plain"}}),
    "nobody": ("POST", {"json": QUERY}),
    "malformed token": ("POST", {"json": QUERY, "headers": {"authorization": "Basic abc"}}),
    "cross site": ("GET", {"params": QUERY}),
    "another method": ("PUT", {"headers": AUTHORIZED}),
    "head": ("HEAD", {"headers": AUTHORIZED}),
    "not acceptable": ("POST", {"json": QUERY, "headers": {**POST, "accept": "text/html"}}),
    "accepted in two headers": (
        "POST",
        {"json": QUERY, "headers": [*POST.items(), ("accept", "text/html"), ("accept", GRAPHQL_JSON)]},
    ),
    "a header twice": (
        "POST",
        {"json": QUERY, "headers": [*POST.items(), ("authorization", "Bearer other"), ("content-type", "text/plain")]},
    ),
}
CHANGES = ("date",)


async def asked(settings: Settings, whole: bool) -> dict[str, Any]:
    """Return what each request gets, and the log's line of it; `whole`: by the whole stack."""
    app = create_app(settings)
    if whole:
        app.middleware_stack = app.build_middleware_stack()
    assert isinstance(app.middleware_stack, Edge) is not whole
    found = {}
    with logged() as log:
        async with inside(app) as http:
            first = await http.get("/graphql", params=QUERY, headers=AUTHORIZED)
            for name, (method, options) in REQUESTS.items():
                headers = [
                    (key, value.replace("*TAG*", first.headers["etag"])) for key, value in pairs(options.get("headers"))
                ]
                answer = await http.request(method, "/graphql", **{**options, "headers": headers})
                line = log.of("request")[-1]
                assert line.pop("request_id") == answer.headers["x-request-id"]
                told = {key: value for key, value in line.items() if key not in ("time", "ms")}
                found[name] = (answer.status_code, sorted(with_no_id(answer)), body_of(answer), told)
    return found


def pairs(headers: Any) -> Iterable[tuple[str, str]]:
    return headers.items() if isinstance(headers, dict) else headers or ()


def with_no_id(answer: httpx.Response) -> list[tuple[str, str]]:
    made = re.compile("[0-9a-f]{32}")
    return [
        (name, "made" if name == "x-request-id" and made.fullmatch(value) else value)
        for name, value in answer.headers.multi_items()
        if name not in CHANGES
    ]


def body_of(answer: httpx.Response) -> Any:
    return json.loads(answer.content) if answer.content else None


async def test_it_answers_as_the_whole_stack_does(upstream: Upstream) -> None:
    settings = Settings(clever_url=upstream.origin, max_body_bytes=2_000)
    at_the_edge, by_the_stack = await asked(settings, whole=False), await asked(settings, whole=True)

    assert {name: got[0] for name, got in at_the_edge.items()} == {
        **dict.fromkeys(REQUESTS, 200),
        "get, known": 304,
        "invalid": 400,
        "not json": 400,
        "too large": 413,
        "another type": 415,
        "nobody": 401,
        "malformed token": 401,
        "cross site": 400,
        "another method": 405,
        "head": 405,
        "not acceptable": 406,
    }
    for name, got in at_the_edge.items():
        assert got == by_the_stack[name], name


@pytest.mark.parametrize("host", ["other.example", "api.example"])
async def test_names_that_are_not_ours_are_refused(upstream: Upstream, host: str) -> None:
    settings = Settings(clever_url=upstream.origin, allowed_hosts="api.example", log_level="error")
    async with inside(create_app(settings)) as http:
        answer = await http.post("/graphql", json=QUERY, headers={**POST, "host": host})

    assert answer.status_code == (200 if host == "api.example" else 421)
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-request-id"]


async def test_pages_of_origins_that_are_named_may_read_answers(upstream: Upstream) -> None:
    settings = Settings(clever_url=upstream.origin, cors_origins="https://app.example", log_level="error")
    async with inside(create_app(settings)) as http:
        theirs = await http.post("/graphql", json=QUERY, headers={**POST, "origin": "https://app.example"})
        others = await http.post("/graphql", json=QUERY, headers={**POST, "origin": "https://evil.example"})
        plain = await http.post("/graphql", json=QUERY, headers=POST)

    assert theirs.headers["access-control-allow-origin"] == "https://app.example"
    for one in (others, plain):
        assert "access-control-allow-origin" not in one.headers
    assert theirs.json()["data"] == plain.json()["data"]


async def test_what_goes_wrong_with_a_kept_answer_is_masked(upstream: Upstream) -> None:
    app = create_app(Settings(clever_url=upstream.origin))
    async with inside(app) as http:
        for _ in range(2):
            answer = await http.post("/graphql", json=QUERY, headers=POST)
        assert answer.json()["extensions"]["clever"]["cost"]["calls"] == 0
    # The gateway has been closed; whoever asks all the same is not told why in a stack of its own.
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": answer.request.content}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.lower(), value) for name, value in answer.request.headers.raw]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    assert sent[0]["status"] == 500
    (error,) = json.loads(sent[1]["body"])["errors"]
    request_id = dict(sent[0]["headers"])[b"x-request-id"].decode()
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id}
