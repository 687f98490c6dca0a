"""Clever's part in signing in: whom one may choose, where that leads, and what a code is good for."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from gateway.sandbox import CLIENT_ID, CLIENT_SECRET, create_app
from gateway.sandbox.signin import MOST_TOKENS
from tests.servers import running

from .conftest import Served

OURS = (CLIENT_ID, CLIENT_SECRET)
CALLBACK = "http://127.0.0.1:4000/oauth/callback"
ASK = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK, "state": "s t&te"}
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def authorize(served: Served, **changed: str) -> httpx.Response:
    return served.client.get("/oauth/authorize", params={**ASK, **changed})


def choose(served: Served, person: str, page: str = "authorize", **changed: str) -> dict[str, str]:
    """Choose a person and return what the app is told."""
    district = served.app.describe()[0].id
    form = {**ASK, "district_id": district, "person": person, **changed}
    sent = served.client.post(f"/oauth/{page}", data=form)
    assert sent.status_code == 303, sent.text
    assert sent.headers["location"].startswith(f"{form['redirect_uri']}?")
    return told(sent)


def told(response: httpx.Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(response.headers["location"]).query))


def exchange(served: Served, code: str, **changed: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **changed}
    return served.client.post("/oauth/tokens", data=form, auth=OURS)


def people(page: str) -> list[str]:
    return re.findall(r'name="person" value="([^"]+)"', page)


def teacher(served: Served) -> str:
    return next(user for user in served.oracle.with_role("teacher") if served.oracle.user_sections(user))


class TestThePage:
    def test_it_offers_a_few_people_of_each_role(self, served: Served) -> None:
        page = authorize(served)
        offered = [user for user in people(page.text) if user in served.oracle.users]

        assert page.status_code == 200
        for role in ("district_admin", "staff", "teacher", "student", "contact"):
            held = [user for user in offered if role in served.oracle.users[user]["roles"]]
            assert 1 <= len(held) <= 15, role
        assert len(offered) <= 25

    def test_it_has_no_script_and_its_forms_lead_here_and_to_the_app(self, served: Served) -> None:
        page = authorize(served)
        policy = page.headers["content-security-policy"]

        assert "<script" not in page.text
        assert "default-src 'none'" in policy
        assert "form-action 'self' http://127.0.0.1:4000;" in policy
        assert "unsafe" not in policy
        assert page.headers.get_list("content-security-policy") == [policy]

    def test_people_are_found_by_words_of_their_names_and_by_role(self, served: Served) -> None:
        user = served.oracle.users[teacher(served)]
        name = f"{user['name']['last'].upper()} {user['name']['first'][:3]}"

        assert user["id"] in people(authorize(served, q=name).text)
        assert user["id"] in people(authorize(served, q=name, role="teacher").text)
        assert user["id"] not in people(authorize(served, q=name, role="student").text)
        assert people(authorize(served, q="\u00df no such name").text) == []

    def test_of_many_it_lists_fifty_and_says_so(self, served: Served) -> None:
        page = authorize(served, q="a")

        assert len(people(page.text)) == 50
        assert "There are more" in page.text

    def test_another_district_can_be_looked_at(self, served: Served) -> None:
        second = served.app.describe()[1]
        shown = people(authorize(served, district_id=second.id, role="student").text)

        assert shown
        assert set(shown) <= served.app.records(second.token)["users"].keys()

    def test_what_was_sent_stands_in_it_as_text(self, served: Served) -> None:
        mark = '"><b id=x>'
        page = authorize(served, q=mark, state=mark).text

        assert "<b id=x>" not in page
        assert page.count(mark) == 0
        assert unescape(page).count(mark) == 3


class TestWhereItLeads:
    def test_a_choice_comes_back_with_a_code_and_the_state(self, served: Served) -> None:
        came = choose(served, teacher(served))

        assert set(came) == {"code", "state"}
        assert came["state"] == ASK["state"]

    def test_a_login_of_the_portal_has_no_state_and_leads_to_the_first_callback(self, served: Served) -> None:
        page = served.client.get("/oauth/instant-login", params={"client_id": CLIENT_ID})
        came = choose(served, teacher(served), "instant-login", redirect_uri="http://127.0.0.1:8000/oauth/callback")

        assert teacher(served) in people(page.text)
        assert set(came) == {"code"}

    def test_cancelling_is_told_to_the_app(self, served: Served) -> None:
        assert choose(served, "", cancel="yes") == {"error": "access_denied", "state": ASK["state"]}

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"code_challenge": CHALLENGE}, "invalid_request"),
            ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ],
    )
    def test_what_it_does_not_speak_is_told_to_the_app(self, served: Served, changed: Any, error: str) -> None:
        sent = authorize(served, **changed)

        assert sent.status_code == 303
        assert told(sent) == {"error": error, "state": ASK["state"]}

    @pytest.mark.parametrize(
        "changed",
        [
            {"client_id": "other"},
            {"client_id": ""},
            {"redirect_uri": ""},
            {"redirect_uri": "https://elsewhere.example/oauth/callback"},
            {"redirect_uri": "http://127.0.0.1:4000/other"},
            {"redirect_uri": "http://127.0.0.1@elsewhere.example/oauth/callback"},
            {"redirect_uri": "http://127.0.0.1:4000/oauth/callback?x=1"},
            {"redirect_uri": "http://127.0.0.1:x/oauth/callback"},
            {"redirect_uri": "ftp://127.0.0.1/oauth/callback"},
        ],
    )
    def test_a_stranger_is_never_led_to(self, served: Served, changed: dict[str, str]) -> None:
        district = served.app.describe()[0].id
        shown = authorize(served, **changed)
        chosen = served.client.post("/oauth/authorize", data={**ASK, "district_id": district, "person": "x", **changed})

        assert (shown.status_code, chosen.status_code) == (400, 400)
        assert "location" not in [*shown.headers, *chosen.headers]

    def test_nobody_who_is_not_there_can_be_chosen(self, served: Served) -> None:
        first, second = served.app.describe()[:2]
        for form in (
            {"person": "nobody", "district_id": first.id},
            {"person": teacher(served), "district_id": second.id},
        ):
            assert served.client.post("/oauth/authorize", data={**ASK, **form}).status_code == 400


class TestTheExchange:
    def test_a_code_becomes_a_token_of_the_person(self, served: Served) -> None:
        user = teacher(served)
        answer = exchange(served, choose(served, user)["code"])

        assert answer.status_code == 200
        assert set(answer.json()) == {"access_token", "token_type"}
        token = answer.json()["access_token"]
        district = served.oracle.users[user]["district"]
        assert served.json("/v3.1/me", token)["data"] == {
            "id": user,
            "district": district,
            "type": "user",
            "authorized_by": "district",
        }
        assert served.json("/userinfo", token)["sub"] == user
        assert served.json(f"/v3.1/users/{user}", token)["data"]["id"] == user
        assert served.get("/v3.1/users", token).status_code == 404
        assert token not in served.app.user_tokens

    def test_json_will_do_as_well(self, served: Served) -> None:
        form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
        code = choose(served, teacher(served))["code"]

        assert served.client.post("/oauth/tokens", json={**form, "code": code}, auth=OURS).status_code == 200
        assert served.client.post("/oauth/tokens", json=["x"], auth=OURS).json()["error"] == "invalid_request"

    def test_a_code_is_good_once(self, served: Served) -> None:
        code = choose(served, teacher(served))["code"]

        assert exchange(served, code).status_code == 200
        again = exchange(served, code)
        assert again.status_code == 400
        assert again.json() == {"error": "invalid_grant", "error_description": "invalid code"}

    def test_a_code_is_good_for_a_minute(self) -> None:
        now = [1_000.0]
        app = create_app("tiny", rate_limit=None, clock=lambda: now[0])
        with running(app) as origin, httpx.Client(base_url=origin) as client:
            served = Served(app, origin, client, oracle=None)  # type: ignore[arg-type]
            person = people(authorize(served).text)[0]
            early, late = (choose(served, person)["code"] for _ in range(2))
            now[0] += 59
            assert exchange(served, early).status_code == 200
            now[0] += 2
            assert exchange(served, late).json()["error"] == "invalid_grant"

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"redirect_uri": "http://127.0.0.1:4001/oauth/callback"}, "invalid_grant"),
            ({"redirect_uri": ""}, "invalid_grant"),
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"code": "made-up"}, "invalid_grant"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, served: Served, changed: Any, error: str) -> None:
        sent = {"code": choose(served, teacher(served))["code"], **changed}
        refused = exchange(served, **sent)

        assert refused.status_code == 400
        assert refused.json()["error"] == error

    @pytest.mark.parametrize("auth", [None, (CLIENT_ID, "wrong"), ("other", CLIENT_SECRET)])
    def test_another_app_gets_nothing_for_it(self, served: Served, auth: Any) -> None:
        form = {"grant_type": "authorization_code", "code": choose(served, teacher(served))["code"]}
        refused = served.client.post("/oauth/tokens", data=form, auth=auth)

        assert refused.status_code == 401
        assert refused.json()["error"] == "invalid_client"

    def test_a_challenge_wants_its_verifier(self, served: Served) -> None:
        asked = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        codes = [choose(served, teacher(served), **asked)["code"] for _ in range(3)]

        assert exchange(served, codes[0], code_verifier=VERIFIER).status_code == 200
        assert exchange(served, codes[1], code_verifier="w" * 43).json()["error"] == "invalid_grant"
        assert exchange(served, codes[2]).json()["error"] == "invalid_grant"


class TestOddAccounts:
    def test_a_demo_account_is_named_by_its_id_of_old(self, served: Served) -> None:
        token = exchange(served, choose(served, "demo")["code"]).json()["access_token"]
        (me,) = served.json("/v3.1/me", token).values()

        assert me["type"] == "teacher"
        assert me["id"] not in served.oracle.users

    def test_a_teacher_of_the_library_has_no_district(self, served: Served) -> None:
        token = exchange(served, choose(served, "library")["code"]).json()["access_token"]
        me = served.json("/v3.1/me", token)

        assert "district" not in me["data"]
        assert [link["rel"] for link in me["links"]] == ["self", "canonical"]


@pytest.fixture(scope="module")
def registered() -> Iterator[Served]:
    uris = ("https://app.example/cb", "http://127.0.0.1:9/cb")
    app = create_app("tiny", rate_limit=None, redirect_uris=uris)
    with running(app) as origin, httpx.Client(base_url=origin) as client:
        yield Served(app, origin, client, oracle=None)  # type: ignore[arg-type]


class TestSettings:
    def test_only_registered_addresses_are_led_to(self, registered: Served) -> None:
        assert authorize(registered).status_code == 400
        assert authorize(registered, redirect_uri="http://127.0.0.1:9/cb").status_code == 200

    def test_the_portal_leads_to_the_first(self, registered: Served) -> None:
        person = people(authorize(registered, redirect_uri="http://127.0.0.1:9/cb").text)[0]
        came = choose(registered, person, "instant-login", redirect_uri="https://app.example/cb")

        assert set(came) == {"code"}


def test_tokens_do_not_pile_up(served: Served) -> None:
    sign_in = served.app._sign_in
    grant = sign_in._grant(served.app.describe()[0].id, teacher(served))
    assert grant is not None
    first = exchange(served, choose(served, teacher(served))["code"]).json()["access_token"]
    assert served.get("/v3.1/me", first).status_code == 200
    before = len(served.app._grants)
    for _ in range(MOST_TOKENS):
        last = sign_in._admit(grant)

    assert len(served.app._grants) <= before + MOST_TOKENS
    assert served.get("/v3.1/me", first).status_code == 401
    assert served.get("/v3.1/me", last).status_code == 200
