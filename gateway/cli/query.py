"""`query`: one operation sent to a running gateway."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from gateway.clever.transport import on_this_machine
from gateway.cli.serve import given
from gateway.cli.terminal import Failure, out
from gateway.settings import Settings

Document = Annotated[str, typer.Argument(help="GraphQL text, a file's path, or - for standard input.")]
Variables = Annotated[str, typer.Option(help="Variables as a JSON object.")]
Url = Annotated[str, typer.Option(help="The gateway's endpoint.")]
Token = Annotated[
    str | None,
    typer.Option(
        help="Clever district-app token, or the API key or JWT that a gateway of GATEWAY_AUTH=viewer takes; better "
        "given as GATEWAY_TOKEN, which no process list shows."
    ),
]


def token_of(given_token: str | None) -> str | None:
    """Return the token given, or the one of the settings."""
    token = Settings(**given(token=given_token)).token
    return token.get_secret_value() if token else None


def query(
    document: Document,
    variables: Variables = "{}",
    token: Token = None,
    url: Url = "http://127.0.0.1:8000/graphql",
) -> None:
    """Send a query to a running gateway and print the answer; exit 1 where it holds errors."""
    answer, tokenless = ask(document, variables, token, url)
    _show(answer)
    if tokenless:
        raise no_token()
    if "errors" in answer:
        raise typer.Exit(1)


def ask(
    document: str, variables: str, token: str | None, url: str, more: Mapping[str, str] | None = None
) -> tuple[Any, bool]:
    """Send an operation, with `more` headers; return the answer, and whether all that it lacked was a token.

    Raises Failure where there is no answer in GraphQL.
    """
    body = {"query": _read(document), "variables": _read_variables(variables)}
    sent = token_of(token)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {sent}"} if sent else {})}
    # JSON's own escapes carry whatever a terminal or a file may have put into a string.
    response = _post(url, json.dumps(body).encode("ascii"), {**headers, **(more or {})})
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not answer.keys() & {"data", "errors"}:
        raise Failure(
            f"{url} is not a gateway's endpoint: it answered {response.status_code}, and not in GraphQL. The endpoint "
            "of `clever-gateway demo` is http://127.0.0.1:8000/graphql."
        )
    return answer, response.status_code == 401 and sent is None


def no_token() -> Failure:
    """Return the failure of an operation that was sent without a token and takes one."""
    return Failure("the gateway wants a token: give one with --token or in GATEWAY_TOKEN.")


def _post(url: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    try:
        # A proxy named in the environment is for the world outside, not for this machine.
        with httpx.Client(trust_env=not on_this_machine(url), timeout=120) as http:
            return http.post(url, content=body, headers=headers)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        raise Failure(f"{url} is not an address such as http://127.0.0.1:8000/graphql.", 2) from None
    except httpx.TimeoutException:
        raise Failure(f"{url} did not answer in time.") from None
    except httpx.RequestError as error:
        raise Failure(
            f"no gateway answers at {url} ({type(error).__name__}). Start one with: clever-gateway demo"
        ) from None


def _read(document: str) -> str:
    if "{" in document:
        return document
    try:
        return sys.stdin.buffer.read().decode() if document == "-" else Path(document).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Failure(f"{'standard input' if document == '-' else document} is not text.", 2) from None
    except OSError as error:
        named = document or "the empty string"
        raise Failure(f"{named} is neither a query nor a readable file ({error.strerror}).", 2) from None


def _read_variables(text: str) -> dict[str, Any]:
    try:
        variables = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        variables = None
    if not isinstance(variables, dict):
        raise Failure("""--variables takes a JSON object, as in '{"first": 3}'.""", 2)
    return variables


def _no_number(constant: str) -> None:
    """Refuse `NaN` and `Infinity`, which Python reads and JSON does not have."""
    raise ValueError(constant)


def _show(answer: Any) -> None:
    if out.is_terminal:
        out.print_json(data=answer, indent=2, ensure_ascii=False)
    else:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
