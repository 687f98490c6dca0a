"""Traces: what spans there are, how they hang together, and that nothing personal is in them."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.app import create_app
from gateway.observability.spans import Tracing
from gateway.settings import Settings
from tests.conftest import TOKEN, Upstream
from tests.journeys.test_canary import MARK, marks_of, mistakes
from tests.resilience.faulty import ANY, Faulty, status
from tests.resilience.fixtures import faulty, faulty_server
from tests.web.conftest import inside

__all__ = ["faulty", "faulty_server"]

SECTIONS = "query Mine { sections(first: 5) { nodes { name students { nodes { name { first } } } } } }"


class Traced:
    """A gateway inside this loop, and the spans that it has ended."""

    def __init__(self, origin: str, **settings: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing(SimpleSpanProcessor(self.exporter))
        self.app = create_app(Settings(clever_url=origin, **settings), tracing=self.tracing)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def named(self, beginning: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name.startswith(beginning)]


def below(span: ReadableSpan, spans: Sequence[ReadableSpan]) -> list[str]:
    """Return the names of a span's parents, the nearest first."""
    by_id = {one.context.span_id: one for one in spans}
    names = []
    while span.parent and span.parent.span_id in by_id:
        span = by_id[span.parent.span_id]
        names.append(span.name)
    return names


async def ask(http: httpx.AsyncClient, query: str, **headers: str) -> httpx.Response:
    return await http.post("/graphql", json={"query": query}, headers={"authorization": f"Bearer {TOKEN}", **headers})


async def test_a_request_is_a_tree_of_spans_down_to_its_calls(upstream: Upstream) -> None:
    traced = Traced(upstream.origin)
    async with inside(traced.app) as http:
        answer = await ask(http, SECTIONS)

    (request,) = traced.named("graphql request")
    (plan,) = traced.named("plan")
    calls = traced.named("GET /")
    assert "errors" not in answer.json()
    assert calls
    assert below(plan, traced.spans) == ["execute", "graphql request"]
    for call in calls:
        step, *rest = below(call, traced.spans)
        assert step.split()[0] in {"scan", "links", "count", "look-ups"}
        assert rest == ["execute", "graphql request"]
        assert call.attributes
        assert call.attributes["http.response.status_code"] == 200
    assert request.attributes
    assert request.attributes["gateway.upstream_calls"] == len(calls)
    assert {span.context.trace_id for span in traced.spans} == {request.context.trace_id}


async def test_steps_say_what_was_read_for_how_many_on_which_path_and_why(upstream: Upstream) -> None:
    traced = Traced(upstream.origin)
    async with inside(traced.app) as http:
        await ask(http, SECTIONS)

    (links,) = traced.named("links section.users") or traced.named("scan users")
    assert links.attributes
    assert links.attributes["gateway.parents"] in (1, 5)
    assert links.attributes["gateway.calls"] >= 1  # type: ignore[operator]
    assert links.attributes["gateway.why"]


async def test_a_plan_made_earlier_is_linked_to_and_what_is_remembered_is_a_step_without_calls(
    upstream: Upstream,
) -> None:
    traced = Traced(upstream.origin, response_cache=False)
    async with inside(traced.app) as http:
        await ask(http, SECTIONS)
        (plan,) = traced.named("plan")
        traced.exporter.clear()
        await ask(http, SECTIONS)

    (execute,) = traced.named("execute")
    assert traced.named("plan") == []
    assert [link.context for link in execute.links] == [plan.context]
    assert traced.named("memory")
    assert traced.named("GET") == []


async def test_an_answer_given_again_says_so(upstream: Upstream) -> None:
    traced = Traced(upstream.origin)
    async with inside(traced.app) as http:
        await ask(http, SECTIONS)
        await ask(http, SECTIONS)

    made, kept = traced.named("graphql request")
    assert made.attributes
    assert kept.attributes
    assert (made.attributes["gateway.answer"], kept.attributes["gateway.answer"]) == ("made", "kept")
    assert len(traced.named("execute")) == 1


async def test_it_goes_on_the_callers_trace_and_takes_nothing_else_along(upstream: Upstream) -> None:
    traced = Traced(upstream.origin)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with inside(traced.app) as http:
        await ask(http, SECTIONS, traceparent=parent, baggage=f"name={MARK}", tracestate=f"a={MARK}")

    (request,) = traced.named("graphql request")
    assert request.parent
    assert f"{request.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{request.parent.span_id:016x}" == "b7ad6b7169203331"
    assert MARK not in written(traced)


async def test_a_call_that_fails_is_an_error_with_its_status(faulty: Faulty) -> None:
    faulty.always(ANY, status(503))
    traced = Traced(faulty.origin)
    async with inside(traced.app) as http:
        await ask(http, "{ district { name } }")

    calls = traced.named("GET /districts")
    assert len(calls) > 1
    assert {call.attributes["error.type"] for call in calls if call.attributes} == {"503"}
    assert [call.attributes["http.request.resend_count"] for call in calls if call.attributes] == [*range(len(calls))]


async def test_nothing_personal_is_in_any_span(upstream: Upstream) -> None:
    traced = Traced(upstream.origin, explain=True)
    async with inside(traced.app) as http:
        marks = await marks_of(http)
        for body in mistakes():
            for token in (TOKEN, MARK):
                await http.post("/graphql", json=body, headers={"authorization": f"Bearer {token}", "user-agent": MARK})
    text = written(traced)

    assert len(marks) > 100
    assert {mark for mark in marks if mark in text} == set()
    assert MARK not in text
    assert MARK.replace("-", "_") not in text
    assert TOKEN not in text


def written(traced: Traced) -> str:
    """Return all that an exporter could send of the spans."""
    return "\n".join(span.to_json() for span in traced.spans)


def test_off_loads_nothing_of_it() -> None:
    code = "import sys, gateway.app, gateway.settings; gateway.app.create_app(gateway.settings.Settings()); print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "False\n"


async def test_spans_reach_a_collector_by_otlp(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from tests.servers import running

    received: list[bytes] = []

    async def take(request: Request) -> Response:
        received.append(await request.body())
        return Response()

    with running(Starlette(routes=[Route("/v1/traces", take, methods=["POST"])])) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "rosters")
        async with inside(create_app(Settings(clever_url=upstream.origin, tracing="otlp"))) as http:
            await ask(http, SECTIONS)

    body = b"".join(received)
    for word in (b"rosters", b"graphql request", b"GET /sections", b"execute"):
        assert word in body
