"""The real gateway over the real sandbox that misbehaves, and a host elsewhere that nobody may ever ask."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.types import Receive, Scope, Send

from gateway.app import create_app
from gateway.sandbox import Rule, SandboxApp
from gateway.sandbox import create_app as create_sandbox
from gateway.settings import Settings
from tests.conftest import Answer
from tests.servers import running

TOKEN, OTHER_TOKEN = "TEST_TOKEN", "TEST_TOKEN_2"
# Waits as short as they may be; the breaker has tests of its own.
BRIEF: dict[str, Any] = {
    "upstream_timeout": 0.8,
    "upstream_tries": 2,
    "upstream_max_bytes": 1_000_000,
    "upstream_failures": 10_000,
    "deadline": 3.0,
    "log_level": "error",
}
# What is read is past its time at once, and used only where Clever fails.
AGED: dict[str, Any] = {"ttl_users": 0.0, "ttl_sections": 0.0, "ttl_others": 0.0}


@dataclass
class Elsewhere:
    """A host that faults lead to: it notes who comes."""

    origin: str = ""
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as a trap would: with what looks sound."""
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"data":[],"links":[]}'})


@dataclass
class Struck:
    """A sandbox to strike, and gateways over it by name."""

    sandbox: SandboxApp
    origin: str
    elsewhere: Elsewhere
    gateways: dict[str, str]
    http: httpx.AsyncClient

    def strike(self, *rules: Rule) -> None:
        """Put faults in force; none ends them all."""
        self.sandbox.misbehave(*rules)

    async def ask(self, gateway: str, query: str, token: str = TOKEN, **variables: Any) -> Answer:
        """Ask a gateway, and count the calls meanwhile."""
        before = await self.calls()
        body = {"query": query, "variables": variables}
        headers = {"authorization": f"Bearer {token}"}
        response = await self.http.post(f"{self.gateways[gateway]}/graphql", json=body, headers=headers)
        made = {path: number - before.get(path, 0) for path, number in (await self.calls()).items()}
        made = {path: number for path, number in made.items() if number}
        return Answer(response.status_code, response.headers, response.json(), made)

    async def calls(self) -> dict[str, int]:
        """Return all calls so far by the template of their path."""
        counted: dict[str, int] = (await self._stats())["calls"]
        return counted

    async def refused(self) -> int:
        """Return how many calls there were beyond the limit of 1,200 a minute."""
        number: int = (await self._stats())["limited"]
        return number

    async def _stats(self) -> Any:
        return (await self.http.get(f"{self.origin}/__sandbox/stats")).json()


@dataclass
class Servers:
    """What runs for a module of tests."""

    sandbox: SandboxApp
    origin: str
    elsewhere: Elsewhere
    gateways: dict[str, str]


@contextmanager
def serving(**gateways: dict[str, Any]) -> Iterator[Servers]:
    """Serve a tiny sandbox with Clever's limit, the host elsewhere, and gateways with these settings."""
    sandbox, elsewhere = create_sandbox("tiny"), Elsewhere()
    with ExitStack() as stack:
        elsewhere.origin = stack.enter_context(running(elsewhere))
        origin = stack.enter_context(running(sandbox))
        apps = {name: create_app(Settings(clever_url=origin, **settings)) for name, settings in gateways.items()}
        yield Servers(
            sandbox, origin, elsewhere, {name: stack.enter_context(running(app)) for name, app in apps.items()}
        )


@asynccontextmanager
async def playing(servers: Servers) -> AsyncIterator[Struck]:
    """Begin a test: nothing misbehaves, nobody has come elsewhere, and no call has been counted."""
    async with httpx.AsyncClient(timeout=40) as http:
        (await http.post(f"{servers.origin}/__sandbox/reset")).raise_for_status()
        servers.elsewhere.asked.clear()
        yield Struck(servers.sandbox, servers.origin, servers.elsewhere, servers.gateways, http)
        servers.sandbox.misbehave()
