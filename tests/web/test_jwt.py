"""People who bring a JWT: a good one is taken, a bad one refused with a sentence that repeats nothing of it."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from gateway.web.jwks import read_keys
from tests.conftest import Upstream
from tests.servers import running
from tests.web.issuer import (
    ALGORITHMS,
    AUDIENCE,
    ISSUER,
    KeySet,
    claims_of,
    key_of,
    kind_of,
    public,
    shared,
    signed,
    unsigned,
)

USER = "5faac8b7d1e2f30001a1e857"
STRANGER = "58da8a43cc70ab00017a1aff"
MARK = "Zebulon-Canary-4711"
DISTRICT = {"query": "{ district { cleverId } }"}


@pytest.fixture(scope="module")
def key_set() -> KeySet:
    return KeySet()


@pytest.fixture(scope="module")
def district(upstream: Upstream) -> str:
    return upstream.app.describe()[1].id


@pytest.fixture(scope="module")
def http(upstream: Upstream, key_set: KeySet, district: str) -> Iterator[httpx.Client]:
    """Serve a gateway that takes JWTs, and return a client of it."""
    with running(key_set) as issuer:
        settings = Settings(
            auth="viewer",
            clever_url=upstream.origin,
            district_tokens=f"{district}=TEST_TOKEN_2",
            jwt_jwks_url=f"{issuer}/keys",
            jwt_issuer=ISSUER,
            jwt_audience=f"another, {AUDIENCE}",
            log_level="error",
        )
        with running(create_app(settings)) as origin, httpx.Client(base_url=origin) as client:
            yield client


def ask(http: httpx.Client, token: str) -> httpx.Response:
    return http.post("/graphql", json=DISTRICT, headers={"authorization": f"Bearer {token}"})


def refused(http: httpx.Client, token: str) -> str:
    """Check that a token is refused as it should be, and return the sentence."""
    response = ask(http, token)
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"] == 'Bearer realm="Clever GraphQL gateway"'
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "UNAUTHENTICATED"}
    assert MARK not in response.text
    message: str = error["message"]
    return message


class TestGood:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_tokens_read_the_district_that_they_name(
        self, http: httpx.Client, upstream: Upstream, district: str, algorithm: str
    ) -> None:
        person = next(iter(upstream.app.records("TEST_TOKEN_2")["users"]))
        for _ in range(2):
            response = ask(http, signed(claims_of(person, district), algorithm))
            assert response.json()["data"] == {"district": {"cleverId": district}}

    def test_somebody_whom_the_roster_does_not_know_reads_nothing(self, http: httpx.Client, district: str) -> None:
        response = ask(http, signed(claims_of(USER, district)))
        assert response.status_code == 200
        assert response.json()["data"] == {"district": None}

    @pytest.mark.parametrize(
        "more",
        [
            {"aud": [AUDIENCE, MARK]},
            {"aud": "another"},
            {"exp": timedelta(seconds=-10)},
            {"nbf": timedelta(seconds=10)},
            {"iat": timedelta(seconds=10)},
            {"iat": None},
            {"exp": timedelta(seconds=600.5)},
            {"exp": 10**300},
            {"scope": MARK, "roles": ["district_admin"]},
        ],
        ids=str,
    )
    def test_tokens_of_every_form_that_is_allowed(
        self, http: httpx.Client, district: str, more: dict[str, Any]
    ) -> None:
        assert ask(http, signed(claims_of(USER, district, **more))).status_code == 200

    def test_a_header_may_say_more(self, http: httpx.Client, district: str) -> None:
        token = signed(claims_of(USER, district), x5c=["A" * 2_000], custom=MARK, typ="at+jwt")
        assert ask(http, token).status_code == 200

    def test_a_token_that_names_no_key_is_checked_where_only_one_fits(self, http: httpx.Client, district: str) -> None:
        assert ask(http, signed(claims_of(USER, district), "ES384", kid=None)).status_code == 200


EXPIRED, SIGNATURE, KEY = "has expired", "signature of this JWT is wrong", "a key that its issuer does not publish"
WAY, LACKS = "not signed in a way that is taken", "lacks its issuer, its audience or its expiry"
CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"exp": timedelta(seconds=-100)}, EXPIRED),
    ({"exp": 0}, EXPIRED),
    ({"exp": None}, LACKS),
    ({"exp": MARK}, "expiry of this JWT (exp) is malformed"),
    ({"exp": "1795342776"}, "expiry of this JWT (exp) is malformed"),
    ({"exp": True}, "expiry of this JWT (exp) is malformed"),
    ({"exp": float("nan")}, "expiry of this JWT (exp) is malformed"),
    ({"exp": float("inf")}, "expiry of this JWT (exp) is malformed"),
    ({"nbf": timedelta(seconds=600)}, "not good yet"),
    ({"nbf": MARK}, "not good yet"),
    ({"iat": timedelta(seconds=600)}, "made in the future"),
    ({"iss": None}, LACKS),
    ({"iss": MARK}, "another issuer"),
    ({"iss": ISSUER.rstrip("/")}, "another issuer"),
    ({"iss": [ISSUER]}, "another issuer"),
    ({"aud": None}, LACKS),
    ({"aud": MARK}, "another audience"),
    ({"aud": [MARK]}, "another audience"),
    ({"aud": {AUDIENCE: MARK}}, "another audience"),
    ({"aud": AUDIENCE.upper()}, "another audience"),
    ({"sub": None}, "claim `sub`"),
    ({"sub": MARK}, "claim `sub`"),
    ({"sub": "*"}, "claim `sub`"),
    ({"sub": [USER]}, "malformed"),
    ({"district": None}, "claim `district`"),
    ({"district": MARK}, "claim `district`"),
    ({"district": [STRANGER]}, "claim `district`"),
    ({"district": STRANGER}, "no token for the district"),
]


class TestBad:
    @pytest.mark.parametrize(("more", "sentence"), CLAIMS, ids=str)
    def test_claims(self, http: httpx.Client, district: str, more: dict[str, Any], sentence: str) -> None:
        assert sentence in refused(http, signed(claims_of(USER, district, **more)))

    @pytest.mark.parametrize(
        "algorithm", ["none", "None", "NONE", "nOnE", "", None, 1, ["RS256"], "HS256", "RS1", MARK]
    )
    def test_signatures_that_are_none(self, http: httpx.Client, district: str, algorithm: Any) -> None:
        assert WAY in refused(http, unsigned(claims_of(USER, district), alg=algorithm, kid="RSA"))

    @pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
    def test_a_public_key_is_no_shared_secret(self, http: httpx.Client, district: str, algorithm: str) -> None:
        key = key_of("RSA")
        for secret in (key.as_pem(private=False), json.dumps(public(key)).encode(), public(key)["n"].encode()):
            token = shared(claims_of(USER, district), algorithm, secret, kid=key.kid)
            assert WAY in refused(http, token)

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_signatures_of_somebody_elses_key(self, http: httpx.Client, district: str, algorithm: str) -> None:
        other, own = key_of(kind_of(algorithm), "-other"), key_of(kind_of(algorithm))
        assert SIGNATURE in refused(http, signed(claims_of(USER, district), algorithm, other, kid=own.kid))
        assert KEY in refused(http, signed(claims_of(USER, district), algorithm, other))
        embedded = {"jwk": public(other), "jku": "http://127.0.0.1:9/", "x5u": "http://127.0.0.1:9/"}
        assert KEY in refused(http, signed(claims_of(USER, district), algorithm, other, **embedded))

    def test_a_key_is_for_its_own_kind_of_signature(self, http: httpx.Client, district: str) -> None:
        assert KEY in refused(http, signed(claims_of(USER, district), "ES256", kid="RSA"))
        assert KEY in refused(http, signed(claims_of(USER, district), "ES256", kid="P-384"))

    def test_a_key_that_is_named_by_no_text(self, http: httpx.Client, district: str) -> None:
        for name in (1, ["RSA"], {"RSA": 1}, True):
            token = unsigned(claims_of(USER, district), alg="RS256", kid=name)
            assert refused(http, token)

    def test_content_that_was_changed(self, http: httpx.Client, district: str) -> None:
        head, body, signature = signed(claims_of(USER, district)).split(".")
        other = signed(claims_of("5faac8b7d1e2f30001a1e858", district)).split(".")
        assert SIGNATURE in refused(http, f"{head}.{other[1]}.{signature}")
        assert SIGNATURE in refused(http, f"{head}.{body}.{signature[:-4]}AAAA")
        assert SIGNATURE in refused(http, f"{head}.{body}.")

    @pytest.mark.parametrize(
        "payload",
        [b"", b"null", b"[]", b'"text"', b"{", b"\xff\xfe", b"[" * 8_000, b'{"exp":' + b"9" * 5_000 + b"}"],
        ids=lambda payload: payload[:8],
    )
    def test_content_that_is_no_claims(self, http: httpx.Client, payload: bytes) -> None:
        assert SIGNATURE in refused(http, signed(payload))

    @pytest.mark.parametrize(
        "token",
        ["..", "a.b.c", "e30.e30.", "!.!.!", "eyJhbGciOiJSUzI1NiJ9..", ".eyJ.", "e30.e30.e30", f"{MARK}.{MARK}.{MARK}"],
    )
    def test_what_is_no_token_at_all(self, http: httpx.Client, token: str) -> None:
        assert "JWT" in refused(http, token)

    def test_a_header_that_is_nested_or_makes_demands(self, http: httpx.Client, district: str) -> None:
        assert refused(http, unsigned(claims_of(USER, district), alg="RS256", kid="RSA", crit=["exp"]))
        deep = "W1tb" * 2_000
        assert "cannot be read" in refused(http, f"{deep}.e30.e30")

    def test_what_is_too_long(self, http: httpx.Client, district: str) -> None:
        assert "longer than" in refused(http, signed(claims_of(USER, district, more="x" * 20_000)))

    @pytest.mark.parametrize(
        "token", ["TEST_TOKEN", "TEST_TOKEN_2", "a" * 40, "ilc_DEMO_TEACHER_TOKEN", "a.b", "a.b.c.d.e"]
    )
    def test_clevers_own_tokens_are_not_taken_and_it_is_said_what_is(self, http: httpx.Client, token: str) -> None:
        message = refused(http, token)
        assert message.startswith("This gateway holds Clever's tokens itself and takes none.")
        assert "send a JWT of its issuer" in message
        assert token not in message

    def test_nobody_is_told_to_sign_in(self, http: httpx.Client) -> None:
        response = http.post("/graphql", json=DISTRICT)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer realm="Clever GraphQL gateway"'
        message = response.json()["errors"][0]["message"]
        assert message.startswith("Nobody is signed in.")
        assert "TEST_TOKEN" not in message

    def test_a_good_token_is_forgotten_when_it_has_expired(self, http: httpx.Client, district: str) -> None:
        # Good for so long as clocks may differ.
        token = signed(claims_of(USER, district, exp=int(time.time()) - 28))
        assert ask(http, token).status_code == 200
        until = time.monotonic() + 10
        while ask(http, token).status_code == 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert EXPIRED in refused(http, token)


def test_weak_and_private_and_shared_keys_are_not_used() -> None:
    rows = [
        {"kty": "RSA", "kid": "weak", "n": public(key_of("RSA"))["n"][:172], "e": "AQAB"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        public(key_of("RSA"), use="enc"),
        public(key_of("RSA"), alg="RSA-OAEP"),
        public(key_of("P-256"), crv="secp256k1"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "EC", "kid": "broken", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "RSA"},
        None,
        "text",
        public(key_of("RSA")),
    ]
    assert [one.name for one in read_keys(json.dumps({"keys": rows}).encode())] == ["RSA"]
