"""A gateway that holds the tokens: callers name none, back ends bring API keys, and tokens may change under it."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from gateway.app import create_app
from gateway.clever.token_sources import ListedTokens
from gateway.settings import Misconfigured, Settings
from gateway.web.api_keys import ApiKey, hashed, new_key
from tests.clever.listing import CLIENT, Listing, listing
from tests.observability.lines import logged
from tests.servers import running

KEYS = [new_key() for _ in range(4)]
DISTRICT = "{ district { cleverId } }"
SCHOOLS = "{ schools { nodes { cleverId } } }"
TERMS = "{ terms { nodes { cleverId } } }"


@pytest.fixture
def upstream() -> Iterator[Listing]:
    with listing() as served:
        yield served


class Client:
    """A back end of a running gateway."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def ask(self, key: str | None, query: str = DISTRICT) -> httpx.Response:
        """Send a query with a key."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return self.http.post("/graphql", json={"query": query}, headers=headers)

    def data(self, key: str, query: str = DISTRICT) -> Any:
        """Return the data of an answer without errors."""
        body = self.ask(key, query).json()
        assert "errors" not in body, body
        return body["data"]

    def problem(self, key: str | None, query: str = DISTRICT, status: int = 401) -> str:
        """Return the message of the one error of a refusal."""
        response = self.ask(key, query)
        assert response.status_code == status, response.text
        (error,) = response.json()["errors"]
        message: str = error["message"]
        return message


def entry(number: int, district: str, **more: Any) -> dict[str, Any]:
    return {"name": f"back end {number}", "sha256": hashed(KEYS[number]), "district": district, **more}


def write(path: Path, *entries: dict[str, Any]) -> None:
    newer = path.with_suffix(".new")
    newer.write_text(json.dumps(entries))
    newer.replace(path)


@contextmanager
def gateway(upstream: Listing, keys: Path, **more: Any) -> Iterator[Client]:
    """Serve a gateway that takes the keys of a file."""
    settings = Settings(
        **{
            "auth": "viewer",
            "clever_url": upstream.origin,
            "api_keys_file": str(keys),
            "log_level": "error",
            **CLIENT,
            **more,
        }
    )
    with running(create_app(settings)) as origin, httpx.Client(base_url=origin, timeout=30) as http:
        yield Client(http)


@pytest.fixture
def keys(upstream: Listing, tmp_path: Path) -> Path:
    """Return a file with a key for each district."""
    path = tmp_path / "keys.json"
    write(path, *[entry(number, district) for number, district in enumerate(upstream.districts)])
    return path


class TestApiKeys:
    def test_each_reads_its_own_district_and_nothing_else(self, upstream: Listing, keys: Path) -> None:
        with gateway(upstream, keys) as client:
            for number, district in enumerate(upstream.districts):
                listed = client.data(KEYS[number], "{ districts { cleverId } district { cleverId } }")
                assert listed == {"districts": [{"cleverId": district}], "district": {"cleverId": district}}
            assert client.data(KEYS[0], SCHOOLS) != client.data(KEYS[1], SCHOOLS)
        assert upstream.read == 1

    def test_what_is_none_is_refused_and_not_repeated(self, upstream: Listing, keys: Path) -> None:
        with gateway(upstream, keys) as client:
            for wrong in (new_key(), "cgk_", f"{KEYS[0]}x", KEYS[0][:-1], f"cgk_{hashed(KEYS[0])}"):
                message = client.problem(wrong)
                assert message.startswith("This API key is not known here.")
                assert wrong[4:] not in message or not wrong[4:]
            assert "send an API key" in client.problem("TEST_TOKEN")
            assert "send an API key" in client.problem(None)
            assert "send an API key" in client.problem("a.b.c")
            assert upstream.calls() == {}

    def test_an_expired_one_is_refused(self, upstream: Listing, keys: Path) -> None:
        district = upstream.districts[0]
        write(
            keys,
            entry(0, district, expires="2020-01-31"),
            entry(1, district, expires="2020-01-31T10:00:00+02:00"),
            entry(2, district, expires="2999-12-31"),
        )
        with gateway(upstream, keys) as client:
            assert "has expired" in client.problem(KEYS[0])
            assert "has expired" in client.problem(KEYS[1])
            assert client.data(KEYS[2])

    def test_the_file_is_read_again_when_it_is_replaced_unless_it_is_no_good(
        self, upstream: Listing, keys: Path
    ) -> None:
        with logged("warning") as log, gateway(upstream, keys) as client:
            assert client.data(KEYS[0])
            write(keys, entry(1, upstream.districts[0]))
            wait_for(lambda: client.ask(KEYS[0]).status_code == 401)
            assert client.data(KEYS[1])["district"]["cleverId"] == upstream.districts[0]
            write(keys, {"MARKED": 1})
            wait_for(lambda: bool(client.ask(KEYS[1]) and log.of("API keys cannot be read")))
            assert client.data(KEYS[1])
            assert "MARKED" not in log.text

    def test_may_do_beyond_reading_what_its_entry_says(
        self, upstream: Listing, keys: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Else what is seconds old is not read again for anybody.
        monkeypatch.setattr("gateway.cache.view.NEWEST_S", 0.0)
        district = upstream.districts[0]
        write(keys, *[entry(at, district, permissions=held) for at, held in enumerate(([], ["explain"], ["refresh"]))])
        asked = {"x-clever-explain": "plan", "cache-control": "no-cache"}
        seen = []
        with gateway(upstream, keys, explain=True) as client:
            client.data(KEYS[0], SCHOOLS)
            for key in KEYS[:3]:
                upstream.calls()
                headers = {"authorization": f"Bearer {key}", **asked}
                answer = client.http.post("/graphql", json={"query": SCHOOLS}, headers=headers).json()
                seen.append((sorted(answer.get("extensions", {}).get("clever", {})), upstream.calls()))
        assert seen == [([], {}), (["cost", "plan"], {}), ([], {"/schools": 1})]

    def test_of_a_district_without_a_token_says_so(self, upstream: Listing, keys: Path) -> None:
        write(keys, entry(0, "58da8a43cc70ab00017a1a87"))
        with gateway(upstream, keys) as client:
            assert "no token for the district of this API key" in client.problem(KEYS[0])


def wait_for(true: Any) -> None:
    until = time.monotonic() + 15
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let listings be read soon after each other; how long that waits otherwise has tests of its own."""
    monkeypatch.setattr(ListedTokens, "pause_s", 0.1)


