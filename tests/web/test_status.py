"""The status page: who may see it, what it shows of a real gateway, and what it never shows."""

import base64
import re
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from gateway.web.status_page import District, Held, Operations, Redis, Status, Use, render
from tests.conftest import TOKEN, Upstream
from tests.resilience.faulty import ANY, Faulty, status
from tests.resilience.fixtures import faulty, faulty_server
from tests.web.conftest import inside

__all__ = ["faulty", "faulty_server"]

PASSWORD = "correct horse battery"
OPS = ("anybody", PASSWORD)
EVERYBODY = "{ users(first: 1000) { nodes { id email name { first middle last } } } }"


def settings(origin: str, **more: Any) -> Settings:
    return Settings(clever_url=origin, status_password=PASSWORD, log_level="error", **more)


async def ask(http: httpx.AsyncClient, query: str, token: str = TOKEN) -> Any:
    response = await http.post("/graphql", json={"query": query}, headers={"authorization": f"Bearer {token}"})
    return response.json()


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


class TestWhoMaySeeIt:
    async def test_without_a_password_in_the_settings_there_is_no_page(self, closed: httpx.AsyncClient) -> None:
        assert (await closed.get("/status", auth=OPS)).status_code == 404

    @pytest.mark.parametrize(
        "authorization",
        [
            None,
            "Basic",
            "Basic !!!!",
            "Basic w6nDqQ==",
            basic("ops"),
            basic("ops:"),
            basic(f"{PASSWORD}:"),
            basic(f"ops:{PASSWORD}!"),
            basic("ops:" + PASSWORD[:-1]),
            f"Bearer {PASSWORD}",
            f"Bearer {TOKEN}",
        ],
    )
    async def test_only_the_password_opens_it(self, upstream: Upstream, authorization: str | None) -> None:
        headers = {} if authorization is None else {"authorization": authorization}
        async with inside(create_app(settings(upstream.origin))) as http:
            for path in ("/status", "/status?main"):
                response = await http.get(path, headers=headers)

                assert response.status_code == 401
                assert response.headers["www-authenticate"].startswith("Basic ")
                assert "Calls" not in response.text
                assert PASSWORD not in response.text

    async def test_any_name_with_the_password_opens_it(self, upstream: Upstream) -> None:
        async with inside(create_app(settings(upstream.origin))) as http:
            for name in ("ops", "", "a b"):
                assert (await http.get("/status", auth=(name, PASSWORD))).status_code == 200

    @pytest.mark.parametrize("short", ["short", "eleven char"])
    def test_a_short_password_is_refused(self, short: str) -> None:
        with pytest.raises(ValueError, match="must have at least 12 characters"):
            Settings(status_password=short)

    async def test_nothing_is_kept_or_framed_and_nothing_foreign_runs(self, upstream: Upstream) -> None:
        async with inside(create_app(settings(upstream.origin))) as http:
            first, second = [(await http.get("/status", auth=OPS)) for _ in range(2)]
        policies = [one.headers["content-security-policy"] for one in (first, second)]

        assert first.headers["cache-control"] == "no-store"
        assert policies[0].startswith("default-src 'none'; ")
        assert "unsafe" not in policies[0]
        assert policies[0] != policies[1]
        nonces = re.findall(r'nonce="([^"]+)"', first.text)
        assert len(nonces) == 2
        assert all(f"'nonce-{nonce}'" in policies[0] for nonce in nonces)


