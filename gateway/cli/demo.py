"""`demo`: sandbox and gateway in one command, on loopback, with everything turned on that helps exploring."""

import subprocess
import sys
import time
import webbrowser
from secrets import token_urlsafe
from typing import Annotated, Any

import httpx
import typer

from gateway import sandbox as simulator
from gateway.app import create_app
from gateway.cli.sandbox import Fault, Preset, Seed
from gateway.cli.serving import listen, origin, run
from gateway.cli.terminal import Failure, out, warn_of_unknown_settings
from gateway.observability.log import configure_logging
from gateway.settings import Settings
from gateway.web.hosts import LOOPBACK_NAMES

LOOPBACK = "127.0.0.1"
TOKEN = "TEST_TOKEN"  # noqa: S105 - Clever's public name for its sandbox's token
_LONGEST_START_S = 120


def demo(
    preset: Preset = "sandbox",
    seed: Seed = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the gateway; 0 takes a free one.")] = 8000,
    sandbox_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the sandbox; 0 takes a free one.")
    ] = 8100,
    fault: Fault = None,
    viewer: Annotated[
        bool, typer.Option("--viewer", help="Have people sign in, rather than programs bring tokens.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open GraphiQL in the browser.")] = False,
) -> None:
    """Start a simulated Clever and the gateway over it, and explore a school district in GraphiQL."""
    warn_of_unknown_settings()
    with listen(LOOPBACK, port) as listener:
        upstream_port = _usable_port(sandbox_port)
        upstream = f"http://{LOOPBACK}:{upstream_port}"
        settings = Settings(
            host=LOOPBACK,
            port=port,
            clever_url=upstream,
            explain=True,
            workers=1,
            graphiql=True,
            public_introspection=True,
            allowed_hosts=",".join(LOOPBACK_NAMES),
            log_level="warning",
            **(_sign_in(origin(listener)) if viewer else {}),
        )
        configure_logging(settings.log_level, form=settings.log_format)

        def announce() -> None:
            _print_what_is_where(origin(listener), upstream, preset, seed, viewer)
            if open_:
                webbrowser.open(f"{origin(listener)}/graphiql")

        with _sandbox_process(preset, seed, upstream_port, fault or []) as process:
            _wait_until_it_answers(process, upstream)
            run(create_app(settings, demo_token=TOKEN), listener, announce)


def _sign_in(gateway: str) -> dict[str, Any]:
    """Return the settings by which people sign in with the sandbox."""
    return {
        "auth": "viewer",
        "clever_client_id": simulator.CLIENT_ID,
        "clever_client_secret": simulator.CLIENT_SECRET,
        "public_url": gateway,
        "session_secret": token_urlsafe(48),
    }


class _sandbox_process:  # noqa: N801 - used as a context manager
    """The sandbox in a process of its own, so that its work is not measured as the gateway's."""

    def __init__(self, preset: str, seed: int, port: int, faults: list[str]) -> None:
        arguments = ["--preset", preset, "--seed", str(seed), "--port", str(port), "--until-stdin-closes"]
        arguments += [f"--fault={fault}" for fault in faults]
        self._command = [sys.executable, "-m", "gateway", "sandbox", *arguments]

    def __enter__(self) -> subprocess.Popen[bytes]:
        # In a session of its own: a Ctrl-C at the terminal reaches us alone, and closing its stdin ends the sandbox.
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            self._command, stdin=subprocess.PIPE, start_new_session=True
        )
        return self._process

    def __exit__(self, *_error: Any) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _usable_port(port: int) -> int:
    """Return a port that the sandbox can take; what already listens there must not pass for it."""
    with listen(LOOPBACK, port, "--sandbox-port") as probe:
        found: int = probe.getsockname()[1]
        return found


def _wait_until_it_answers(process: subprocess.Popen[bytes], upstream: str) -> None:
    until = time.monotonic() + _LONGEST_START_S
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < until:
            if process.poll() is not None:
                raise Failure(
                    "the sandbox ended before it answered; its own message says why.", process.returncode or 1
                )
            try:
                if client.get(f"{upstream}/__sandbox/stats").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    raise Failure(f"the sandbox did not answer within {_LONGEST_START_S} s.")


def _print_what_is_where(gateway: str, upstream: str, preset: str, seed: int, viewer: bool) -> None:
    curl = (
        f"curl {gateway}/graphql -H 'Authorization: Bearer {TOKEN}' -H 'Content-Type: application/json' "
        """-d '{"query":"{ district { name schools(first: 3) { nodes { name } } } }"}'"""
    )
    token = f"{TOKEN} (also TEST_TOKEN_2 and TEST_TOKEN_3, of two small districts)"
    asking = [("Sign in", f"{gateway}/login, as anybody of three districts")] if viewer else [("Token", token)]
    lines = (
        ("GraphiQL", f"{gateway}/graphiql"),
        ("GraphQL", f"{gateway}/graphql"),
        *asking,
        ("Clever", f"{upstream}/v3.1, simulated (preset {preset}, seed {seed})"),
        *([] if viewer else [("Try", curl)]),
        ("Stop", "Ctrl-C"),
    )
    for name, value in lines:
        out.print(f"{name:<9} {value}")
