"""The real gateway over the scripted upstream, both behind sockets."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.conftest import Answer
from tests.resilience.faulty import Faulty
from tests.resilience.fixtures import faulty, faulty_server
from tests.servers import running

__all__ = ["faulty", "faulty_server"]

# What each kind of gateway is allowed, beside the defaults.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"upstream_timeout": 4.0, "upstream_tries": 3, "deadline": 10.0, "upstream_max_bytes": 200_000},
    # For what waits for Clever in vain: an answer that is there at once may itself take this long on a busy machine.
    "impatient": {"upstream_timeout": 0.6, "upstream_tries": 3, "deadline": 5.0},
    "hurried": {"deadline": 0.5},
    "unhurried": {"deadline": 1.5},
    "frugal": {"max_calls": 3},
    "rationed": {"calls_per_minute": 2, "deadline": 5.0},
}
_numbers = count(1)

Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture(scope="session")
def gateways(faulty_server: Faulty) -> Iterator[Callable[[str], str]]:
    """Return a function from a kind of gateway to the origin of a running one."""
    started: dict[str, tuple[Any, str]] = {}

    def origin_of(kind: str) -> str:
        if kind not in started:
            server = running(
                create_app(
                    Settings(
                        cache=False,
                        upstream_failures=10_000,
                        clever_url=faulty_server.origin,
                        log_level="error",
                        **KINDS[kind],
                    )
                )
            )
            started[kind] = (server, server.__enter__())
        return started[kind][1]

    yield origin_of
    for server, _ in started.values():
        server.__exit__(None, None, None)


@pytest.fixture
async def ask(faulty: Faulty, gateways: Callable[[str], str]) -> AsyncIterator[Ask]:
    """Return a function that asks a gateway, each test with a token of its own so that no rate window is shared."""
    own_token = f"token-{next(_numbers)}"

    async def ask(query: str, kind: str = "plain", token: str = own_token, **variables: Any) -> Answer:
        body = {"query": query, "variables": variables}
        headers = {"authorization": f"Bearer {token}"}
        response = await http.post(f"{gateways(kind)}/graphql", json=body, headers=headers)
        return Answer(response.status_code, response.headers, response.json())

    async with httpx.AsyncClient(timeout=30, transport=httpx.AsyncHTTPTransport(verify=False)) as http:
        yield ask
