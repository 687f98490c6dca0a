"""`query`: one operation, sent to a running gateway."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Invoke, Said
from tests.cli.processes import run
from tests.conftest import TOKEN, Upstream

DISTRICT = "{ district { name } }"


@pytest.fixture
def ask(invoke: Invoke, gateway_origin: str) -> Invoke:
    """Return a function that sends a query to the gateway of the tests."""

    def command(*arguments: str) -> Said:
        return invoke("query", *arguments, "--url", f"{gateway_origin}/graphql")

    return command


def data_of(said: Said) -> Any:
    assert (said.status, said.err) == (0, "")
    return json.loads(said.out)["data"]


def test_the_answer_is_printed_as_json(ask: Invoke) -> None:
    assert data_of(ask(DISTRICT, "--token", TOKEN))["district"]["name"]


def test_the_token_may_come_from_the_environment(ask: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", f"{TOKEN}\n")

    assert data_of(ask(DISTRICT))["district"]["name"]


def test_variables_are_sent_along(ask: Invoke) -> None:
    document = "query ($n: Int) { schools(first: $n) { nodes { name } } }"

    assert len(data_of(ask(document, "--variables", '{"n": 1}', "--token", TOKEN))["schools"]["nodes"]) == 1


def test_a_document_may_be_in_a_file(ask: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "district.graphql"
    file.write_text(DISTRICT, encoding="utf-8")

    assert data_of(ask(str(file), "--token", TOKEN))["district"]["name"]


def test_a_document_may_come_from_standard_input(gateway_origin: str) -> None:
    arguments = ("query", "-", "--token", TOKEN, "--url", f"{gateway_origin}/graphql")
    done = run(*arguments, stdin=f"# é\n{DISTRICT}".encode())

    assert json.loads(done.stdout)["data"]["district"]["name"]


def test_input_that_is_not_text_is_a_sentence(ask: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "binary"
    file.write_bytes(b"\xff\xfe{")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))

    for document, named in (("-", "standard input"), (str(file), str(file))):
        said = ask(document)
        assert (said.status, said.err) == (2, f"clever-gateway: {named} is not text.\n")


@pytest.mark.parametrize(
    ("document", "token", "code"),
    [
        (DISTRICT, None, "UNAUTHENTICATED"),
        (DISTRICT, "wrong", "UNAUTHENTICATED"),
        ("{ nothing }", TOKEN, "GRAPHQL_VALIDATION_FAILED"),
        ("{", TOKEN, "GRAPHQL_PARSE_FAILED"),
    ],
)
def test_an_answer_with_errors_is_printed_and_ends_with_1(
    ask: Invoke, document: str, token: str | None, code: str
) -> None:
    said = ask(document, *(("--token", token) if token else ()))

    assert said.status == 1
    assert json.loads(said.out)["errors"][0]["extensions"]["code"] == code


def test_a_string_that_no_text_can_hold_is_the_gateways_to_refuse(ask: Invoke) -> None:
    said = ask(DISTRICT, "--variables", r'{"a": "\ud800"}', "--token", TOKEN)

    assert said.status == 1
    assert json.loads(said.out)["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("variables", ["[1]", "{", "3", "", '{"a": NaN}', '{"a": Infinity}', '{"a":' * 100_000])
def test_variables_that_are_no_object_are_a_sentence(ask: Invoke, variables: str) -> None:
    said = ask(DISTRICT, "--variables", variables)

    assert (said.status, said.out) == (2, "")
    assert said.err == """clever-gateway: --variables takes a JSON object, as in '{"first": 3}'.\n"""


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("no-such.graphql", "no-such.graphql is neither a query nor a readable file (No such file or directory)."),
        ("", "the empty string is neither a query nor a readable file (Is a directory)."),
        (".", ". is neither a query nor a readable file (Is a directory)."),
    ],
)
def test_what_is_neither_document_nor_file_is_a_sentence(ask: Invoke, document: str, sentence: str) -> None:
    said = ask(document)

    assert (said.status, said.out, said.err) == (2, "", f"clever-gateway: {sentence}\n")


def test_no_gateway_is_a_sentence_that_says_how_to_start_one(invoke: Invoke) -> None:
    said = invoke("query", DISTRICT, "--url", "http://127.0.0.1:9/graphql")

    assert said.status == 1
    assert said.err == (
        "clever-gateway: no gateway answers at http://127.0.0.1:9/graphql (ConnectError). "
        "Start one with: clever-gateway demo\n"
    )


@pytest.mark.parametrize("path", ["/", "/v3.1/schools", "/__sandbox/stats"])
def test_what_is_no_gateway_is_a_sentence(invoke: Invoke, upstream: Upstream, path: str) -> None:
    said = invoke("query", DISTRICT, "--url", f"{upstream.origin}{path}")

    assert (said.status, said.out) == (1, "")
    assert "is not a gateway's endpoint: it answered 4" in said.err


def test_the_wrong_path_of_a_gateway_says_the_right_one(invoke: Invoke, gateway_origin: str) -> None:
    said = invoke("query", DISTRICT, "--url", gateway_origin)

    assert said.status == 1
    assert "the GraphQL endpoint is /graphql" in said.out


@pytest.mark.parametrize("url", ["127.0.0.1:8000/graphql", "graphql", "", "http://host:port/", "ftp://127.0.0.1/"])
def test_what_is_no_address_is_a_sentence(invoke: Invoke, url: str) -> None:
    said = invoke("query", DISTRICT, "--url", url)

    assert said.status == 2
    assert said.err.endswith(" is not an address such as http://127.0.0.1:8000/graphql.\n")


def test_a_token_that_no_header_can_carry_is_a_sentence_without_it(ask: Invoke) -> None:
    said = ask(DISTRICT, "--token", "MARKéD")

    assert said.status == 2
    assert said.err.startswith("clever-gateway: GATEWAY_TOKEN (or its option) must be one line of ASCII")
    assert "MARK" not in said.err


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(ask: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert data_of(ask(DISTRICT, "--token", TOKEN))["district"]["name"]
