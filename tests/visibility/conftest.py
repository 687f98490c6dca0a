"""A gateway that knows people: each request brings a JWT, and is answered as that person may see the district."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.conftest import TOKEN, Answer, Gateway, Joins, Upstream
from tests.servers import running
from tests.visibility.oracle import Visible
from tests.web.issuer import AUDIENCE, ISSUER, KeySet, claims_of, signed

WAYS = ("compiled", "graphql-core")


@lru_cache
def jwt_of(person: str, district: str) -> str:
    """Return a JWT of a person, by Clever's ids."""
    return signed(claims_of(person, district, exp=timedelta(hours=2)), "ES256")


@dataclass(frozen=True)
class People:
    """Clients of a gateway in viewer mode: whoever asks is named by the Clever id of the user."""

    gateway: Gateway
    district: str

    async def ask(self, person: str, document: str, variables: dict[str, Any] | None = None, **headers: str) -> Answer:
        """Post a query as a person."""
        return await self.gateway.query(document, variables, token=jwt_of(person, self.district), **headers)


def district_of(upstream: Upstream, token: str = TOKEN) -> str:
    """Return Clever's id of a token's district."""
    return next(iter(upstream.app.records(token)["districts"]))


@contextmanager
def gateway_for_people(
    upstream: Upstream, keys: str, tokens: Sequence[str] = (TOKEN,), **settings: Any
) -> Iterator[str]:
    """Serve a gateway in viewer mode over a sandbox; `keys` is the URL of the issuer's keys."""
    chosen = {
        "auth": "viewer",
        "district_tokens": ",".join(f"{district_of(upstream, token)}={token}" for token in tokens),
        "jwt_jwks_url": keys,
        "jwt_issuer": ISSUER,
        "jwt_audience": AUDIENCE,
        "clever_url": upstream.origin,
        "log_level": "error",
        "upstream_failures": 10_000,
        **settings,
    }
    with running(create_app(Settings(**chosen))) as origin:
        yield origin


@pytest.fixture(scope="session")
def keys() -> Iterator[str]:
    """Serve the issuer's keys, and return where."""
    with running(KeySet()) as origin:
        yield f"{origin}/keys"


@pytest.fixture(scope="session")
def district(upstream: Upstream) -> str:
    """Return Clever's id of the district."""
    return district_of(upstream)


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
def origins(upstream: Upstream, keys: str) -> Iterator[dict[str, str]]:
    """Serve a gateway for people for each way of executing."""
    with (
        gateway_for_people(upstream, keys, engine=WAYS[0]) as compiled,
        gateway_for_people(upstream, keys, engine=WAYS[1]) as interpreted,
    ):
        yield {WAYS[0]: compiled, WAYS[1]: interpreted}


@pytest.fixture
async def clients(upstream: Upstream, district: str, origins: dict[str, str]) -> AsyncIterator[dict[str, People]]:
    """Return clients of these gateways."""
    async with (
        httpx.AsyncClient(base_url=origins[WAYS[0]], timeout=60) as first,
        httpx.AsyncClient(base_url=origins[WAYS[1]], timeout=60) as second,
    ):
        yield {
            way: People(Gateway(origins[way], upstream, http), district)
            for way, http in zip(WAYS, (first, second), strict=True)
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
