"""The commands of `clever-gateway`, put together."""

import sys

import typer
from pydantic import ValidationError

from gateway import __version__
from gateway.cli.demo import demo
from gateway.cli.doctor import doctor
from gateway.cli.query import query
from gateway.cli.sandbox import sandbox
from gateway.cli.schema import schema
from gateway.cli.serve import serve
from gateway.cli.terminal import Failure, say_error
from gateway.settings import variable

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
    (doctor, "Example: clever-gateway doctor --token TEST_TOKEN"),
):
    app.command(epilog=epilog)(command)


def run() -> None:
    """Run the command that the process was started with, and exit with its status."""
    try:
        app()
    except Failure as failure:
        say_error(str(failure))
        sys.exit(failure.exit_code)
    except ValidationError as error:
        for problem in error.errors():
            name = str(problem["loc"][0]) if problem["loc"] else ""
            say_error(f"{variable(name)} (or its option): {problem['msg'].removeprefix('Value error, ')}.")
        sys.exit(2)
