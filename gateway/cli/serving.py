"""Running an ASGI application on a port: bound first, so that a taken port is a sentence and not a stack of logs."""

import asyncio
import errno
import gc
import math
import signal
import socket
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import uvicorn

from gateway.cli.gathering import GatheringProtocol
from gateway.cli.terminal import Failure


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """Return a socket that listens on `host:port`; port 0 takes a free one.

    Raises Failure where that cannot be.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # On Windows this option would let two servers share a port.
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or "not an address"
        taken = getattr(error, "errno", None) in (errno.EADDRINUSE, errno.EACCES)
        advice = f"Choose another port with {option}." if taken else "Choose another address with --host."
        raise Failure(f"cannot listen on {host}:{port} ({reason}). {advice}") from None
    return listener


def origin(listener: socket.socket) -> str:
    """Return the origin at which a listening socket is reached from this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def settle() -> None:
    """Let the garbage collector pass over what lives as long as the process, and look less often at the rest.

    To be called once the application is built: what it holds by then is never looked at again.
    """
    gc.collect()
    gc.freeze()
    # As rare as it can be without long pauses: beyond, a single look at the young takes longer than a request.
    gc.set_threshold(10_000, 20, 50)


def configuration(app: Any, drain_s: float, **more: Any) -> uvicorn.Config:
    """Return how an application is served: by the parser and the loop that are written in C, where they are.

    Requests under way when the server is told to stop get `drain_s` seconds to end.
    """
    return uvicorn.Config(
        app,
        http=GatheringProtocol,
        loop="uvloop" if find_spec("uvloop") else "asyncio",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(drain_s),
        **more,
    )


def drain_first(app: Any, delay_s: float) -> None:
    """From SIGTERM on, have the application say that it is not ready; stop `delay_s` seconds later.

    To be called in the server's loop, when the server has set up how it stops.
    """
    stop: Any = signal.getsignal(signal.SIGTERM)
    loop = asyncio.get_running_loop()

    def on_sigterm(number: int, frame: Any) -> None:
        waited = getattr(app.state, "draining", False)
        app.state.draining = True
        if waited or not delay_s:
            stop(number, frame)
        else:
            loop.call_soon_threadsafe(loop.call_later, delay_s, stop, number, frame)

    signal.signal(signal.SIGTERM, on_sigterm)


def run(
    app: Any, listener: socket.socket, on_started: Callable[[], None], drain_s: float = 2, drain_delay_s: float = 0
) -> None:
    """Serve until told to stop by SIGINT or SIGTERM; raise Failure where the application does not start.

    Requests under way then get `drain_s` seconds to end: a caller that never finishes sending must not hold us up.
    After SIGTERM requests are still taken for `drain_delay_s` seconds.
    """

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            if hasattr(app, "state"):
                drain_first(app, drain_delay_s)
            await super().startup(sockets=sockets)
            if self.started:
                on_started()

    server = Server(configuration(app, drain_s))
    # uvicorn raises the signal again once it has drained; by then there is nothing left to interrupt.
    previous = {name: signal.signal(name, _already_stopping) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)
    if not server.started:
        raise Failure("the server did not start; the lines above say why.")


def _already_stopping(_signal: int, _frame: Any) -> None:
    """Let the process end in its own time."""
