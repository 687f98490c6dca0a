"""Real servers for tests: an ASGI app behind uvicorn on an own loopback port, in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import uvicorn


@contextmanager
def running(app: Any, **how: Any) -> Iterator[str]:
    """Serve `app` on a free loopback port, `how` uvicorn can, and yield its origin, such as `http://127.0.0.1:41234`."""
    with running_at(lambda _origin: app, **how) as origin:
        yield origin


@contextmanager
def running_at(make_app: Callable[[str], Any], **how: Any) -> Iterator[str]:
    """Serve an app that must know its origin when it is made; yield the origin."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        host, port = listener.getsockname()[:2]
        origin = f"http://{host}:{port}"
        with _serving(make_app(origin), listener, how):
            yield origin


@contextmanager
def _serving(app: Any, listener: socket.socket, how: Mapping[str, Any]) -> Iterator[None]:
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            started.set()

    server = Server(uvicorn.Config(app, log_level="warning", access_log=False, **{"lifespan": "on", **how}))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if not started.wait(timeout=30):
            raise RuntimeError("the server did not start")
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=30)


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something is so that happens in another thread or process."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - no event of this loop tells of it
            await asyncio.sleep(0.005)
