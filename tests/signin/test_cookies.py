"""What a session's cookie is good for, when it ends, what it is not mistaken for, and what is written down of it."""

from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import CLIENT_SECRET
from tests.conftest import Upstream
from tests.observability.lines import logged
from tests.servers import running_at
from tests.web.conftest import inside

from .conftest import SESSION, Browser, page_of, people_settings

# Another way in, and tokens from elsewhere.
JWT = {
    "jwt_jwks_url": "http://127.0.0.1:1/",
    "jwt_issuer": "https://login.example.org/",
    "jwt_audience": "graphql",
    "district_tokens": "58da8a43cc70ab00017a1a87=a-token",
}


class TestSigningOut:
    async def test_the_session_is_over_wherever_its_cookie_was_copied_to(self, browser: Browser, teacher: str) -> None:
        await browser.login(teacher)
        copied = browser.http.cookies[SESSION]
        answer = await browser.logout()

        assert answer.status_code == 303
        assert answer.headers["location"] == "/graphiql"
        assert answer.headers["clear-site-data"] == '"cache"'
        assert SESSION not in browser.http.cookies
        async with httpx.AsyncClient(cookies={SESSION: copied}) as other:
            refused = await other.post(f"{browser.origin}/graphql", json={"query": "{ district { name } }"})
        assert refused.status_code == 401

    @pytest.mark.parametrize(
        "headers",
        [
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "cross-site", "origin": "{origin}"},
        ],
        ids=str,
    )
    async def test_another_site_cannot_sign_anybody_out(
        self, browser: Browser, teacher: str, headers: dict[str, str]
    ) -> None:
        await browser.login(teacher)
        sent = {name: value.format(origin=browser.origin) for name, value in headers.items()}
        answer = await browser.logout(**sent)

        assert "You are still signed in" in page_of(answer, 403)
        assert "data" in await browser.ask()

    @pytest.mark.parametrize(("sent", "status"), [("https://elsewhere.example", 403), ("null", 403), (None, 303)])
    async def test_browsers_without_fetch_metadata_are_told_by_their_origin(
        self, browser: Browser, sent: str | None, status: int
    ) -> None:
        origin = browser.origin if sent is None else sent
        answer = await browser.http.post(f"{browser.origin}/logout", headers={"origin": origin})

        assert answer.status_code == status

    async def test_a_link_signs_nobody_out(self, browser: Browser, teacher: str) -> None:
        await browser.login(teacher)

        assert (await browser.http.get(f"{browser.origin}/logout")).status_code == 405
        assert "data" in await browser.ask()


class TestCookiesAsCredentials:
    async def test_a_get_needs_the_header_that_no_page_can_send_unasked(self, browser: Browser, teacher: str) -> None:
        await browser.login(teacher)
        address = f"{browser.origin}/graphql?query=%7B+district+%7B+cleverId+%7D+%7D"
        for headers in ({}, {"content-type": "application/json"}):
            refused = await browser.http.get(address, headers=headers)
            assert refused.json()["errors"][0]["extensions"]["code"] == "CSRF_PREVENTED"
        answered = await browser.http.get(address, headers={"graphql-require-preflight": "1"})
        assert "data" in answered.json()

    async def test_a_form_cannot_post(self, browser: Browser, teacher: str) -> None:
        await browser.login(teacher)
        answer = await browser.http.post(
            f"{browser.origin}/graphql",
            content=b'{"query":"{ district { cleverId } }"}',
            headers={"content-type": "text/plain"},
        )
        assert answer.status_code == 415

    async def test_an_authorization_takes_the_cookie_s_place(self, browser: Browser, teacher: str) -> None:
        await browser.login(teacher)
        answer = await browser.ask(authorization="Basic eDp5")

        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"

    async def test_a_session_under_another_secret_is_over(self, browser: Browser, teacher: str) -> None:
        await browser.login(teacher)
        settings = people_settings(browser.upstream, "http://127.0.0.1:1", session_secret="x" * 40)
        with running_at(lambda _origin: create_app(settings)) as origin:
            refused = await browser.http.post(
                f"{origin}/graphql",
                json={"query": "{ district { name } }"},
                headers={"cookie": f"{SESSION}={browser.http.cookies[SESSION]}"},
            )
        assert refused.status_code == 401
        assert "Sign in again" in refused.json()["errors"][0]["message"]

    async def test_a_session_goes_on_while_its_secret_is_among_those_of_old(
        self, browser: Browser, teacher: str
    ) -> None:
        await browser.login(teacher)
        old = people_settings(browser.upstream, None).session_secret
        assert old is not None
        both = f"{'n' * 40}, {old.get_secret_value()}"
        settings = people_settings(browser.upstream, "http://127.0.0.1:1", session_secret=both)
        with running_at(lambda _origin: create_app(settings)) as origin:
            answered = await browser.http.post(
                f"{origin}/graphql",
                json={"query": "{ district { cleverId } }"},
                headers={"cookie": f"{SESSION}={browser.http.cookies[SESSION]}"},
            )
        assert "errors" not in answered.json()


class TestAround:
    async def test_graphiql_forgets_a_session_that_has_ended_and_no_other(self, browser: Browser, teacher: str) -> None:
        await browser.login(teacher)
        kept = await browser.http.get(f"{browser.origin}/graphiql")
        headers = {"cookie": f"{SESSION}=of-another-process"}
        async with httpx.AsyncClient() as other:
            dropped = await other.get(f"{browser.origin}/graphiql", headers=headers)

        assert "set-cookie" not in kept.headers
        assert "data" in await browser.ask()
        assert dropped.headers["set-cookie"].startswith(f'{SESSION}="";')

    @pytest.mark.parametrize(
        "changed",
        [
            {"auth": "passthrough"},
            {"public_url": None, "port": 0},
            {"clever_client_id": None, "clever_client_secret": None, **JWT},
        ],
        ids=str,
    )
    async def test_there_is_no_sign_in_where_the_settings_have_none(
        self, upstream: Upstream, changed: dict[str, Any]
    ) -> None:
        with logged("warning") as log:
            app = create_app(people_settings(upstream, None, **changed))
        async with inside(app) as http:
            answers = [await http.get("/login"), await http.get("/oauth/callback"), await http.post("/logout")]

        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert [line["event"] for line in log.lines] == (["no sign-in"] if "port" in changed else [])

    async def test_a_secret_of_its_own_is_warned_of(self, upstream: Upstream) -> None:
        with logged("warning") as log:
            create_app(people_settings(upstream, "http://127.0.0.1:1", session_secret=None))

        (line,) = log.lines
        assert "GATEWAY_SESSION_SECRET is not set" in line["problem"]

    async def test_the_log_says_how_a_sign_in_ended_and_not_who_it_was(self, upstream: Upstream, teacher: str) -> None:
        def app(origin: str) -> Any:
            return create_app(people_settings(upstream, origin))

        with logged("info") as log, running_at(app) as origin:
            async with httpx.AsyncClient() as http:
                browser = Browser(origin, upstream, http)
                await browser.login("library")
                await browser.login(teacher)
                await browser.logout()

        assert [line["outcome"] for line in log.of("sign-in")] == ["no_district", "signed_in"]
        assert {line["route"] for line in log.of("request")} == {"/login", "/oauth/callback", "/logout"}
        user = upstream.oracle().users[teacher]
        for secret in (teacher, user["district"], user["name"]["last"], user["email"], CLIENT_SECRET, "state="):
            assert secret not in log.text
