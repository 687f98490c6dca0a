"""`doctor`: what is amiss on the way to Clever, in plain words."""

import pytest

from gateway.sandbox import DistrictInfo
from tests.cli.conftest import Invoke
from tests.conftest import TOKEN, Joins, Upstream
from tests.servers import running
from tests.web.issuer import KeySet

AMISS = "clever-gateway: something is amiss; see above.\n"


def test_with_a_good_token_it_tells_what_the_token_shows(
    invoke: Invoke, upstream: Upstream, joins: Joins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", TOKEN)
    monkeypatch.setenv("GATEWAY_CLEVER_URL", upstream.origin)
    said = invoke("doctor")

    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[:2] == [f"ok      {upstream.origin}/v3.1 answers.", "ok      The token is accepted."]
    assert lines[3:] == [
        f"ok      {name}: {len(joins.records[name])} shared."
        for name in ("schools", "sections", "users", "courses", "terms")
    ]


def test_a_token_that_clever_refuses_is_told(invoke: Invoke, upstream: Upstream) -> None:
    said = invoke("doctor", "--clever-url", upstream.origin, "--token", "MARKED")

    assert (said.status, said.err) == (1, AMISS)
    assert said.out.startswith(f"ok      {upstream.origin}/v3.1 answers.\nNOT OK  Clever does not accept this token.")
    assert "MARKED" not in said.out


def test_no_token_is_told_with_where_to_give_one(invoke: Invoke, upstream: Upstream) -> None:
    said = invoke("doctor", "--clever-url", upstream.origin)

    assert (said.status, said.err) == (1, AMISS)
    assert said.out == "NOT OK  No token to check with. Give one with --token or in GATEWAY_TOKEN.\n"


def test_nobody_at_the_address_is_told(invoke: Invoke) -> None:
    said = invoke("doctor", "--clever-url", "http://127.0.0.1:9", "--token", TOKEN, "--seconds", "1")

    assert (said.status, said.err) == (1, AMISS)
    assert said.out.startswith("NOT OK  ")
    assert "http://127.0.0.1:9" in said.out


def test_an_address_that_is_not_clevers_is_told(invoke: Invoke, gateway_origin: str) -> None:
    said = invoke("doctor", "--clever-url", gateway_origin, "--token", TOKEN)

    assert (said.status, said.err) == (1, AMISS)
    assert said.out.startswith(f"NOT OK  {gateway_origin}/v3.1 answers, but serves no districts.")


def test_a_persons_token_is_told_to_be_likely_one(invoke: Invoke, upstream: Upstream) -> None:
    token = min(upstream.app.user_tokens)
    said = invoke("doctor", "--clever-url", upstream.origin, "--token", token)

    assert (said.status, said.err) == (1, AMISS)
    assert said.out.count("no access") == 5
    assert "Perhaps it is a person's token" in said.out.splitlines()[-1]


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    invoke: Invoke, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert invoke("doctor", "--clever-url", upstream.origin, "--token", TOKEN, "--seconds", "5").status == 0


class TestTokensThatTheGatewayHolds:
    @pytest.fixture
    def held(self, monkeypatch: pytest.MonkeyPatch, upstream: Upstream) -> pytest.MonkeyPatch:
        variables = {
            "AUTH": "viewer",
            "CLEVER_URL": upstream.origin,
            "CLEVER_CLIENT_ID": "sandbox-client",
            "CLEVER_CLIENT_SECRET": "sandbox-secret",
        }
        for name, value in variables.items():
            monkeypatch.setenv(f"GATEWAY_{name}", value)
        return monkeypatch

    def test_are_each_tried(self, invoke: Invoke, held: pytest.MonkeyPatch, upstream: Upstream) -> None:
        said = invoke("doctor")

        assert (said.status, said.err) == (0, "")
        lines = said.out.splitlines()
        assert lines[0] == "ok      There are tokens of 3 districts."
        shown = [line for line in lines if "shows the district" in line]
        assert (
            sorted(info.id in shown[at] for at, info in enumerate(sorted(upstream.app.describe(), key=id_of)))
            == [True] * 3
        )
        assert "TEST_TOKEN" not in said.out

    def test_that_cannot_be_listed_are_told(self, invoke: Invoke, held: pytest.MonkeyPatch) -> None:
        held.setenv("GATEWAY_CLEVER_CLIENT_SECRET", "MARKED")
        said = invoke("doctor")

        assert (said.status, said.err) == (1, AMISS)
        assert "Check GATEWAY_CLEVER_CLIENT_ID and GATEWAY_CLEVER_CLIENT_SECRET" in said.out
        assert "MARKED" not in said.out

    def test_and_so_are_keys_of_jwts(self, invoke: Invoke, held: pytest.MonkeyPatch) -> None:
        held.setenv("GATEWAY_JWT_ISSUER", "https://login.example.org/")
        held.setenv("GATEWAY_JWT_AUDIENCE", "graphql")
        with running(KeySet()) as origin:
            held.setenv("GATEWAY_JWT_JWKS_URL", f"{origin}/keys")
            fine = invoke("doctor")
        amiss = invoke("doctor")

        assert (fine.status, fine.out.splitlines()[-1]) == (
            0,
            "ok      GATEWAY_JWT_JWKS_URL has 4 keys that can be used.",
        )
        assert "NOT OK  The keys of JWTs cannot be read" in amiss.out


def id_of(info: DistrictInfo) -> str:
    return info.id


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_says_what_a_setting_names_in_vain_and_ends(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("GATEWAY_AUTH", "viewer")
    monkeypatch.setenv("GATEWAY_DISTRICT_TOKENS", "58da8a43cc70ab00017a1a87=MARKED")
    assert "needs a way in" in invoke("serve", "--port", "0").err
    monkeypatch.setenv("GATEWAY_API_KEYS_FILE", "/nowhere/keys.json")
    said = invoke("serve", "--port", "0", "--workers", workers)

    assert said.status == 2
    assert said.err == "clever-gateway: GATEWAY_API_KEYS_FILE: the file cannot be read (No such file or directory).\n"
