"""Sessions outlive the token of their district, and end with its connection."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.app import create_app
from gateway.clever.token_sources import ListedTokens
from gateway.sandbox import create_app as create_sandbox
from tests.conftest import Upstream
from tests.servers import running, running_at

from .conftest import Browser, people_settings


@pytest.fixture
async def alone(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Browser]:
    """A browser, a gateway that remembers nothing, and a sandbox whose districts may change."""
    # How long a listing is not read again has tests of its own.
    monkeypatch.setattr(ListedTokens, "pause_s", 0.1)
    app = create_sandbox("tiny", rate_limit=None)
    with running(app) as clever:
        upstream = Upstream(clever, app)
        with running_at(lambda origin: create_app(people_settings(upstream, origin, cache=False))) as origin:
            async with httpx.AsyncClient(timeout=30) as http:
                yield Browser(origin, upstream, http)


async def test_a_session_goes_on_with_the_district_s_next_token(alone: Browser, teacher: str) -> None:
    await alone.login(teacher)
    district = alone.upstream.app.describe()[0].id
    changed = await alone.http.post(f"{alone.upstream.origin}/__sandbox/rotate?district={district}")

    assert changed.status_code == 200
    assert (await alone.ask())["data"] == {"district": {"cleverId": district}}


async def test_people_come_in_with_a_token_that_was_rotated_since(alone: Browser, teacher: str) -> None:
    district = alone.upstream.app.describe()[0].id
    await alone.http.post(f"{alone.upstream.origin}/__sandbox/rotate?district={district}")

    assert (await alone.login(teacher)).status_code == 303
    assert (await alone.ask())["data"] == {"district": {"cleverId": district}}


async def test_nothing_is_read_of_a_district_that_left(alone: Browser, teacher: str) -> None:
    await alone.login(teacher)
    district = alone.upstream.app.describe()[0].id
    await alone.http.post(f"{alone.upstream.origin}/__sandbox/disconnect?district={district}")
    first, second = await alone.ask(), await alone.ask()
    back = await alone.login(teacher)

    assert (first.get("data") or {"district": None}) == {"district": None}
    assert first["errors"]
    assert second["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert "not connected to this application any more" in second["errors"][0]["message"]
    assert back.status_code == 403
    assert "has not connected this application" in back.text
