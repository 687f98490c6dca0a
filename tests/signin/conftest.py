"""A gateway where people sign in, over the sandbox's side of it; and a browser without a screen."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import CLIENT_ID, CLIENT_SECRET
from gateway.settings import Settings
from tests.conftest import Upstream
from tests.servers import running_at

SESSION, FLOW = "clever_session", "clever_sign_in"
SECRET = "a secret of the tests that is long enough for anybody"


def people_settings(upstream: Upstream, origin: str | None, **changed: Any) -> Settings:
    """Return the settings of a gateway where people sign in."""
    chosen: dict[str, Any] = {
        "auth": "viewer",
        "clever_url": upstream.origin,
        "clever_client_id": CLIENT_ID,
        "clever_client_secret": CLIENT_SECRET,
        "public_url": origin,
        "session_secret": SECRET,
        "graphiql": True,
        "public_introspection": True,
        "log_level": "error",
    }
    return Settings(**{**chosen, **changed})


@pytest.fixture(scope="session")
def people_origin(upstream: Upstream) -> Iterator[str]:
    """Serve a gateway where people sign in."""
    with running_at(lambda origin: create_app(people_settings(upstream, origin))) as origin:
        yield origin


@dataclass
class Browser:
    """What a browser does of all this: it keeps cookies and goes where it is sent, as far as it is told to."""

    origin: str
    upstream: Upstream
    http: httpx.AsyncClient

    async def login(self, person: str, onward: str = "/graphiql", district: int = 0) -> httpx.Response:
        """Sign in from the first step to the last; return the answer to the last."""
        asked = await self.http.get(f"{self.origin}/login", params={"next": onward})
        return await self.come_back(await self.choose(asked.headers["location"], person, district))

    async def choose(self, authorize: str, person: str, district: int = 0) -> str:
        """Follow the way to Clever, choose a person there, and return the way back."""
        assert authorize.startswith(f"{self.upstream.origin}/oauth/")
        page = await self.http.get(authorize)
        assert page.status_code == 200
        form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
        form.update({name: value for name, value in parse_qsl(urlsplit(authorize).query) if name in form})
        form |= {"district_id": self.upstream.app.describe()[district].id, "person": person}
        chosen = await self.http.post(authorize.partition("?")[0], data=form)
        assert chosen.status_code == 303, chosen.text
        return chosen.headers["location"]

    async def come_back(self, location: str) -> httpx.Response:
        """Follow the way back from Clever."""
        assert location.startswith(f"{self.origin}/oauth/callback?")
        return await self.http.get(location)

    async def ask(self, document: str = "{ district { cleverId } }", **headers: str) -> Any:
        """Ask the gateway with the cookies that there are."""
        answer = await self.http.post(f"{self.origin}/graphql", json={"query": document}, headers=headers)
        return answer.json()

    async def logout(self, **headers: str) -> httpx.Response:
        """Sign out as a page of the gateway does."""
        sent = {"sec-fetch-site": "same-origin", **headers}
        return await self.http.post(f"{self.origin}/logout?next=/graphiql", headers=sent)


@pytest.fixture
async def browser(people_origin: str, upstream: Upstream) -> AsyncIterator[Browser]:
    """A browser that nobody has signed in with."""
    async with httpx.AsyncClient(timeout=30) as http:
        yield Browser(people_origin, upstream, http)


@pytest.fixture(scope="session")
def teacher(upstream: Upstream) -> str:
    """The id of a teacher with sections."""
    oracle = upstream.oracle()
    return next(user for user in oracle.with_role("teacher") if oracle.user_sections(user))


@pytest.fixture(scope="session")
def student(upstream: Upstream) -> str:
    """The id of a student with sections."""
    oracle = upstream.oracle()
    return next(user for user in oracle.with_role("student") if oracle.user_sections(user))


def page_of(answer: httpx.Response, status: int) -> str:
    """Return the words of an error page, which must be safe."""
    assert answer.status_code == status
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text
    return unescape(re.sub(r"<[^>]+>", " ", answer.text.partition("<body>")[2]))
