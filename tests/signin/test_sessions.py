"""Sessions below HTTP: how cookies are sealed, when sessions end, and that what is remembered stays small."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey
from starlette.responses import Response

from gateway.errors import Unauthenticated
from gateway.identity import Tenant, Viewer
from gateway.web.headers import RequestHeaders
from gateway.web.sessions import Seal, Session, SessionAuthenticator, Sessions, cookie_of
from gateway.web.spent import Spent


def sent(headers: dict[str, str]) -> RequestHeaders:
    return RequestHeaders([(name.encode(), value.encode()) for name, value in headers.items()])


USER, DISTRICT = "a" * 24, "d" * 24
ONE, OTHER = "one" * 12, "other" * 8


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def cookie_from(response: Response) -> str:
    return response.headers["set-cookie"].partition(";")[0]


def begun(sessions: Sessions, user: str = USER) -> str:
    response = Response()
    sessions.begin(response, user, DISTRICT)
    return cookie_from(response)


class TestSeals:
    def test_what_was_sealed_opens_under_the_same_secret_and_purpose_only(self) -> None:
        text = Seal([ONE], "session").close({"x": 1})

        assert Seal([ONE], "session").open(text) == {"x": 1}
        assert Seal([OTHER, ONE], "session").open(text) == {"x": 1}
        assert Seal([OTHER], "session").open(text) is None
        assert Seal([ONE], "sign-in").open(text) is None

    def test_the_first_secret_seals(self) -> None:
        text = Seal([ONE, OTHER], "session").close({"x": 1})

        assert Seal([OTHER], "session").open(text) is None

    def test_the_same_never_looks_the_same(self) -> None:
        seal = Seal([ONE], "session")

        assert seal.close({"x": 1}) != seal.close({"x": 1})

    @given(st.integers(0, 200), st.sampled_from("Aa09_-.=\x00"))
    def test_nothing_can_be_changed(self, at: int, letter: str) -> None:
        seal = Seal([ONE], "session")
        text = seal.close({"user": USER})
        changed = text[: at % len(text)] + letter + text[at % len(text) + 1 :]
        opened = seal.open(changed)

        # The last letter of a part has bits that mean nothing.
        assert opened in (None, {"user": USER})
        if changed[:-1].count(".") == 4 and opened is not None:
            assert changed == text or at % len(text) + 1 == len(text) or text[at % len(text) + 1] == "."

    @given(st.text(max_size=300))
    def test_any_text_is_taken(self, text: str) -> None:
        assert Seal([ONE], "session").open(text) is None

    @pytest.mark.parametrize(
        "header",
        [
            {"alg": "none"},
            {"alg": "dir", "enc": "A128CBC-HS256"},
            {"alg": "A256KW", "enc": "A256GCM"},
            {"alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2c": 10_000_000, "p2s": "eA"},
            {"alg": "dir", "enc": "A256GCM", "zip": "DEF"},
            {"alg": "dir", "enc": "A256GCM", "crit": ["x"], "x": 1},
            {"alg": []},
            [],
            1,
        ],
        ids=str,
    )
    def test_no_other_algorithm_is_followed(self, header: Any) -> None:
        genuine = Seal([ONE], "session").close({"x": 1}).split(".")
        import base64

        genuine[0] = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        assert Seal([ONE], "session").open(".".join(genuine)) is None

    def test_a_long_text_is_not_looked_at(self) -> None:
        seal = Seal([ONE], "session")

        assert seal.open(seal.close({"x": "y" * 5000})) is None

    def test_it_is_plain_json_web_encryption(self) -> None:
        seal = Seal([ONE], "session")
        opened = jwe.decrypt_compact(seal.close({"x": 1}), seal._keys[0], ["dir", "A256GCM"])

        assert opened.plaintext == b'{"x":1}'
        assert isinstance(seal._keys[0], OctKey)


class TestSpent:
    async def test_a_name_passes_once_until_its_time(self) -> None:
        clock = Clock()
        spent = Spent(clock=clock)

        assert await spent.take("a", clock.now + 10)
        assert not await spent.take("a", clock.now + 10)
        assert "a" in spent
        clock.now += 11
        assert await spent.take("b", clock.now + 10)
        assert "a" not in spent
        assert len(spent) == 1

    def test_it_stays_small(self) -> None:
        clock = Clock()
        spent = Spent(most=100, clock=clock)
        for number in range(1_000):
            spent.add(str(number), clock.now + 1 + number)

        assert len(spent) == 100
        assert "999" in spent
        assert "0" not in spent


class TestSessions:
    def test_a_session_names_its_person_until_its_time(self) -> None:
        clock = Clock()
        sessions = Sessions([ONE], 3600, secure=False, clock=clock)
        cookie = begun(sessions)

        found = sessions.find(f"other=1; {cookie}; more=2")
        assert found is not None
        assert (found.user_id, found.district, found.until) == (USER, DISTRICT, clock.now + 3600)
        clock.now += 3599
        assert sessions.find(cookie) == found
        clock.now += 1
        with pytest.raises(Unauthenticated, match="Your session has ended"):
            sessions.find(cookie)

    def test_an_ended_session_is_over_and_others_of_the_person_go_on(self) -> None:
        sessions = Sessions([ONE], 3600, secure=True)
        first, second = begun(sessions), begun(sessions)
        sessions.end(Response(), first)

        with pytest.raises(Unauthenticated):
            sessions.find(first)
        assert sessions.find(second) is not None
        sessions.end(Response(), first)

    @pytest.mark.parametrize("cookies", ["", "x", "clever_session_2=a", "other=clever_session=1", ";;="])
    def test_no_cookie_is_no_session(self, cookies: str) -> None:
        assert Sessions([ONE], 3600, secure=False).find(cookies) is None

    @pytest.mark.parametrize("value", ["", "x", "a.b.c.d.e", "\u00e9"])
    def test_a_made_up_one_is_over(self, value: str) -> None:
        with pytest.raises(Unauthenticated):
            Sessions([ONE], 3600, secure=False).find(f"clever_session={value}")

    def test_nothing_shows_the_person(self) -> None:
        cookie = begun(sessions := Sessions([ONE], 3600, secure=False))
        found = sessions.find(cookie)

        assert isinstance(found, Session)
        assert USER not in repr(found) + cookie
        assert DISTRICT not in repr(found) + cookie

    def test_of_several_cookies_of_a_name_the_first_counts(self) -> None:
        assert cookie_of("a=1; b=2; a=3", "a") == "1"
        assert cookie_of("a=1; b=2=3", "b") == "2=3"
        assert cookie_of("a", "a") == ""


class TestTheCaller:
    @pytest.fixture
    def sessions(self) -> Sessions:
        return Sessions([ONE], 3600, secure=False)

    @pytest.fixture
    def authenticator(self, sessions: Sessions) -> SessionAuthenticator:
        async def tenant(district: str) -> Tenant | None:
            return Tenant("token", district) if district == DISTRICT else None

        return SessionAuthenticator(sessions, tenant, frozenset({"refresh"}))

    async def test_it_is_the_person_in_the_district(
        self, sessions: Sessions, authenticator: SessionAuthenticator
    ) -> None:
        caller = await authenticator.caller(sent({"cookie": begun(sessions)}))

        assert caller is not None
        assert caller.viewer == Viewer(USER)
        assert caller.tenant == Tenant("token", DISTRICT)
        assert caller.permissions == {"refresh"}

    async def test_by_default_people_have_no_permissions(self, sessions: Sessions) -> None:
        async def tenant(district: str) -> Tenant:
            return Tenant("token", district)

        caller = await SessionAuthenticator(sessions, tenant).caller(sent({"cookie": begun(sessions)}))
        assert caller is not None
        assert caller.permissions == frozenset()

    @pytest.mark.parametrize("headers", [{}, {"cookie": "x=1"}, {"authorization": "Bearer x"}], ids=str)
    async def test_it_is_nobody_without_the_cookie(
        self, authenticator: SessionAuthenticator, headers: dict[str, str]
    ) -> None:
        assert await authenticator.caller(sent(headers)) is None

    async def test_an_authorization_goes_first(self, sessions: Sessions, authenticator: SessionAuthenticator) -> None:
        headers = sent({"cookie": begun(sessions), "authorization": "Bearer x"})

        assert await authenticator.caller(headers) is None

    async def test_a_district_that_left_lets_nobody_in(
        self, sessions: Sessions, authenticator: SessionAuthenticator
    ) -> None:
        response = Response()
        sessions.begin(response, USER, "e" * 24)

        with pytest.raises(Unauthenticated, match="not connected to this application any more"):
            await authenticator.caller(sent({"cookie": cookie_from(response)}))
