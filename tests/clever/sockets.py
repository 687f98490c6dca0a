"""Servers of bytes and a small proxy, on sockets of the test's own loop, and a call through a transport."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
STARTED = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"
Handler = Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """A server of bytes: the heads of the requests it got, and how many connections it has seen."""

    port: int = 0
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_open: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def head(self, reader: asyncio.StreamReader) -> str:
        """Read the head of a request; raise IncompleteReadError where the caller hangs up."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        self.asked.set()
        return head


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve each connection by `handler`, which may end it by returning."""
    server = Server()
    handling: list[asyncio.Task[None] | None] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.append(asyncio.current_task())
        server.connections += 1
        server.open += 1
        server.most_open = max(server.most_open, server.open)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await handler(server, reader, writer)
        finally:
            server.open -= 1
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.gather(*(one for one in handling if one))


def answers(*replies: bytes, then_ends: bool = False) -> Handler:
    """Answer the requests of each connection with these bytes in turn, the last of them for ever or to the end."""

    async def handler(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            await server.head(reader)
            writer.write(reply)
            await writer.drain()
        while not then_ends:
            await server.head(reader)
            writer.write(replies[-1])

    return handler


async def proxying(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tunnel to this machine's port of the same number, whatever the host; answer what is not to be tunnelled."""
    method, target, _ = (await server.head(reader)).split(" ", 2)
    if method != "CONNECT":
        writer.write(OK)
        return
    beyond, onward = await asyncio.open_connection("127.0.0.1", int(target.rsplit(":", 1)[1]))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await source.read(65536):
                sink.write(piece)
        sink.close()

    await asyncio.gather(pump(reader, onward), pump(beyond, writer))


async def get(
    transport: httpx.AsyncBaseTransport, url: str, headers: Mapping[str, str] | None = None, seconds: float = 5.0
) -> tuple[int, bytes, httpx.Headers]:
    """Send a GET and read its answer whole."""
    extensions = {"timeout": httpx.Timeout(seconds).as_dict()}
    request = httpx.Request("GET", url, headers=headers, extensions=extensions)
    async with aclosing(await transport.handle_async_request(request)) as response:
        return response.status_code, await response.aread(), response.headers
