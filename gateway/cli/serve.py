"""`serve`: the gateway over real Clever, or over whatever speaks its API."""

from functools import partial
from typing import Annotated, Any

import typer

from gateway.app import check_files, create_app
from gateway.clever.transport import proxy_for
from gateway.cli.serving import listen, origin, run, settle
from gateway.cli.terminal import Failure, err, warn_of_unknown_settings
from gateway.cli.workers import run_workers
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
    workers: Annotated[
        int | None, typer.Option(help="Processes that serve, each with a share of the calls.", show_default="1")
    ] = None,
) -> None:
    """Serve the gateway; callers bring Clever tokens unless GATEWAY_AUTH says else. Settings: GATEWAY_* variables."""
    warn_of_unknown_settings()
    settings = Settings(
        **given(
            host=host,
            port=port,
            clever_url=clever_url,
            clever_version=clever_version,
            graphiql=graphiql,
            workers=workers,
        )
    )
    check_proxy(settings)
    check_files(settings)
    configure_logging(settings.log_level, form=settings.log_format)
    listener = listen(settings.host, settings.port)

    def announce() -> None:
        err.print(f"GraphQL at {origin(listener)}/graphql, over {settings.clever_url}/{settings.clever_version}")
        if settings.graphiql:
            err.print(f"GraphiQL at {origin(listener)}/graphiql")

    drain = {"drain_s": settings.deadline, "drain_delay_s": settings.drain_delay}
    with listener:
        if settings.workers > 1:
            run_workers(partial(application, settings), settings.workers, listener, announce, **drain)
        else:
            run(application(settings), listener, announce, **drain)


def check_proxy(settings: Settings) -> None:
    """Raise Failure where the environment names a proxy that cannot be used on the way to Clever."""
    others = [settings.oauth_origin, settings.jwt_jwks_url] if settings.auth == "viewer" else []
    try:
        for url in filter(None, (settings.clever_url, *others)):
            proxy_for(url)
    except ValueError as error:
        raise Failure(f"{error}.") from None


def application(settings: Settings) -> Any:
    """Return what one process serves, with its logs and its memory set up for it."""
    configure_logging(settings.log_level, form=settings.log_format)
    app = create_app(settings)
    settle()
    return app
