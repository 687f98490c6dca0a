"""The status page in a real browser: it keeps itself up to date, complains of nothing, and fits a phone."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.browser.test_graphiql import ARGUMENTS, CHROMIUM
from tests.conftest import TOKEN, Upstream
from tests.servers import running

PASSWORD = "correct horse battery"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
]


@pytest.fixture
async def origin(upstream: Upstream) -> AsyncIterator[str]:
    settings = Settings(clever_url=upstream.origin, status_password=PASSWORD, log_level="error")
    with running(create_app(settings)) as origin:
        yield origin


async def ask(origin: str) -> None:
    async with httpx.AsyncClient(base_url=origin) as http:
        query = {"query": "{ sections(first: 3) { nodes { name students { nodes { id } } } } }"}
        (await http.post("/graphql", json=query, headers={"authorization": f"Bearer {TOKEN}"})).raise_for_status()


@asynccontextmanager
async def opened(origin: str, **options: Any) -> AsyncIterator[tuple[Any, list[str]]]:
    """Open the page with the password; yield it, and what it complains of."""
    from playwright.async_api import async_playwright

    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            credentials: Any = {"username": "ops", "password": PASSWORD}
            context = await browser.new_context(http_credentials=credentials, **options)
            page = await context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            await page.goto(f"{origin}/status")
            yield page, complaints
        finally:
            await browser.close()


async def test_it_shows_what_happens_without_being_loaded_again(origin: str) -> None:
    async with opened(origin) as (page, complaints):
        await page.evaluate("document.body.dataset.same = 'yes'")
        assert await page.get_by_text("No district has been read yet.").count() == 1
        await ask(origin)
        await page.get_by_text("1,200", exact=False).first.wait_for()
        await page.locator("meter").first.wait_for()
        bar = page.locator("section meter").first

        assert await page.evaluate("document.body.dataset.same") == "yes"
        assert (await bar.get_attribute("aria-label")).endswith("of 1200 calls left")
        assert complaints == []


async def test_it_says_when_the_gateway_is_gone(upstream: Upstream) -> None:
    settings = Settings(clever_url=upstream.origin, status_password=PASSWORD, log_level="error")
    server = ExitStack()
    origin = server.enter_context(running(create_app(settings)))
    try:
        async with opened(origin) as (page, _):
            server.close()
            await page.get_by_text("the gateway does not answer").wait_for()
            assert await page.locator("h1").count() == 1
    finally:
        server.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone_in_light_and_dark(origin: str, scheme: str) -> None:
    await ask(origin)
    async with opened(origin, viewport={"width": 360, "height": 800}, color_scheme=scheme) as (page, complaints):
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")

        assert (sum(map(int, background.strip("rgb()").split(","))) > 384) is (scheme == "light")
        assert complaints == []


async def test_without_scripts_it_loads_itself_again(origin: str) -> None:
    async with opened(origin, java_script_enabled=False) as (page, _):
        assert (
            await page.locator("noscript meta[http-equiv=refresh]").count()
            + await page.locator("meta[http-equiv=refresh]").count()
        )
