"""Whether there are traces at all. What makes them is loaded only then: it takes the extra `otel`."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gateway.observability.spans import Tracing


class TracingUnavailable(Exception):
    """Traces were asked for and cannot be made; the message says what to do."""


def open_tracing(way: Literal["off", "otlp", "console"]) -> "Tracing | None":
    """Return what makes traces, None where they are off. Raises TracingUnavailable where OpenTelemetry is missing."""
    if way == "off":
        return None
    try:
        from gateway.observability.spans import open_spans

        return open_spans(way)
    except ImportError:
        problem = "traces take OpenTelemetry: install the package with its extra, `clever-graphql-gateway[otel]`."
        raise TracingUnavailable(problem) from None
