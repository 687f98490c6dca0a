"""Traces by OpenTelemetry: request, plan, batch, call to Clever. Loaded only where tracing is on.

A span's attributes are templates, counts, codes and our own words; no id, name or value of the roster, no text of a
query, and no message of an exception. Where traces go, which are kept and what the process is called, OpenTelemetry's
own variables say (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
"""

import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal
from weakref import WeakKeyDictionary

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway import __version__
from gateway.access.trace import Step, Trace
from gateway.clever.allowance import Allowance
from gateway.clever.events import CallSent
from gateway.engine.answers import Answer
from gateway.engine.executor import Engine, Prepared, Request
from gateway.engine.operations import Operation
from gateway.engine.plan import Plan
from gateway.schema.context import Context
from gateway.web.facts import facts_of

_NAME = "clever-gateway"
_NANOSECONDS = 1e9
# The number of the caller's trace alone: its state and its baggage could hold anything.
_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """The spans of one gateway, and what makes them: middleware, engine, the steps of a request, calls."""

    def __init__(self, processor: SpanProcessor) -> None:
        resource = Resource({"service.name": _NAME, "service.version": __version__})
        self._provider = TracerProvider(
            resource=resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self.tracer = self._provider.get_tracer("gateway", __version__)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    @contextmanager
    def request(self, scope: MutableMapping[str, Any]) -> Iterator[Callable[[int], None]]:
        """Make the span of a request, below that of the caller where the request names one."""
        sent = next((value for name, value in scope["headers"] if name == b"traceparent"), b"").decode("latin-1")
        status = 0

        def answered(given: int) -> None:
            nonlocal status
            status = given

        with _span(
            self.tracer, "graphql request", kind=SpanKind.SERVER, context=_PROPAGATOR.extract({"traceparent": sent})
        ) as span:
            try:
                yield answered
            finally:
                _describe(span, scope, status)

    def on_call(self, sent: CallSent) -> None:
        """Make the span of a call to Clever, below the step that it was made for."""
        attributes: dict[str, Any] = {
            "http.request.method": "GET",
            "url.template": sent.template,
            "gateway.call.kind": sent.kind,
            "gateway.call.bytes": sent.bytes,
            "http.request.resend_count": sent.attempt - 1,
        }
        if sent.status is not None:
            attributes["http.response.status_code"] = sent.status
        end = time.time_ns()
        span = self.tracer.start_span(
            f"GET {sent.template}",
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=end - int(sent.seconds * _NANOSECONDS),
        )
        if sent.status is None or sent.status >= 500 or sent.status == 429:
            what = sent.failure or str(sent.status or "abandoned")
            span.set_attribute("error.type", what)
            span.set_status(Status(StatusCode.ERROR, what))
        span.end(end)

    def engine(self, *parts: Any) -> Engine:
        """Return an engine of these parts that makes spans."""
        return TracedEngine(self.tracer, *parts)

    def trace(self, on: bool = False) -> Trace:
        """Return what follows the steps of one request."""
        return SpanTrace(on, self.tracer)


def open_spans(way: Literal["otlp", "console"]) -> Tracing:
    """Return tracing to a collector by OTLP over HTTP, or to stdout. Raises ImportError where the extra is missing."""
    if way == "console":
        return Tracing(BatchSpanProcessor(ConsoleSpanExporter()))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return Tracing(BatchSpanProcessor(OTLPSpanExporter()))


def _describe(span: Span, scope: MutableMapping[str, Any], status: int) -> None:
    facts = facts_of(scope)
    method = scope["method"] if scope["method"] in ("GET", "POST") else "_OTHER"
    attributes: dict[str, Any] = {
        "http.request.method": method,
        "http.route": "/graphql",
        "http.response.status_code": status,
        "gateway.request_id": facts.request_id,
        "gateway.upstream_calls": facts.upstream_calls,
        "gateway.answer": "kept" if facts.kept else "made",
        "gateway.error_codes": tuple(dict.fromkeys(facts.error_codes)),
    }
    if facts.operation is not None:
        attributes["gateway.document"] = facts.operation.digest
        if facts.operation.name:
            attributes["graphql.operation.name"] = facts.operation.name
            span.update_name(f"graphql {facts.operation.name}")
    span.set_attributes(attributes)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))


class TracedEngine(Engine):
    """Makes spans of preparing, planning and executing; each execution of a plan links to where it was planned."""

    def __init__(self, tracer: Tracer, *parts: Any) -> None:
        super().__init__(*parts)
        self._tracer = tracer
        self._planned: WeakKeyDictionary[Operation, SpanContext] = WeakKeyDictionary()

    def prepare(self, request: Request) -> Prepared:
        """Parse, validate, choose the operation and check the variables."""
        with _span(self._tracer, "prepare"):
            return super().prepare(request)

    async def execute(self, prepared: Prepared, context: Context) -> Answer:
        """Run a prepared request."""
        known = self._planned.get(prepared.operation)
        with _span(self._tracer, "execute", links=[Link(known)] if known else []) as span:
            answer = await super().execute(prepared, context)
            span.set_attribute("gateway.errors", len(answer.errors or ()))
            return answer

    def plan(self, operation: Operation, variables: Any) -> Plan | None:
        """Return the operation's plan."""
        if operation in self._planned:
            return super().plan(operation, variables)
        with _span(self._tracer, "plan") as span:
            plan = super().plan(operation, variables)
            span.set_attribute("gateway.way", "fallback" if plan is None else "planned")
            span.set_attribute("gateway.document", operation.named.digest)
            self._planned[operation] = span.get_span_context()
            return plan


class SpanTrace(Trace):
    """The steps of one request, each a span: a batch of parents, on which path and why, from memory or by calls."""

    def __init__(self, on: bool, tracer: Tracer) -> None:
        super().__init__(on)
        self.listens = True
        self._tracer = tracer

    @contextmanager
    def step(self, step: Step, allowance: Allowance) -> Iterator[Allowance]:
        """Measure what is done for a step, within a span."""
        attributes: Mapping[str, Any] = {
            "gateway.relation": step.relation,
            "gateway.parents": step.parents,
            "gateway.path": step.path,
            "gateway.why": step.why,
            "gateway.calls.estimated": step.estimate.calls,
        }
        part = allowance.part()
        with _span(self._tracer, f"{step.path} {step.relation}", attributes=attributes) as span:
            try:
                with super().step(step, part) as own:
                    yield own
            finally:
                span.set_attributes({"gateway.calls": part.used, "gateway.bytes": part.bytes})


@contextmanager
def _span(tracer: Tracer, name: str, **more: Any) -> Iterator[Span]:
    """Begin a span, the parent of what begins within it. What is raised is named by its type, not its message."""
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False, **more) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