@pytest.mark.usefixtures("often")
class TestTokensThatChange:
    def test_a_rotation_costs_no_request_its_answer_and_nothing_of_what_is_remembered(
        self, upstream: Listing, keys: Path
    ) -> None:
        with gateway(upstream, keys) as client:
            before = client.data(KEYS[0], SCHOOLS)
            upstream.change("rotate", upstream.districts[0])
            upstream.calls()
            assert client.data(KEYS[0], TERMS)["terms"]["nodes"]
            # Refused, asked about twice, asked for anew with the next token.
            assert upstream.calls() == {"/terms": 2, "/districts": 2}
            assert client.data(KEYS[0], SCHOOLS) == before
            assert upstream.calls() == {}
        assert upstream.read == 2

    async def test_nor_where_many_ask_at_once(self, upstream: Listing, keys: Path) -> None:
        with gateway(upstream, keys) as client:
            client.data(KEYS[0], SCHOOLS)
            upstream.change("rotate", upstream.districts[0])
            async with httpx.AsyncClient(base_url=client.http.base_url, timeout=30) as http:
                headers = {"authorization": f"Bearer {KEYS[0]}"}
                queries = [
                    f"{{ users(first: {count}) {{ nodes {{ cleverId }} }} schools {{ totalCount }} }}"
                    for count in range(1, 21)
                ]
                asked = [http.post("/graphql", json={"query": query}, headers=headers) for query in queries]
                answers = [response.json() for response in await asyncio.gather(*asked)]
        assert [len(body["data"]["users"]["nodes"]) for body in answers if "errors" not in body] == list(range(1, 21))
        assert upstream.read == 2

    def test_nor_where_it_is_the_recheck_that_meets_it(self, upstream: Listing, keys: Path) -> None:
        with gateway(upstream, keys, token_recheck=0.2) as client:
            before = client.data(KEYS[0], SCHOOLS)
            upstream.change("rotate", upstream.districts[0])
            upstream.calls()
            while upstream.read == 1:
                assert client.data(KEYS[0], SCHOOLS) == before
            assert client.data(KEYS[0], SCHOOLS) == before
            assert upstream.calls().keys() == {"/districts"}

    def test_nor_where_nothing_is_remembered(self, upstream: Listing, keys: Path) -> None:
        with gateway(upstream, keys, cache=False) as client:
            upstream.change("rotate", upstream.districts[0])
            assert client.data(KEYS[0], TERMS)["terms"]["nodes"]
            assert upstream.calls() == {"/terms": 2}
        assert upstream.read == 2

    def test_one_that_was_noticed_before_is_checked_and_what_is_remembered_stays(
        self, upstream: Listing, keys: Path
    ) -> None:
        with gateway(upstream, keys, token_refresh=0.05) as client:
            before = client.data(KEYS[0], SCHOOLS)
            upstream.change("rotate", upstream.districts[0])
            read = upstream.read
            wait_for(lambda: upstream.read >= read + 2)
            upstream.calls()
            assert client.data(KEYS[0], SCHOOLS) == before
            assert upstream.calls() == {"/districts": 1}
            assert client.data(KEYS[0], SCHOOLS) == before
            assert upstream.calls() == {}

    def test_a_district_that_withdraws_is_read_no_more_and_others_are(self, upstream: Listing, keys: Path) -> None:
        with gateway(upstream, keys) as client:
            other = client.data(KEYS[1], SCHOOLS)
            client.data(KEYS[0], SCHOOLS)
            upstream.change("disconnect", upstream.districts[0])
            body = client.ask(KEYS[0], TERMS).json()
            assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
            assert "holds for this district" in body["errors"][0]["message"]
            assert "no token for the district" in client.problem(KEYS[0], SCHOOLS)
            assert client.data(KEYS[1], SCHOOLS) == other

    def test_and_is_read_again_when_it_is_back(self, upstream: Listing, keys: Path) -> None:
        with gateway(upstream, keys) as client:
            before = client.data(KEYS[0], SCHOOLS)
            upstream.change("disconnect", upstream.districts[0])
            client.ask(KEYS[0], TERMS)
            upstream.change("connect", upstream.districts[0])
            upstream.change("rotate", upstream.districts[0])
            wait_for(lambda: client.ask(KEYS[0]).status_code == 200)
            assert client.data(KEYS[0], SCHOOLS) == before

    def test_a_new_district_is_found(self, upstream: Listing, keys: Path) -> None:
        upstream.change("disconnect", upstream.districts[1])
        with gateway(upstream, keys) as client:
            assert "no token" in client.problem(KEYS[1])
            upstream.change("connect", upstream.districts[1])
            wait_for(lambda: client.ask(KEYS[1]).status_code == 200)

    def test_a_listing_that_fails_at_the_start_keeps_the_gateway_from_being_ready(
        self, upstream: Listing, keys: Path
    ) -> None:
        upstream.always = (503, b"")
        with logged("warning") as log, gateway(upstream, keys, token_refresh=0.1) as client:
            assert client.http.get("/readyz").status_code == 503
            assert "no token" in client.problem(KEYS[0])
            upstream.always = None
            wait_for(lambda: client.http.get("/readyz").status_code == 200)
            assert client.data(KEYS[0])
        assert log.of("district tokens cannot be read")[0]["reason"].endswith("answered with status 503")

    def test_no_token_and_no_secret_is_ever_logged(self, upstream: Listing, keys: Path) -> None:
        with logged("debug") as log, gateway(upstream, keys, log_level="debug") as client:
            client.data(KEYS[0], SCHOOLS)
            upstream.change("rotate", upstream.districts[0])
            client.data(KEYS[0], TERMS)
            client.problem("TEST_TOKEN")
        assert log.of("district tokens")
        written = log.text + logging.getLogger().name
        secrets = ("TEST_TOKEN", "sandbox-secret", *KEYS, *[key[4:] for key in KEYS], *map(hashed, KEYS))
        assert [one for one in secrets if one in written] == []


