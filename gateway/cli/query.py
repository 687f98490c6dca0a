"""`query`: one operation sent to a running gateway."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from gateway.cli.serve import given
from gateway.cli.terminal import Failure, out
from gateway.settings import Settings

Token = Annotated[
    str | None,
    typer.Option(help="Clever district-app token; better given as GATEWAY_TOKEN, which no process list shows."),
]


def token_of(given_token: str | None) -> str | None:
    """Return the token given, or the one of the settings."""
    token = Settings(**given(token=given_token)).token
    return token.get_secret_value() if token else None


def query(
    document: Annotated[str, typer.Argument(help="GraphQL text, a file's path, or - for standard input.")],
    variables: Annotated[str, typer.Option(help="Variables as a JSON object.")] = "{}",
    token: Token = None,
    url: Annotated[str, typer.Option(help="The gateway's endpoint.")] = "http://127.0.0.1:8000/graphql",
) -> None:
    """Send a query to a running gateway and print the answer; exit 1 where it holds errors."""
    body = {"query": _read(document), "variables": _read_variables(variables)}
    sent = token_of(token)
    headers = {"Authorization": f"Bearer {sent}"} if sent else {}
    try:
        response = httpx.post(url, json=body, headers=headers, timeout=120)
        answer = response.json()
    except (httpx.TransportError, httpx.InvalidURL, UnicodeError) as error:
        raise Failure(
            f"no gateway answers at {url} ({type(error).__name__}). Start one with: clever-gateway demo"
        ) from None
    except ValueError:
        raise Failure(f"{url} is not a gateway's endpoint: it answered {response.status_code}, and not JSON.") from None
    _show(answer)
    if not isinstance(answer, dict) or "errors" in answer or "data" not in answer:
        raise typer.Exit(1)


def _read(document: str) -> str:
    if document == "-":
        return sys.stdin.read()
    if "{" in document:
        return document
    try:
        return Path(document).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise Failure(f"{document} is neither a query nor a readable file ({reason}).", 2) from None


def _read_variables(text: str) -> dict[str, Any]:
    try:
        variables = json.loads(text)
    except ValueError:
        variables = None
    if not isinstance(variables, dict):
        raise Failure("""--variables takes a JSON object, as in '{"first": 3}'.""", 2)
    return variables


def _show(answer: Any) -> None:
    if out.is_terminal:
        out.print_json(data=answer, indent=2, ensure_ascii=False)
    else:
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
