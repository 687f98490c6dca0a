"""`sandbox`: our simulator of Clever, on its own."""

import gc
import os
import sys
import threading
from typing import Annotated

import typer

from gateway import sandbox as simulator
from gateway.cli.serving import listen, origin, run
from gateway.cli.terminal import out, progress_bar


def _known_preset(preset: str) -> str:
    if preset not in simulator.PRESETS:
        raise typer.BadParameter(f"{preset!r} is none of {', '.join(simulator.PRESETS)}")
    return preset


Preset = Annotated[
    str,
    typer.Option(
        help=f"Size of the first district: {', '.join(simulator.PRESETS)}.", metavar="NAME", callback=_known_preset
    ),
]


def _faults(texts: list[str] | None) -> list[str]:
    for text in texts or []:
        try:
            simulator.read_option(text)
        except simulator.FaultError as error:
            raise typer.BadParameter(str(error)) from None
    return texts or []


Fault = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        help="Misbehave, as in html:rate=0.2,path=/users/{id} or reset+hang:rate=0.1,on=5,off=5 or mixed:rate=0.2; may "
        "be given several times.",
        metavar="RULE",
        callback=_faults,
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(help="The same seed makes the same districts.")]


def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8100,
    preset: Preset = "sandbox",
    seed: Seed = 1,
    rate_limit: Annotated[int, typer.Option(min=1, help="Calls a minute and token.")] = 1200,
    no_rate_limit: Annotated[bool, typer.Option("--no-rate-limit", help="Do not limit calls.")] = False,
    fault: Fault = None,
    redirect_uri: Annotated[
        list[str] | None,
        typer.Option(
            help="Where people who sign in may be sent; can be given again.", show_default="/oauth/callback on loopback"
        ),
    ] = None,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Serve a Clever in a box: generated districts behind Clever's own API, quirks and limits included."""
    listener = listen(host, port)
    if until_stdin_closes:
        _stop_with_parent()
    with progress_bar() as on_progress:
        app = simulator.create_app(
            preset,
            seed,
            rate_limit=None if no_rate_limit else rate_limit,
            redirect_uris=redirect_uri or (),
            on_progress=on_progress,
        )
    app.misbehave(*map(simulator.read_option, fault or []))
    # The roster stays to the end: looking through it for garbage would hold up some page for nothing.
    gc.freeze()

    def announce() -> None:
        if until_stdin_closes:
            return
        out.print(f"Clever's API, simulated, at {origin(listener)}/v3.1 and /v3.0 (preset {preset}, seed {seed})")
        for district in app.describe():
            out.print(f"  {district.token:<14} {district.name} ({district.preset})")
        out.print(f"Sign-in at {origin(listener)}/oauth/authorize ({simulator.CLIENT_ID}, {simulator.CLIENT_SECRET})")
        out.print(f"Try: curl -H 'Authorization: Bearer TEST_TOKEN' {origin(listener)}/v3.1/schools")

    run(app, listener, announce)


def _stop_with_parent() -> None:
    """End this process when the one that started it is gone, however it ended: its end of our stdin closes then."""

    stdin = sys.stdin.fileno()

    def wait() -> None:
        # Not `sys.stdin.read()`: that holds a lock which the interpreter asks for when it ends by itself.
        while os.read(stdin, 1024):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
