"""The real gateway over the real sandbox, both behind sockets: tests speak GraphQL and count the calls upstream."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.request import Request, urlopen

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import SandboxApp
from gateway.sandbox import create_app as create_sandbox
from gateway.settings import Settings
from tests.sandbox.oracle import Oracle
from tests.servers import running

TOKEN = "TEST_TOKEN"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With `NO_SKIPS` in the environment, fail a run that skipped anything."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("NO_SKIPS") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("NO_SKIPS is set, and tests were skipped.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# The tests' own settings are the only ones.
for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
    del os.environ[name]


# Each client loads a list of certificates, which takes longer than most tests; no client of a test needs one of its own.
pytest.MonkeyPatch().setattr("httpx._transports.default.create_ssl_context", cache(httpx.create_ssl_context))


@dataclass(frozen=True)
class Upstream:
    """A running sandbox, and what it would answer worked out from its records."""

    origin: str
    app: SandboxApp

    def oracle(self, token: str = TOKEN) -> "Joins":
        """Return the joins over one district's records."""
        return Joins(self.app, self.origin, token)

    def calls(self) -> dict[str, int]:
        """Return the calls since the last reset, by the template of their path."""
        # Not httpx: a client of its own for each question would cost more than most queries do.
        with urlopen(f"{self.origin}/__sandbox/stats") as response:
            counted: dict[str, int] = json.load(response)["calls"]
        return counted

    def reset(self) -> None:
        """Forget calls and rate windows."""
        urlopen(Request(f"{self.origin}/__sandbox/reset", method="POST")).close()


class Joins(Oracle):
    """What the graph must answer: joins over a district's records, and for licensed resources the REST lists."""

    def __init__(self, app: SandboxApp, origin: str, token: str) -> None:
        super().__init__(app.records(token))
        self.unshared = app.unshared(token)
        self._origin = f"{origin}/v3.1"
        self._listed: dict[str, list[str]] = {}
        self._headers = {"authorization": f"Bearer {token}"}

    def listed(self, path: str) -> list[str]:
        """Return the ids on the first 10,000 rows of a REST list, which stay as they are."""
        if path in self._listed:
            return self._listed[path]
        asked = Request(f"{self._origin}{path}?limit=10000", headers=self._headers)
        with urlopen(asked) as response:
            body = json.load(response)
        found = self._listed[path] = [element["data"]["id"] for element in body.get("data", ())]
        return found


@dataclass
class Answer:
    """A GraphQL answer and what it cost upstream."""

    status: int
    headers: httpx.Headers
    body: Any
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def data(self) -> Any:
        """Return the data of an answer that must hold no errors."""
        assert "errors" not in self.body, self.body["errors"]
        assert self.status == 200
        return self.body["data"]

    @property
    def error(self) -> Any:
        """Return the one error of an answer that must hold exactly one."""
        assert len(self.body["errors"]) == 1, self.body["errors"]
        return self.body["errors"][0]

    @property
    def codes(self) -> list[str]:
        """Return the codes of all errors."""
        return [error["extensions"]["code"] for error in self.body.get("errors", ())]


@dataclass(frozen=True)
class Gateway:
    """A client of a running gateway whose upstream is a running sandbox."""

    origin: str
    upstream: Upstream
    http: httpx.AsyncClient

    async def query(
        self, document: str, variables: dict[str, Any] | None = None, token: str | None = TOKEN, **headers: str
    ) -> Answer:
        """Post a query and count the calls that it alone made upstream."""
        self.upstream.reset()
        sent = {"authorization": f"Bearer {token}"} if token else {}
        body = {"query": document, "variables": variables or {}}
        response = await self.http.post("/graphql", json=body, headers={**sent, **headers})
        return Answer(response.status_code, response.headers, response.json(), self.upstream.calls())


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """Serve a tiny sandbox without a rate limit."""
    app = create_sandbox("tiny", rate_limit=None)
    with running(app) as origin:
        yield Upstream(origin, app)


@pytest.fixture(scope="session")
def gateway_origin(upstream: Upstream) -> Iterator[str]:
    """Serve a gateway over the tiny sandbox, with what the demo turns on."""
    settings = Settings(
        cache=False, clever_url=upstream.origin, graphiql=True, public_introspection=True, log_level="error"
    )
    with running(create_app(settings, demo_token=TOKEN)) as origin:
        yield origin


@pytest.fixture
async def gateway(upstream: Upstream, gateway_origin: str) -> AsyncIterator[Gateway]:
    """Return a client of the gateway over the tiny sandbox."""
    async with httpx.AsyncClient(base_url=gateway_origin, timeout=30) as http:
        yield Gateway(gateway_origin, upstream, http)


@pytest.fixture(scope="session")
def joins(upstream: Upstream) -> Joins:
    """Return the joins over the first district of the tiny sandbox."""
    return upstream.oracle()