class TestOtherSources:
    def test_tokens_of_the_settings(self, upstream: Listing, keys: Path) -> None:
        pairs = f"{upstream.districts[0]}=TEST_TOKEN"
        with gateway(upstream, keys, clever_client_id=None, clever_client_secret=None, district_tokens=pairs) as client:
            assert client.data(KEYS[0])["district"]["cleverId"] == upstream.districts[0]
            assert "no token" in client.problem(KEYS[1])
        assert upstream.read == 0

    def test_tokens_of_a_file(self, upstream: Listing, keys: Path, tmp_path: Path) -> None:
        path = tmp_path / "tokens.json"
        path.write_text(json.dumps({upstream.districts[1]: "TEST_TOKEN_2"}))
        with gateway(upstream, keys, district_tokens_file=str(path)) as client:
            assert client.data(KEYS[1])["district"]["cleverId"] == upstream.districts[1]
        assert upstream.read == 0


PAIR = "58da8a43cc70ab00017a1a87=token"


class TestSettings:
    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({}, "needs tokens to read with"),
            ({"district_tokens": PAIR}, "needs a way in"),
            ({"clever_client_id": "x"}, "must be set together"),
            ({"district_tokens": PAIR, "district_tokens_file": "x"}, "say the same twice"),
            ({"district_tokens": PAIR, "jwt_jwks_url": "https://a/b"}, "GATEWAY_JWT_ISSUER and GATEWAY_JWT_AUDIENCE"),
            ({"jwt_jwks_url": "http://login.example.org/keys"}, "on this machine alone"),
            ({"jwt_jwks_url": "http://127.0.0.1.example.org/keys"}, "on this machine alone"),
            ({"jwt_jwks_url": "http://localhost@example.org/keys"}, "on this machine alone"),
            ({"jwt_jwks_url": "https://user:MARKED@example.org/keys"}, "on this machine alone"),
            ({"jwt_jwks_url": "file:///etc/passwd"}, "on this machine alone"),
            ({"clever_oauth_url": "clever.com"}, "must be an origin"),
        ],
        ids=str,
    )
    def test_that_cannot_work_are_refused_with_what_is_missing(self, more: dict[str, Any], words: str) -> None:
        with pytest.raises(ValidationError, match=words) as refused:
            Settings(auth="viewer", **more)
        assert "MARKED" not in str(refused.value)
        assert PAIR not in str(refused.value)

    def test_clevers_own_pages_are_asked_unless_the_api_is_not_clevers(self) -> None:
        assert Settings().oauth_origin == "https://clever.com"
        assert Settings(clever_url="http://127.0.0.1:8100").oauth_origin == "http://127.0.0.1:8100"
        assert Settings(clever_oauth_url="https://other.example/").oauth_origin == "https://other.example"

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ([{"name": "x"}], "entry 1 must be an object"),
            ({}, "a list of entries"),
            ([entry(0, "x")], "district of entry 1"),
            ([entry(0, "5" * 24), entry(0, "5" * 24)], "entry 2 has the name or the hash of another"),
            ([entry(0, "5" * 24, permissions=["all"])], "there are: explain, refresh"),
            ([entry(0, "5" * 24, expires="soon")], "2027-06-30"),
            ([entry(0, "5" * 24, sha256="MARKED")], "sha256 of entry 1"),
            ([entry(0, "5" * 24, name="")], "no name that can be logged"),
            ([entry(0, "5" * 24, key=KEYS[0])], "and nothing else"),
        ],
        # The keys are made up anew in each process.
        ids=range(9),
    )
    def test_a_file_of_keys_that_is_no_good_keeps_the_gateway_from_starting(
        self, tmp_path: Path, wrong: Any, words: str
    ) -> None:
        path = tmp_path / "keys.json"
        path.write_text(json.dumps(wrong))
        with pytest.raises(Misconfigured, match=words) as refused:
            create_app(Settings(auth="viewer", district_tokens=PAIR, api_keys_file=str(path)))
        assert str(refused.value).startswith("GATEWAY_API_KEYS_FILE: ")
        assert "MARKED" not in str(refused.value)
        assert KEYS[0] not in str(refused.value)

    def test_tokens_that_are_no_good_do_too(self, tmp_path: Path) -> None:
        wrong: list[dict[str, Any]] = [{"district_tokens": "MARKED"}, {"district_tokens_file": str(tmp_path / "none")}]
        for more in wrong:
            with pytest.raises(Misconfigured, match="GATEWAY_DISTRICT_TOKENS") as refused:
                create_app(Settings(auth="viewer", api_keys_file="x", **more))
            assert "MARKED" not in str(refused.value)


def test_keys_are_random_and_only_their_hash_is_kept() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    assert all(len(key) > 40 and key.startswith("cgk_") for key in KEYS)
    assert KEYS[0] not in repr(ApiKey("name", hashed(KEYS[0]), "5" * 24))
