"""GraphiQL as a person meets it: in a real browser that can reach this machine alone."""

import importlib.util
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.web.graphiql_page import bundle_available
from tests.conftest import TOKEN, Joins

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
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(not bundle_available(), reason="the GraphiQL bundle has not been built (it takes Node)"),
]


@dataclass
class Visit:
    """An open page, and what it asked for and complained of since."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

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


@pytest.fixture
async def visit(gateway_origin: str) -> AsyncIterator[Visit]:
    """Open GraphiQL, found by way of the front door, and wait for its editor and the schema."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            visit = Visit(await browser.new_page(viewport={"width": 1400, "height": 850}))
            async with visit.page.expect_response(lambda response: response.request.method == "POST"):
                await visit.page.goto(f"{gateway_origin}/")
            await visit.page.wait_for_selector(".graphiql-query-editor .monaco-editor .view-line")
            yield visit
        finally:
            await browser.close()


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
