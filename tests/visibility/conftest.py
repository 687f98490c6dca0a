"""A gateway that knows people: each request comes from one, and is answered as that person may see the district."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.identity import Caller, Tenant, Viewer
from gateway.settings import Settings
from tests.conftest import TOKEN, Answer, Gateway, Joins, Upstream
from tests.servers import running
from tests.visibility.oracle import Visible

WAYS = ("compiled", "graphql-core")


class _Named:
    async def caller(self, headers: Any) -> Caller | None:
        name = (headers.get("authorization") or "").removeprefix("Bearer ")
        return Caller(Tenant(TOKEN, "d"), Viewer(name), frozenset()) if name else None


@dataclass(frozen=True)
class People:
    """Clients of a gateway in viewer mode: whoever asks is named by the Clever id of the user."""

    gateway: Gateway

    async def ask(self, person: str, document: str, variables: dict[str, Any] | None = None, **headers: str) -> Answer:
        """Post a query as a person."""
        return await self.gateway.query(document, variables, token=person, **headers)


@contextmanager
def gateway_for_people(upstream: Upstream, **settings: Any) -> Iterator[str]:
    """Serve a gateway in viewer mode over a sandbox."""
    chosen = {"clever_url": upstream.origin, "log_level": "error", "upstream_failures": 10_000, **settings}
    with running(create_app(Settings(**chosen), authenticator=_Named())) as origin:
        yield origin


def people_of(joins: Joins) -> dict[str, str]:
    """Return a person of each kind there is, by the roles held: one with sections and contacts where there is one."""

    def worth(user: str) -> tuple[int, int]:
        return len(joins.user_sections(user)), len(joins.my_contacts(user))

    found: dict[str, str] = {}
    for key, user in joins.users.items():
        name = "+".join(sorted(user["roles"]))
        if name not in found or worth(key) > worth(found[name]):
            found[name] = key
    return found


@pytest.fixture(scope="session")
def ids(joins: Joins) -> dict[str, str]:
    """Return the ids of people of each kind, by their roles."""
    return people_of(joins)


@pytest.fixture(scope="session")
def origins(upstream: Upstream) -> Iterator[dict[str, str]]:
    """Serve a gateway for people for each way of executing."""
    with (
        gateway_for_people(upstream, engine=WAYS[0]) as compiled,
        gateway_for_people(upstream, engine=WAYS[1]) as interpreted,
    ):
        yield {WAYS[0]: compiled, WAYS[1]: interpreted}


@pytest.fixture
async def clients(upstream: Upstream, origins: dict[str, str]) -> AsyncIterator[dict[str, People]]:
    """Return clients of these gateways."""
    async with (
        httpx.AsyncClient(base_url=origins[WAYS[0]], timeout=60) as first,
        httpx.AsyncClient(base_url=origins[WAYS[1]], timeout=60) as second,
    ):
        yield {
            way: People(Gateway(origins[way], upstream, http)) for way, http in zip(WAYS, (first, second), strict=True)
        }


@pytest.fixture(params=WAYS)
def people(clients: dict[str, People], request: pytest.FixtureRequest) -> People:
    """Return clients of a gateway, once for each way of executing."""
    return clients[request.param]


@pytest.fixture(scope="session")
def seen_by(upstream: Upstream) -> Callable[[str], Visible]:
    """Return what shows the district as a person may see it."""
    known: dict[str, Visible] = {}

    def visible(person: str) -> Visible:
        if person not in known:
            known[person] = Visible(upstream, person)
        return known[person]

    return visible
