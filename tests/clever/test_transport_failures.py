"""Connections of the transport: how many, how long they live, and what is made of those that fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import httpx
import pytest

from gateway.clever.transport import open_transport
from tests.clever.sockets import OK, STARTED, Handler, Server, answers, get, serving

ENDLESS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n"


@asynccontextmanager
async def connected(
    handler: Handler, connections: int = 2
) -> AsyncIterator[tuple[Server, httpx.AsyncBaseTransport, str]]:
    """Yield a server, a transport to it, and the URL of something on it."""
    async with serving(handler) as server:
        url = f"http://127.0.0.1:{server.port}/v3.1/schools"
        async with open_transport(url, connections) as transport:
            yield server, transport, url


async def test_a_connection_is_kept_for_the_next_call() -> None:
    async with connected(answers(OK)) as (server, transport, url):
        assert [(await get(transport, url))[1] for _ in range(5)] == [b"{}"] * 5
    assert server.connections == 1


async def test_no_more_connections_are_opened_than_allowed() -> None:
    async def slowly(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.head(reader)
            await asyncio.sleep(0.01)
            writer.write(OK)

    async with connected(slowly, connections=3) as (server, transport, url):
        assert len(await asyncio.gather(*(get(transport, url) for _ in range(12)))) == 12
    assert (server.connections, server.most_open) == (3, 3)


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    async with connected(answers(OK, then_ends=True)) as (server, transport, url):
        for _ in range(3):
            assert (await get(transport, url))[0] == 200
            await asyncio.sleep(0.02)
    assert server.connections == 3


async def test_a_call_is_sent_once_even_where_a_kept_connection_fails_it() -> None:
    async with connected(answers(OK, b"", then_ends=True)) as (server, transport, url):
        assert (await get(transport, url))[0] == 200
        with pytest.raises(httpx.RemoteProtocolError):
            await get(transport, url)
    assert len(server.heads) == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        STARTED,
        ENDLESS,
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnothing\r\n",
    ],
    ids=["nothing", "half a body", "half the chunks", "not HTTP", "no length", "a long header", "not a chunk"],
)
async def test_a_broken_answer_is_an_error_of_the_protocol(reply: bytes) -> None:
    async with connected(answers(reply, then_ends=True)) as (server, transport, url):
        with pytest.raises(httpx.RemoteProtocolError):
            await get(transport, url)
    assert len(server.heads) == 1


async def test_a_reset_within_the_body_is_an_error_of_the_network() -> None:
    async def reset(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.head(reader)
        writer.write(STARTED)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.transport.abort()

    async with connected(reset) as (server, transport, url):
        with pytest.raises(httpx.TransportError):
            await get(transport, url)
    assert len(server.heads) == 1


async def test_nobody_listening_is_an_error_of_connecting() -> None:
    async with open_transport("http://127.0.0.1:9", 2) as transport:
        with pytest.raises(httpx.ConnectError):
            await get(transport, "http://127.0.0.1:9/")


async def test_a_call_after_the_end_is_an_error_of_connecting() -> None:
    async with connected(answers(OK)) as (server, transport, url):
        await transport.aclose()
        with pytest.raises(httpx.ConnectError):
            await get(transport, url)
    assert server.heads == []


async def test_a_host_that_does_not_exist_is_an_error_of_connecting() -> None:
    async with open_transport("http://nowhere.invalid", 2) as transport:
        with pytest.raises(httpx.ConnectError):
            await get(transport, "http://nowhere.invalid/")


@pytest.mark.parametrize("so_far", [b"", b"HTTP/1.1 200 OK\r\nx-slow:", STARTED], ids=["nothing", "headers", "body"])
async def test_an_answer_that_does_not_go_on_is_a_timeout(so_far: bytes) -> None:
    async with connected(answers(so_far)) as (server, transport, url):
        with pytest.raises(httpx.ReadTimeout):
            await get(transport, url, seconds=0.05)
        for _ in range(100):
            if not server.open:
                break
            await asyncio.sleep(0.01)
        assert server.open == 0


async def test_a_wait_for_a_free_connection_is_a_timeout() -> None:
    async with connected(answers(STARTED), connections=1) as (_server, transport, url):
        held = await transport.handle_async_request(httpx.Request("GET", url))
        with pytest.raises(httpx.TimeoutException):
            await get(transport, url, seconds=0.05)
        await held.aclose()


@pytest.mark.parametrize("so_far", [b"", STARTED], ids=["before the answer", "within the body"])
async def test_a_call_given_up_frees_its_connection(so_far: bytes) -> None:
    async def first_never_ends(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answers(so_far if server.connections == 1 else OK)(server, reader, writer)

    async with connected(first_never_ends, connections=1) as (server, transport, url):
        call = asyncio.create_task(get(transport, url))
        await server.asked.wait()
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await get(transport, url))[1] == b"{}"
    assert (server.connections, len(server.heads)) == (2, 2)


async def test_a_body_left_unread_does_not_spoil_the_next_answer() -> None:
    async def first_never_ends(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answers(STARTED if server.connections == 1 else OK)(server, reader, writer)

    async with connected(first_never_ends, connections=1) as (server, transport, url):
        async with aclosing(await transport.handle_async_request(httpx.Request("GET", url))) as response:
            assert response.status_code == 200
        assert (await get(transport, url))[1] == b"{}"
    assert server.connections == 2


async def test_a_redirect_is_an_answer_and_cookies_are_forgotten() -> None:
    redirect = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: of=one; Path=/\r\ncontent-length: 0\r\n\r\n"
    async with connected(answers(redirect, OK)) as (server, transport, url):
        assert (await get(transport, url))[0] == 302
        assert (await get(transport, url))[0] == 200
    assert [head.split(" ")[1] for head in server.heads] == ["/v3.1/schools"] * 2
    assert not any("cookie" in head.lower() for head in server.heads)


async def test_headers_are_read_without_regard_to_case_and_all_their_values() -> None:
    reply = b"HTTP/1.1 200 OK\r\nX-RateLimit-Remaining: 7\r\nx-ratelimit-remaining: 5\r\ncontent-length: 2\r\n\r\n{}"
    async with connected(answers(reply)) as (_server, transport, url):
        assert (await get(transport, url))[2].get("x-ratelimit-remaining") == "7, 5"


async def test_what_is_asked_for_is_sent_as_it_is() -> None:
    async with connected(answers(OK)) as (server, transport, url):
        await get(transport, f"{url}?where=a%26b&limit=2", {"accept-encoding": "gzip", "authorization": "Bearer x"})
    (head,) = server.heads
    assert head.startswith("GET /v3.1/schools?where=a%26b&limit=2 HTTP/1.1\r\n")
    names = [line.split(":")[0].lower() for line in head.split("\r\n")[1:] if line]
    assert sorted(names) == ["accept", "accept-encoding", "authorization", "host", "user-agent"]
