"""Gateways of other settings than the shared one's, and ways to speak to them below GraphQL."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.settings import Settings
from tests.conftest import Upstream
from tests.servers import running

GRAPHQL_JSON = "application/graphql-response+json"
JSON = "application/json"
SMALLEST_BODY = 2_000


@pytest.fixture(scope="session")
def closed_origin(upstream: Upstream) -> Iterator[str]:
    """Serve a gateway as it is without any setting but a small limit of the body: no GraphiQL, no public schema."""
    with running(create_app(Settings(cache=False, clever_url=upstream.origin, max_body_bytes=SMALLEST_BODY))) as origin:
        yield origin


@pytest.fixture
async def closed(closed_origin: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the closed gateway."""
    async with httpx.AsyncClient(base_url=closed_origin, timeout=30) as http:
        yield http


@asynccontextmanager
async def inside(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Start an application in this very loop: once it has answered, it has also logged."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://in") as http:
        yield http
