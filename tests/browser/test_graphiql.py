"""GraphiQL as a person meets it: in a real browser that can reach this machine alone."""

import importlib.util
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.app import create_app
from gateway.settings import Settings
from gateway.web.graphiql_page import bundle_available
from tests.conftest import TOKEN, Joins, Upstream
from tests.servers import running

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HERE = re.compile(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(not bundle_available(), reason="the GraphiQL bundle has not been built (it takes Node)"),
]


@dataclass
class Visit:
    """An open page, and what it asked for and complained of since."""

    page: Any
    requests: list[str] = field(default_factory=list)
    explains: list[str | None] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._sent)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    def _sent(self, request: Any) -> None:
        self.requests.append(request.url)
        if request.method == "POST":
            self.explains.append(request.headers.get("x-clever-explain"))

    async def run(self, expected: str) -> None:
        """Run the operation in the editor and wait until the result shows what is expected."""
        await self.page.locator(".graphiql-execute-button").click()
        await self.page.wait_for_function(
            """expected => document.querySelector('.result-window .view-lines')
                ?.innerText.replaceAll('\\u00a0', ' ').includes(expected)""",
            arg=expected,
        )

    async def kept(self) -> str:
        """Return everything that the page keeps in the browser."""
        kept: str = await self.page.evaluate(
            "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
        )
        return kept


@asynccontextmanager
async def opened(origin: str) -> AsyncIterator[Visit]:
    """Open GraphiQL, found by way of the front door, and wait for its editor and the schema."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            visit = Visit(await browser.new_page(viewport={"width": 1400, "height": 850}))
            async with visit.page.expect_response(lambda response: response.request.method == "POST"):
                await visit.page.goto(f"{origin}/")
            await visit.page.wait_for_selector(".graphiql-query-editor .monaco-editor .view-line")
            yield visit
        finally:
            await browser.close()


@pytest.fixture
async def visit(gateway_origin: str) -> AsyncIterator[Visit]:
    """Open the page of a gateway that does not tell its plans."""
    async with opened(gateway_origin) as visit:
        yield visit


@pytest.fixture
async def explained(upstream: Upstream) -> AsyncIterator[Visit]:
    """Open the page of a gateway that tells its plans, as the demo's does, and that knows nothing yet."""
    settings = Settings(
        clever_url=upstream.origin, explain=True, graphiql=True, public_introspection=True, log_level="error"
    )
    with running(create_app(settings, demo_token=TOKEN)) as origin:
        async with opened(origin) as visit:
            yield visit


async def test_the_first_example_runs_at_a_click(visit: Visit, joins: Joins, gateway_origin: str) -> None:
    assert visit.page.url == f"{gateway_origin}/graphiql"
    assert await visit.page.locator(".graphiql-tab").count() == 3
    assert await visit.page.input_value("#token") == TOKEN

    (district,) = joins.records["districts"].values()
    await visit.run(f'"name": "{district["name"]}"')

    assert TOKEN not in await visit.kept()
    assert [url for url in visit.requests if not HERE.match(url)] == []
    assert visit.complaints == []


async def test_a_wrong_token_is_told_beside_the_field_and_is_not_kept(visit: Visit) -> None:
    note = visit.page.locator("#token-note")
    await visit.page.fill("#token", "MARKED")
    await visit.run("UNAUTHENTICATED")

    assert await note.inner_text() == "This token was refused. Paste a Clever district-app token."
    assert await visit.page.get_attribute("#token", "aria-invalid") == "true"
    assert "MARKED" not in await visit.kept()

    await visit.page.fill("#token", TOKEN)
    await visit.run('"schools": {')
    assert await note.inner_text() == ""
    assert await visit.page.get_attribute("#token", "aria-invalid") == "false"
    assert visit.complaints == []


async def test_a_plan_is_neither_asked_for_nor_shown_where_the_server_tells_none(visit: Visit) -> None:
    await visit.run('"schools": {')

    assert not await visit.page.is_visible("#explain")
    assert set(visit.explains) == {None}
    assert await visit.page.locator(".plan").count() == 0


async def test_the_plan_of_an_answer_is_a_waterfall_below_it(explained: Visit) -> None:
    page = explained.page
    await explained.run('"schools": {')
    steps = page.locator(".plan .step")
    first = steps.first

    assert await page.is_checked("#explain")
    assert explained.explains[-1] == "plan"
    assert await steps.count() > 3
    assert "calls left this minute" in await page.inner_text(".plan-totals")
    assert "districts" in await first.inner_text()
    assert "1 call" in await first.inner_text()
    why = await first.get_attribute("title")
    assert why
    assert not await first.locator("p").is_visible()
    await first.locator("summary").click()
    assert why[1:] in await first.locator("p").inner_text()

    tracks = await page.locator(".step-track").all()
    for track in tracks:
        whole, bar = await track.bounding_box(), await track.locator(".step-bar").bounding_box()
        assert whole["x"] <= bar["x"]
        assert bar["x"] + bar["width"] <= whole["x"] + whole["width"] + 0.5
        assert bar["width"] >= 3
    # The JSON stays as short as without a plan.
    shown = await page.evaluate("JSON.stringify({...localStorage})")
    assert '"plan"' not in shown
    assert TOKEN not in await explained.kept()
    assert [url for url in explained.requests if not HERE.match(url)] == []
    assert explained.complaints == []


async def test_what_was_remembered_looks_otherwise(explained: Visit) -> None:
    await explained.run('"schools": {')
    assert await explained.page.locator(".step:not(.step-cached)").count() > 0
    async with explained.page.expect_response(lambda response: response.request.method == "POST"):
        await explained.page.locator(".graphiql-execute-button").click()
    await explained.page.wait_for_function("document.querySelectorAll('.step:not(.step-cached)').length === 0")

    assert "0 calls" in await explained.page.inner_text(".plan-totals")
    assert "memory" in await explained.page.locator(".step-cached").first.inner_text()


async def test_each_tab_has_the_plan_of_its_own_answer_and_none_once_that_is_turned_off(explained: Visit) -> None:
    page = explained.page
    await explained.run('"schools": {')
    await page.locator(".graphiql-tab").nth(1).locator("button").first.click()
    await page.wait_for_selector(".plan", state="detached")
    await page.locator(".graphiql-tab").nth(0).locator("button").first.click()
    await page.wait_for_selector(".plan")

    await page.uncheck("#explain")
    async with page.expect_response(lambda response: response.request.method == "POST"):
        await page.locator(".graphiql-execute-button").click()
    await page.wait_for_selector(".plan", state="detached")
    assert explained.explains[-1] is None
    assert explained.complaints == []
