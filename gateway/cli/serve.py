"""`serve`: the gateway over real Clever, or over whatever speaks its API."""

from typing import Annotated, Any

import typer

from gateway.app import create_app
from gateway.cli.serving import listen, origin, run
from gateway.cli.terminal import err, warn_of_unknown_settings
from gateway.observability.log import configure_logging
from gateway.settings import Settings

Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8000")]
CleverUrl = Annotated[
    str | None,
    typer.Option(help="Origin of Clever's API, without the version.", show_default="https://api.clever.com"),
]
CleverVersion = Annotated[str | None, typer.Option(help="v3.0 or v3.1.", show_default="v3.1")]


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given; the others come from the environment or the defaults."""
    return {name: value for name, value in options.items() if value is not None}


def serve(
    host: Host = None,
    port: Port = None,
    clever_url: CleverUrl = None,
    clever_version: CleverVersion = None,
    graphiql: Annotated[
        bool | None, typer.Option("--graphiql/--no-graphiql", help="Serve GraphiQL.", show_default="off")
    ] = None,
) -> None:
    """Serve the gateway; callers bring their own Clever tokens. Settings: GATEWAY_* variables, see README."""
    warn_of_unknown_settings()
    settings = Settings(
        **given(host=host, port=port, clever_url=clever_url, clever_version=clever_version, graphiql=graphiql)
    )
    configure_logging(settings.log_level)
    listener = listen(settings.host, settings.port)

    def announce() -> None:
        err.print(f"GraphQL at {origin(listener)}/graphql, over {settings.clever_url}/{settings.clever_version}")
        if settings.graphiql:
            err.print(f"GraphiQL at {origin(listener)}/graphiql")

    run(create_app(settings), listener, announce, drain_s=settings.deadline)
