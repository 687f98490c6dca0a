"""`GATEWAY_TRACING` where what it takes is not installed."""

import sys

import pytest

from tests.cli.conftest import Invoke


@pytest.mark.parametrize("way", ["otlp", "console"])
def test_where_opentelemetry_is_missing_a_sentence_says_what_to_install(
    way: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gateway.observability.spans", None)
    monkeypatch.setenv("GATEWAY_TRACING", way)
    said = invoke("serve", "--port", "0")

    assert said.status == 2
    assert said.err == (
        "clever-gateway: GATEWAY_TRACING: traces take OpenTelemetry: install the package with its extra, "
        "`clever-graphql-gateway[otel]`.\n"
    )
