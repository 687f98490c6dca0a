"""Sign in with Clever, from the first step to the last, over real HTTP: who gets a session, and who does not."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import CLIENT_ID
from tests.conftest import Upstream
from tests.servers import running_at

from .conftest import FLOW, SESSION, Browser, page_of, people_settings


def query_of(location: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(location).query))


class TestSigningIn:
    async def test_a_person_comes_back_with_a_session(self, browser: Browser, teacher: str) -> None:
        assert (await browser.ask())["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        browser.upstream.reset()
        answer = await browser.login(teacher, "/graphiql?x=1")

        assert answer.status_code == 303
        assert answer.headers["location"] == "/graphiql?x=1"
        # The person's record may be remembered.
        assert browser.upstream.calls() in ({"/me": 1}, {"/me": 1, "/users/{id}": 1})
        assert (await browser.ask())["data"] == {"district": {"cleverId": browser.upstream.app.describe()[0].id}}

    async def test_clever_is_asked_with_state_and_a_challenge(self, browser: Browser) -> None:
        first = await browser.http.get(f"{browser.origin}/login")
        second = await browser.http.get(f"{browser.origin}/login?district={'a' * 24}")
        asked = [query_of(one.headers["location"]) for one in (first, second)]

        assert first.status_code == 303
        assert first.headers["location"].startswith(f"{browser.upstream.origin}/oauth/authorize?")
        assert {name: asked[0][name] for name in ("response_type", "client_id", "redirect_uri")} == {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": f"{browser.origin}/oauth/callback",
        }
        assert asked[0]["code_challenge_method"] == "S256"
        assert len(asked[0]["state"]) >= 32
        for name in ("state", "code_challenge"):
            assert asked[0][name] != asked[1][name]
        assert "district_id" not in asked[0]
        assert asked[1]["district_id"] == "a" * 24

    async def test_the_district_is_the_person_s(self, browser: Browser) -> None:
        second = browser.upstream.app.describe()[1]
        person = next(iter(browser.upstream.oracle(second.token).users))
        await browser.login(person, district=1)

        assert (await browser.ask())["data"] == {"district": {"cleverId": second.id}}

    async def test_the_cookies_are_out_of_reach_and_say_nothing(self, browser: Browser, teacher: str) -> None:
        asked = await browser.http.get(f"{browser.origin}/login")
        state = query_of(asked.headers["location"])["state"]
        done = await browser.come_back(await browser.choose(asked.headers["location"], teacher))
        flow, (gone, session) = asked.headers.get_list("set-cookie"), sorted(done.headers.get_list("set-cookie"))[::-1]
        if not session.startswith(SESSION):
            gone, session = session, gone

        assert len(flow) == 1
        for cookie, seconds in ((flow[0], 600), (session, 8 * 3600)):
            parts = [part.strip().lower() for part in cookie.split(";")]
            assert {"httponly", "path=/", "samesite=lax", f"max-age={seconds}"} <= set(parts)
            assert "domain" not in cookie.lower()
        assert gone.startswith(f'{FLOW}="";')
        assert "Max-Age=0" in gone
        district = browser.upstream.app.describe()[0].id
        assert not any(secret in cookie for cookie in (*flow, session) for secret in (state, teacher, district))

    async def test_over_https_they_are_bound_to_the_host(self, upstream: Upstream) -> None:
        settings = people_settings(upstream, "https://gateway.example")
        with running_at(lambda _origin: create_app(settings)) as origin:
            asked = httpx.get(f"{origin}/login")

        (cookie,) = asked.headers.get_list("set-cookie")
        assert cookie.startswith("__Host-clever_sign_in=")
        assert "; Secure" in cookie
        assert query_of(asked.headers["location"])["redirect_uri"] == "https://gateway.example/oauth/callback"

    async def test_two_tabs_may_sign_in_at_once(self, browser: Browser, teacher: str, student: str) -> None:
        asked = [await browser.http.get(f"{browser.origin}/login?next=/{tab}") for tab in (1, 2)]
        backs = [await browser.choose(one.headers["location"], teacher) for one in asked]
        done = [await browser.come_back(back) for back in backs]

        assert [one.headers["location"] for one in done] == ["/1", "/2"]

    async def test_tabs_with_long_addresses_leave_room_for_the_last(self, browser: Browser, teacher: str) -> None:
        onward = [f"/{number}{'x' * 990}" for number in range(6)]
        asked = [await browser.http.get(f"{browser.origin}/login", params={"next": one}) for one in onward]
        done = await browser.come_back(await browser.choose(asked[-1].headers["location"], teacher))

        assert max(len(one.headers["set-cookie"]) for one in asked) < 4096
        assert done.headers["location"] == onward[-1]

    async def test_signing_in_again_ends_the_session_before(self, browser: Browser, teacher: str, student: str) -> None:
        await browser.login(teacher)
        before = browser.http.cookies[SESSION]
        await browser.login(student)
        after = browser.http.cookies[SESSION]

        assert "data" in await browser.ask()
        assert after != before
        async with httpx.AsyncClient(cookies={SESSION: before}) as other:
            answer = (await other.post(f"{browser.origin}/graphql", json={"query": "{ district { name } }"})).json()
        assert answer["errors"][0]["message"] == "Your session has ended. Sign in again at `/login`."


class TestWhereItLeads:
    @pytest.mark.parametrize("onward", ["/", "/a/b?c=d&e=%2F%2Fx", "/graphiql#x", "/]", "/a//b"])
    async def test_to_the_path_that_was_asked_for(self, browser: Browser, teacher: str, onward: str) -> None:
        assert (await browser.login(teacher, onward)).headers["location"] == onward

    @pytest.mark.parametrize(
        "onward",
        [
            "",
            "graphiql",
            "https://elsewhere.example/",
            "//elsewhere.example/",
            "/\\elsewhere.example/",
            "\\\\elsewhere.example",
            "/\t/elsewhere.example/",
            "\n//elsewhere.example",
            " //elsewhere.example",
            "javascript:alert(1)",
            "/x\r\nset-cookie: a=b",
            "/\u00e9",
            "//]",
            "/" * 3,
            "/" + "x" * 1000,
        ],
        ids=repr,
    )
    async def test_never_to_another_site(self, browser: Browser, teacher: str, onward: str) -> None:
        assert (await browser.login(teacher, onward)).headers["location"] == "/graphiql"

    async def test_another_name_of_this_machine_leads_to_the_one_that_clever_knows(self, browser: Browser) -> None:
        port = urlsplit(browser.origin).port
        host = {"host": f"localhost:{port}"}
        led = await browser.http.get(f"{browser.origin}/login?next=/x", headers=host)
        other = await browser.http.get(f"{browser.origin}/login?next=/x", headers={"host": "gateway.internal"})

        assert led.headers["location"] == f"{browser.origin}/login?next=/x"
        assert other.headers["location"].startswith(browser.upstream.origin)


class TestStates:
    async def test_a_code_from_the_portal_is_thrown_away_and_a_sign_in_of_our_own_begun(
        self, browser: Browser, teacher: str, student: str
    ) -> None:
        portal = f"{browser.upstream.origin}/oauth/instant-login?client_id={CLIENT_ID}"
        (code,) = query_of(await browser.choose(portal, student)).values()
        browser.upstream.reset()
        led = await browser.http.get(f"{browser.origin}/oauth/callback?code={code}")

        assert browser.upstream.calls() == {}
        assert led.status_code == 303
        asked = query_of(led.headers["location"])
        assert asked["state"]
        assert code not in led.headers["location"]
        done = await browser.come_back(await browser.choose(led.headers["location"], teacher))
        assert done.headers["location"] == "/graphiql"

    async def test_a_state_is_good_once(self, browser: Browser, teacher: str) -> None:
        asked = await browser.http.get(f"{browser.origin}/login")
        flow = browser.http.cookies[FLOW]
        back = await browser.choose(asked.headers["location"], teacher)
        assert (await browser.come_back(back)).status_code == 303

        # Even with the cookie as it was then.
        async with httpx.AsyncClient(cookies={FLOW: flow}) as again:
            answer = await again.get(back)
        assert "has been finished already" in page_of(answer, 400)
        assert not any(cookie.startswith(SESSION) for cookie in answer.headers.get_list("set-cookie"))

    async def test_of_two_that_come_back_at_once_one_is_let_in(self, browser: Browser, teacher: str) -> None:
        asked = await browser.http.get(f"{browser.origin}/login")
        back = await browser.choose(asked.headers["location"], teacher)
        done = await asyncio.gather(*(browser.come_back(back) for _ in range(5)))

        assert sorted(one.status_code for one in done) == [303, 400, 400, 400, 400]

    async def test_another_browser_cannot_finish_it(self, browser: Browser, teacher: str) -> None:
        asked = await browser.http.get(f"{browser.origin}/login")
        back = await browser.choose(asked.headers["location"], teacher)
        browser.upstream.reset()
        async with httpx.AsyncClient() as other:
            answer = await other.get(back)

        assert "was not begun in this browser" in page_of(answer, 400)
        assert browser.upstream.calls() == {}

    @pytest.mark.parametrize("cookie", ["", "x", "a.b.c.d.e", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0.....", "\xe9"])
    async def test_a_made_up_cookie_is_none(self, browser: Browser, cookie: str) -> None:
        headers = {b"cookie": f"{FLOW}={cookie}".encode("latin-1")}
        answer = await browser.http.get(f"{browser.origin}/oauth/callback?code=x&state=y", headers=headers)

        page_of(answer, 400)

    async def test_the_session_s_cookie_is_none_of_a_sign_in(self, browser: Browser, teacher: str) -> None:
        await browser.login(teacher)
        sealed = browser.http.cookies[SESSION]
        async with httpx.AsyncClient(cookies={FLOW: sealed}) as other:
            page_of(await other.get(f"{browser.origin}/oauth/callback?code=x&state=y"), 400)


class TestNotSignedIn:
    async def test_who_cancels(self, browser: Browser) -> None:
        asked = await browser.http.get(f"{browser.origin}/login?next=/back")
        state = query_of(asked.headers["location"])["state"]
        mark = "<b>mark</b>"
        answer = await browser.http.get(
            f"{browser.origin}/oauth/callback",
            params={"error": "access_denied", "error_description": mark, "state": state},
        )

        assert "you chose not to" in page_of(answer, 403)
        assert "mark" not in answer.text
        assert 'href="/login?next=%2Fback"' in answer.text
        assert SESSION not in browser.http.cookies

    async def test_an_error_without_a_state_is_not_answered_by_going_back_there(self, browser: Browser) -> None:
        page_of(await browser.http.get(f"{browser.origin}/oauth/callback?error=access_denied"), 400)

    async def test_a_code_that_clever_does_not_take(self, browser: Browser) -> None:
        asked = await browser.http.get(f"{browser.origin}/login")
        state = query_of(asked.headers["location"])["state"]
        answer = await browser.http.get(f"{browser.origin}/oauth/callback?code=made-up&state={state}")

        assert "Try again" in page_of(answer, 400)

    @pytest.mark.parametrize(
        ("person", "reason"),
        [("library", "Accounts of Clever Library belong to no school district"), ("demo", "Clever's demo accounts")],
    )
    async def test_accounts_that_no_roster_has(self, browser: Browser, person: str, reason: str) -> None:
        answer = await browser.login(person)

        assert reason in page_of(answer, 403)
        assert 'href="/login?next=%2Fgraphiql"' in answer.text
        assert SESSION not in browser.http.cookies

    async def test_people_of_a_district_without_a_token(self, upstream: Upstream, teacher: str) -> None:
        def app(origin: str) -> Any:
            other = upstream.app.describe()[1]
            return create_app(people_settings(upstream, origin, district_tokens=f"{other.id}={other.token}"))

        with running_at(app) as origin:
            async with httpx.AsyncClient() as http:
                answer = await Browser(origin, upstream, http).login(teacher)

        assert "has not connected this application" in page_of(answer, 403)

    async def test_with_a_key_that_clever_does_not_know(self, upstream: Upstream, teacher: str) -> None:
        def app(origin: str) -> Any:
            settings = people_settings(upstream, origin, clever_client_secret="wrong")
            return create_app(settings)

        with running_at(app) as origin:
            async with httpx.AsyncClient() as http:
                answer = await Browser(origin, upstream, http).login(teacher)

        assert "do not agree about its key" in page_of(answer, 502)
        assert "wrong" not in answer.text

    @pytest.mark.parametrize("part", ["clever_url", "clever_oauth_url"])
    async def test_while_clever_cannot_be_reached(self, upstream: Upstream, teacher: str, part: str) -> None:
        nobody = "http://127.0.0.1:1"

        def app(origin: str) -> Any:
            settings = people_settings(upstream, origin, **{"clever_oauth_url": upstream.origin, part: nobody})
            return create_app(settings)

        with running_at(app) as origin:
            async with httpx.AsyncClient() as http:
                browser = Browser(origin, upstream, http)
                asked = await http.get(f"{origin}/login")
                authorize = asked.headers["location"].replace(nobody, upstream.origin)
                answer = await browser.come_back(await browser.choose(authorize, teacher))

        assert "Try again" in page_of(answer, 503)
        assert nobody not in answer.text
