"""Canaries: a run over marked names, emails, tokens and variables, after which no mark is anywhere it must not be."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.loaders import Loaders
from gateway.sandbox import create_app as create_sandbox
from gateway.settings import Settings
from tests.conftest import TOKEN, Upstream
from tests.engine.hostile import each
from tests.observability.lines import Log, logged
from tests.servers import running
from tests.web.conftest import inside

MARK = "Zebulon-Canary-4711"
EVERYBODY = """{ users(first: 1000) { nodes { id cleverId email name { first middle last }
    student { sisId studentNumber dob credentials { districtUsername } } } } }"""


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    elif isinstance(value, str):
        yield value


@pytest.fixture
def log() -> Iterator[Log]:
    with logged("debug") as log:
        yield log


async def marks_of(http: httpx.AsyncClient) -> set[str]:
    """Return what is personal in the whole district, long enough not to be found by chance."""
    response = await http.post("/graphql", json={"query": EVERYBODY}, headers={"authorization": f"Bearer {TOKEN}"})
    body = response.json()
    assert "errors" not in body
    words = {word for text in leaves(body["data"]) for word in (text, *text.split("@")[:1])}
    return {word for word in words if len(word) > 5}


def mistakes() -> Iterator[dict[str, Any]]:
    """Return requests whose documents and variables are marked, each wrong in another way."""
    document = (
        f'query {MARK.replace("-", "_")}($v: ID!) {{ m: school(id: $v) {{ name }} school(id: "{MARK}") {{ name }} }}'
    )
    yield {"query": document, "variables": {"v": MARK}, "operationName": MARK.replace("-", "_")}
    yield {"query": document, "variables": {"v": [MARK]}}
    yield {"query": document, "variables": {"v": {MARK: MARK}}}
    yield {"query": "query ($v: Role) { users(role: $v) { nodes { id } } }", "variables": {"v": MARK}}
    yield {"query": "query ($v: Int) { users(first: $v) { nodes { id } } }", "variables": {"v": MARK}}
    yield {"query": "query ($v: String) { users(after: $v) { nodes { id } } }", "variables": {"v": MARK}}
    yield {"query": "query ($v: [ID!]!) { nodes(ids: $v) { id } }", "variables": {"v": [MARK, MARK]}}
    yield {"query": f'{{ users(role: "{MARK}") {{ nodes {{ id }} }} }}'}
    yield {"query": f'{{ users(first: "{MARK}", after: "{MARK}") {{ nodes {{ id }} }} }}'}
    yield {"query": f'{{ node(id: "{MARK}") {{ id }} user(id: """{MARK}""") {{ id }} }}'}
    yield {"query": f'{{ node(id: {{a: "{MARK}"}}) {{ id }} }}'}
    yield {"query": f'{{ "{MARK}" }}'}
    yield {"query": f'{{ node(id: "{MARK}'}
    yield {"query": f'# {MARK}\n{{ node(id: "\\q{MARK}") {{ id }} }}'}
    yield {"query": f"{{ {each(1200, f'a#: node(id: {json.dumps(MARK)}) {{ id }}')} }}"}
    yield {"query": f'{{ user(id: "1") {{ id }} user(id: "{MARK}") {{ id }} }}'}
    yield {"query": "{ __typename }", "variables": {"a": [[MARK] * 30_000]}}
    yield {"query": "{ __typename }", "operationName": MARK}
    yield {"query": "{ __typename }", "extensions": {"persistedQuery": {"version": MARK}}}
    yield {"query": "{ __typename }", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": MARK}}}
    yield {"documentId": MARK}
    yield {MARK: MARK}
    yield {"query": MARK}


class TestMarks:
    async def test_what_callers_send_is_in_no_error_no_log_and_no_metric(self, upstream: Upstream, log: Log) -> None:
        headers = {
            "authorization": f"Bearer {MARK}",
            "cookie": MARK,
            "user-agent": MARK,
            "referer": f"https://{MARK}.example/",
            "x-request-id": f"{MARK} {MARK}",
        }
        answers: list[httpx.Response] = []
        async with inside(create_app(Settings(clever_url=upstream.origin, graphiql=True))) as http:
            for token in (TOKEN, MARK):
                sent = {**headers, "authorization": f"Bearer {token}"}
                for body in mistakes():
                    answers.append(await http.post("/graphql", json=body, headers=sent))
                    simple = {name: value for name, value in body.items() if isinstance(value, str)}
                    if len(str(simple)) < 10_000:
                        answers.append(await http.get("/graphql", params=simple, headers=sent))
            for content_type in ("text/plain", f"application/json; charset={MARK}"):
                sent = {**headers, "content-type": content_type}
                answers.append(await http.post("/graphql", content=MARK, headers=sent))
            answers.append(
                await http.post("/graphql", content=f'{{"{MARK}', headers={"content-type": "application/json"})
            )
            paths = (f"/{MARK}", f"/graphql/{MARK}", f"/graphiql/assets/{MARK}", f"/metrics?{MARK}")
            answers += [await http.get(path, headers=headers) for path in paths]
            answers.append(await http.request("PUT", "/graphql", content=MARK, headers=headers))
            metrics = (await http.get("/metrics")).text

        wrong = [answer for answer in answers if "errors" in answer.text]
        assert len(wrong) > 70
        for answer in answers:
            # Data is named by the caller's own aliases, and its errors by their path; nothing else repeats a word.
            assert MARK not in answer.text.replace(MARK.replace("-", "_"), ""), answer.text[:300]
            assert MARK not in str(answer.headers)
        assert MARK not in log.text
        assert MARK not in metrics
        assert len(log.of("request")) == len(answers) + 1

    async def test_what_clever_holds_is_in_no_log_and_no_metric_and_a_failures_message_has_none(self, log: Log) -> None:
        with running(create_sandbox("tiny", rate_limit=None)) as origin:
            async with inside(create_app(Settings(clever_url=origin, log_level="debug"))) as http:
                marks = await marks_of(http)
                metrics = (await http.get("/metrics")).text

        assert len(marks) > 100
        written = log.text + metrics
        assert {mark for mark in marks if mark in written} == set()
        assert len(log.of("upstream call")) >= 1

    async def test_a_fault_of_ours_says_nothing_but_the_requests_id(
        self, upstream: Upstream, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks(*_args: object) -> None:
            raise ValueError(MARK)

        monkeypatch.setattr(Loaders, "__init__", breaks)
        async with inside(create_app(Settings(clever_url=upstream.origin))) as http:
            body = {"query": "query ($v: ID!) { user(id: $v) { id } }", "variables": {"v": MARK}}
            answer = await http.post("/graphql", json=body, headers={"authorization": f"Bearer {MARK}"})

        assert answer.status_code == 500
        assert answer.json()["errors"][0]["extensions"] == {
            "code": "INTERNAL_SERVER_ERROR",
            "requestId": answer.headers["x-request-id"],
        }
        assert log.of("internal error")[0]["request_id"] == answer.headers["x-request-id"]
        assert MARK not in answer.text + log.text
