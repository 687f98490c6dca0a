"""`doctor`: what is amiss on the way to Clever, in plain words."""

import pytest

from tests.cli.conftest import Invoke
from tests.conftest import TOKEN, Joins, Upstream

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
