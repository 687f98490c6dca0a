"""The commands of `clever-gateway`, put together."""

import sys
from collections.abc import Mapping
from typing import Any

import typer
from pydantic import ValidationError

from gateway import __version__
from gateway.cli.apikey import apikey
from gateway.cli.demo import demo
from gateway.cli.doctor import doctor
from gateway.cli.explain import explain
from gateway.cli.query import query
from gateway.cli.sandbox import sandbox
from gateway.cli.schema import schema
from gateway.cli.serve import serve
from gateway.cli.terminal import Failure, say_error
from gateway.engine.persisted import ManifestError
from gateway.observability.tracing import TracingUnavailable
from gateway.settings import Misconfigured, variable

app = typer.Typer(
    name="clever-gateway",
    help="One GraphQL endpoint over the Clever REST API.",
    epilog="Start with: clever-gateway demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"clever-gateway {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """One GraphQL endpoint over the Clever REST API."""


for command, epilog in (
    (demo, "Example: clever-gateway demo --preset tiny --open"),
    (serve, "Example: clever-gateway serve --port 8000 --clever-version v3.1"),
    (sandbox, "Example: clever-gateway sandbox --preset median --seed 7 --no-rate-limit"),
    (schema, "Example: clever-gateway schema --write schema.graphql"),
    (query, "Example: clever-gateway query '{ district { name } }' --token TEST_TOKEN"),
    (explain, "Example: clever-gateway explain '{ district { name } }' --token TEST_TOKEN"),
    (apikey, "Example: clever-gateway apikey reports --district 58da8a43cc70ab00017a1a87 --expires 2027-06-30"),
    (doctor, "Example: clever-gateway doctor --token TEST_TOKEN"),
):
    app.command(epilog=epilog)(command)


def _in_words(problem: Mapping[str, Any]) -> str:
    """Say what a setting must be."""
    limits = problem.get("ctx", {})
    words = {
        "literal_error": f"must be {limits.get('expected')}",
        "int_parsing": "must be a whole number",
        "int_from_float": "must be a whole number",
        "float_parsing": "must be a number",
        "bool_parsing": "must be true or false",
        "greater_than": f"must be more than {limits.get('gt')}",
        "greater_than_equal": f"must be at least {limits.get('ge')}",
        "less_than_equal": f"must be at most {limits.get('le')}",
        "finite_number": "must be a number that is not infinite",
    }
    message: str = problem["msg"]
    return words.get(problem["type"], message.removeprefix("Value error, "))


def run() -> None:
    """Run the command that the process was started with, and exit with its status."""
    try:
        app()
    except Failure as failure:
        say_error(str(failure))
        sys.exit(failure.exit_code)
    except ManifestError as error:
        say_error(f"{variable('trusted_documents')}: {error}")
        sys.exit(2)
    except TracingUnavailable as error:
        say_error(f"{variable('tracing')}: {error}")
        sys.exit(2)
    except Misconfigured as error:
        say_error(str(error))
        sys.exit(2)
    except ValidationError as error:
        for problem in error.errors():
            # What is about several settings names them itself.
            about = f"{variable(str(problem['loc'][0]))} (or its option) " if problem["loc"] else ""
            say_error(f"{about}{_in_words(problem)}.")
        sys.exit(2)
