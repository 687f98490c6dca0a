"""Sandboxes for tests: each module gets its own served one; generated applications are shared read-only."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx
import pytest

from gateway.sandbox import SandboxApp, create_app
from tests.servers import running

from .oracle import Oracle

SMALL = ("tiny", "sandbox", "median")  # presets that are quick to generate


@dataclass
class Served:
    """A sandbox behind a real socket, asked as the holder of one district-app token."""

    app: SandboxApp
    origin: str
    client: httpx.Client
    oracle: Oracle
    token: str = "TEST_TOKEN"

    def get(self, path: str, token: str | None = None, **headers: str) -> httpx.Response:
        """Ask for a path with a token, by default the first district's."""
        authorization = {"authorization": f"Bearer {self.token if token is None else token}"}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(path, headers={**authorization, **names})

    def json(self, path: str, token: str | None = None) -> Any:
        """Ask for a path that must answer 200 and return its body."""
        response = self.get(path, token)
        assert response.status_code == 200, (path, response.status_code, response.text[:200])
        return response.json()

    def ids(self, path: str, token: str | None = None) -> list[str]:
        """Return the ids on one page."""
        body = self.json(path, token)
        if body == {"resources": []}:
            return []
        return [element["data"]["id"] for element in body["data"]]


@lru_cache(maxsize=16)
def app_of(preset: str, seed: int = 1, districts: int = 3) -> SandboxApp:
    """Return a generated application for reading records; it has no rate limit and keeps no test's state."""
    return create_app(preset, seed, districts=districts, rate_limit=None)


@lru_cache(maxsize=16)
def oracle_of(preset: str, seed: int = 1, token: str = "TEST_TOKEN") -> Oracle:
    """Return the oracle of one district."""
    return Oracle(app_of(preset, seed).records(token))


@pytest.fixture(scope="module", params=["tiny"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Serve a sandbox without a rate limit; tiny unless a module asks for another preset."""
    app = create_app(request.param, rate_limit=None)
    with running(app) as origin, httpx.Client(base_url=origin) as client:
        yield Served(app, origin, client, Oracle(app.records("TEST_TOKEN")))