class TestWhatItShows:
    async def test_a_gateway_at_work(self, upstream: Upstream) -> None:
        async with inside(create_app(settings(upstream.origin, calls_per_minute=100))) as http:
            for token in (TOKEN, TOKEN, "TEST_TOKEN_2"):
                await ask(http, EVERYBODY, token)
            page = (await http.get("/status", auth=OPS)).text
            part = (await http.get("/status?main", auth=OPS)).text

        assert page.count("<main") == part.count("<main") == 1
        assert "<html" not in part
        assert 'class="state good">ready<' in page
        assert len(re.findall(r"<th scope=row>token [0-9a-f]{6}<", page)) == 2
        assert re.search(r'aria-label="9\d of 100 calls left"', page)
        assert re.search(r"<th scope=row>users</th><td class=number>\d+</td>", page)
        assert re.search(r"<th scope=row>document [0-9a-f]{8}</th>", page)
        assert "None since the start." in page

    async def test_faults_of_clever_and_no_other(self, faulty: Faulty) -> None:
        faulty.always(ANY, status(503))
        async with inside(create_app(settings(faulty.origin, upstream_failures=3))) as http:
            await ask(http, "{ district { name } }")
            failing = (await http.get("/status", auth=OPS)).text
        faulty.always(ANY, status(401))
        async with inside(create_app(settings(faulty.origin))) as http:
            await ask(http, "{ district { name } }")
            refusing = (await http.get("/status", auth=OPS)).text

        assert "<code>/districts</code></th><td>status 503</td>" in failing
        assert 'class="state bad">Clever is left alone<' in failing
        assert "None since the start." in refusing

    async def test_nothing_of_the_roster_and_no_token(self, upstream: Upstream) -> None:
        async with inside(create_app(settings(upstream.origin))) as http:
            people = (await ask(http, EVERYBODY))["data"]["users"]["nodes"]
            page = (await http.get("/status", auth=OPS)).text
        words = {word for one in people for word in (one["id"], one["email"], *one["name"].values()) if word}

        assert len(words) > 50
        # Shorter ones are found in any page by chance.
        assert {word for word in words if len(word) > 6 and word in page} == set()
        assert TOKEN not in page


def shown(**more: Any) -> Status:
    held = Held("memory", 1, 900, 1000)
    plain: dict[str, Any] = {
        "version": "1",
        "process": 7,
        "state": "ready",
        "uptime_s": 90_061.0,
        "at": 1_800_000_000.0,
        "requests": [1] * 60,
        "errors": 0,
        "calls": [0] * 60,
        "requests_waiting": 0,
        "calls_running": 0,
        "calls_waiting": 0,
        "left_alone": False,
        "districts": [],
        "memory": held,
        "answers": held,
        "kinds": [],
        "slowest": [],
        "faults": [],
        "redis": None,
    }
    return Status(**{**plain, **more})


class TestRendering:
    def test_words_from_elsewhere_are_no_markup(self) -> None:
        evil = '<img src=x onerror="alert(1)">&'
        page = render(
            shown(
                districts=[District(evil, evil + "2", 1, 2)],
                kinds=[Use(evil, 1, 1, 1, 1, 1)],
                slowest=[Operations(evil, 1, 1, 0.1, 2.0)],
            )
        )

        assert "<img" not in page
        assert page.count("&lt;img") == 4

    def test_a_district_of_a_known_name_is_shown_by_it_with_its_id(self) -> None:
        page = render(shown(districts=[District("South Mark", "5f", 300, 1200)]))

        assert "<th scope=row>South Mark<small>5f</small></th>" in page
        assert "300 <small>of 1,200</small>" in page

    def test_redis_is_shown_where_it_is_used(self) -> None:
        assert "Redis" not in render(shown())
        assert "<strong>75%</strong>" in render(shown(redis=Redis(True, 3, 1, 0)))
        assert "<strong>not there</strong>" in render(shown(redis=Redis(False, 3, 1, 5)))
        assert "5 failures" in render(shown(redis=Redis(True, 3, 1, 5)))

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(5, "up 5 s"), (61, "up 1 min"), (3661, "up 1 h 1 min"), (90_061, "up 1 d 1 h")],
    )
    def test_times_read_well(self, seconds: float, words: str) -> None:
        assert words in render(shown(uptime_s=seconds))

    def test_without_a_cache_it_says_so(self) -> None:
        nothing = Held("memory", 0, 0, 0)

        assert "Nothing is kept" in render(shown(memory=nothing, answers=nothing))
