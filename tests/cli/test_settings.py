"""Settings: where they come from, what is refused, and how a wrong one is told."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.settings import Settings, unknown_variables


def test_variables_of_the_environment_set_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_CLEVER_URL", "http://127.0.0.1:8100/")
    monkeypatch.setenv("GATEWAY_CLEVER_VERSION", "v3.0")
    monkeypatch.setenv("gateway_max_calls", "7")
    monkeypatch.setenv("GATEWAY_PORT", "")
    settings = Settings()

    assert (settings.clever_url, settings.clever_version) == ("http://127.0.0.1:8100", "v3.0")
    assert (settings.max_calls, settings.port) == (7, 8000)


def test_what_is_passed_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "1")

    assert Settings(port=2).port == 2


@pytest.mark.parametrize(
    "url",
    ["https://api.clever.com", "http://localhost:8100/", "http://[::1]:8100", " https://a.b ", "http://h:65535//"],
)
def test_an_origin_is_taken_and_its_slashes_are_dropped(url: str) -> None:
    assert Settings(clever_url=url).clever_url == url.strip().rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "api.clever.com",
        "ftp://api.clever.com",
        "https://",
        "https://api.clever.com/v3.1",
        "https://api.clever.com?x=1",
        "https://user:password@api.clever.com",
        "https://a b",
        "https://a\tb",
        "http://host:port",
        "http://host:0",
        "http://host:65536",
        "http://:80",
        "http://[",
    ],
)
def test_anything_else_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValidationError, match=r"must be an origin such as https://api\.clever\.com"):
        Settings(clever_url=url)


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"port": -1},
        {"port": 65536},
        {"deadline": 0},
        {"deadline": float("inf")},
        {"deadline": float("nan")},
        {"upstream_timeout": float("inf")},
        {"max_calls": 0},
        {"log_level": "loud"},
        {"clever_version": "v2.1"},
        {"strange": 1},
    ],
    ids=str,
)
def test_values_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)


@pytest.mark.parametrize("given", ["TOKEN", " TOKEN\n", "TOKEN\r\n"])
def test_the_token_loses_what_a_file_puts_around_it_and_is_never_shown(given: str) -> None:
    settings = Settings(token=given)

    assert settings.token
    assert settings.token.get_secret_value() == "TOKEN"
    assert "TOKEN'" not in repr(settings)


@pytest.mark.parametrize("wrong", ["MARKéD", "MAR\nKED", "MARKED\x00."])
def test_a_token_that_no_header_can_carry_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(token=wrong)

    assert refused.value.errors()[0]["msg"] == "Value error, must be one line of ASCII characters, as every token is"


def test_an_unknown_variable_is_told_with_the_likeliest_one_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATEWAY_CLEVER_ULR", "GATEWAY_XYZZY", "gateway_prot", "gateway_port", "GATEWAY_BUILD_GRAPHIQL"):
        monkeypatch.setenv(name, "1")

    assert unknown_variables() == {
        "GATEWAY_CLEVER_ULR": "GATEWAY_CLEVER_URL",
        "GATEWAY_XYZZY": None,
        "gateway_prot": "GATEWAY_PORT",
    }


class TestSigningIn:
    PEOPLE: dict[str, Any] = {"auth": "viewer", "clever_client_id": "app", "clever_client_secret": "secret"}

    @pytest.mark.parametrize(
        ("settings", "origin"),
        [
            ({"clever_url": "https://api.clever.com"}, "https://clever.com"),
            ({"clever_url": "http://127.0.0.1:8100"}, "http://127.0.0.1:8100"),
            ({"clever_url": "https://notclever.com"}, "https://notclever.com"),
            ({"clever_oauth_url": "https://login.example/"}, "https://login.example"),
        ],
        ids=str,
    )
    def test_clever_signs_people_in_where_its_api_is_clevers(self, settings: Any, origin: str) -> None:
        assert Settings(**settings).oauth_origin == origin

    @pytest.mark.parametrize(
        ("settings", "origin"),
        [
            ({}, "http://127.0.0.1:8000"),
            ({"host": "::1", "port": 9}, "http://[::1]:9"),
            ({"host": "0.0.0.0"}, None),
            ({"port": 0}, None),
            ({"host": "0.0.0.0", "public_url": "https://gateway.example/"}, "https://gateway.example"),
        ],
        ids=str,
    )
    def test_browsers_are_on_loopback_unless_it_is_said_where(self, settings: Any, origin: str | None) -> None:
        assert Settings(**settings).origin == origin

    @pytest.mark.parametrize("part", ["clever_client_id", "clever_client_secret"])
    def test_an_id_goes_with_a_secret(self, part: str) -> None:
        with pytest.raises(ValidationError, match="must be set together with GATEWAY_CLEVER_CLIENT_ID"):
            Settings(**{part: "x"})  # type: ignore[arg-type]

    @pytest.mark.parametrize("secret", ["MARKED", ",", f"{'x' * 32},MARKED"])
    def test_a_short_secret_is_refused_and_not_repeated(self, secret: str) -> None:
        with pytest.raises(ValidationError, match="at least 32 characters") as raised:
            Settings(session_secret=secret)
        assert "MARKED" not in str(raised.value)

    def test_several_workers_need_a_secret_in_common(self) -> None:
        with pytest.raises(ValidationError, match="each must know the others' sessions"):
            Settings(**self.PEOPLE, workers=2)
        assert Settings(**self.PEOPLE, workers=2, session_secret="x" * 32).workers == 2
        assert Settings(workers=2).session_secret is None

    def test_no_secret_is_shown(self) -> None:
        settings = Settings(**{**self.PEOPLE, "clever_client_secret": "MARKED"}, session_secret="MARKED" * 6)

        assert "MARKED" not in repr(settings)
