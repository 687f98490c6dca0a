"""What is written to a connection in one moment goes out together, whole and in order, and soon."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.cli.gathering import GatheringProtocol, GatheringTransport, Outbox
from tests.servers import running

SMALL, LARGE = b"a small answer", bytes(range(256)) * 4_000
GET = b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer `/small`, `/large`, `/parts` (in three, of which the last is large) or `/waits` (between two parts)."""
    parts = {"/small": [SMALL], "/large": [LARGE], "/parts": [SMALL, SMALL, LARGE], "/waits": [SMALL, SMALL]}
    body = parts.get(scope["path"], [b""])
    await receive()
    size = str(sum(map(len, body))).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", size)]})
    for number, part in enumerate(body, 1):
        await send({"type": "http.response.body", "body": part, "more_body": number < len(body)})
        if scope["path"] == "/waits" and number == 1:
            message = await receive()
            assert message["type"] == "http.disconnect"
            return


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def origin(request: pytest.FixtureRequest) -> Iterator[str]:
    """Serve the app, on each of the loops."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed here")
    with running(app, http=GatheringProtocol, loop=request.param, lifespan="off") as origin:
        yield origin


def connected(origin: str) -> socket.socket:
    """Return a connection whose answers take no longer than ten seconds."""
    where = urlsplit(origin)
    return socket.create_connection((where.hostname, where.port or 80), timeout=10)


def test_answers_are_whole_and_the_connection_stays(origin: str) -> None:
    with httpx.Client(base_url=origin) as http:
        for path, body in (("/small", SMALL), ("/large", LARGE), ("/parts", SMALL + SMALL + LARGE), ("/none", b"")) * 3:
            assert http.get(path).content == body


def test_requests_sent_at_once_are_answered_in_their_order(origin: str) -> None:
    with connected(origin) as connection:
        connection.sendall(b"".join(GET % path for path in (b"/small", b"/large", b"/parts", b"/small")))
        bodies = [SMALL, LARGE, SMALL + SMALL + LARGE, SMALL]
        reading = connection.makefile("rb")
        for body in bodies:
            while reading.readline() != b"\r\n":
                pass
            assert reading.read(len(body)) == body


def test_a_part_that_others_follow_later_does_not_wait_for_them(origin: str) -> None:
    with connected(origin) as connection:
        connection.sendall(GET % b"/waits")
        reading = connection.makefile("rb")
        while reading.readline() != b"\r\n":
            pass
        assert reading.read(len(SMALL)) == SMALL


def test_the_last_answer_is_sent_before_the_connection_is_closed(origin: str) -> None:
    with connected(origin) as connection:
        connection.sendall(b"GET /small HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert connection.makefile("rb").read().endswith(b"\r\n\r\n" + SMALL)


class Below(asyncio.Transport):
    """A transport that notes what is written to it, one item for each system call."""

    def __init__(self) -> None:
        super().__init__({"peername": "somebody"})
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def writelines(self, data: Any) -> None:
        self.write(b"".join(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Scene:
    """Two connections of one server, at a time that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        outbox = Outbox(asyncio.get_running_loop(), lambda: self.now)
        self.below = Below(), Below()
        self.one, self.other = (GatheringTransport(below, outbox) for below in self.below)

    @property
    def written(self) -> list[list[bytes]]:
        """Return what each has sent."""
        return [below.written for below in self.below]


async def test_all_that_is_written_in_a_turn_is_sent_in_the_next_in_one_piece_each() -> None:
    scene = Scene()
    for transport in (scene.one, scene.other):
        transport.write(b"head")
        transport.write(b"body")
    assert scene.written == [[], []]
    await asyncio.sleep(0)
    assert scene.written == [[b"headbody"], [b"headbody"]]
    scene.one.write(b"again")
    await asyncio.sleep(0)
    assert scene.written == [[b"headbody", b"again"], [b"headbody"]]


async def test_what_has_waited_for_long_is_sent_when_the_next_is_written() -> None:
    scene = Scene()
    scene.one.write(b"head")
    scene.one.write(b"body")
    # In the same turn of the loop another answer has taken some time.
    scene.now = 0.002
    scene.other.write(b"head")
    assert scene.written == [[], []]
    scene.other.write(b"body")
    assert scene.written == [[b"headbody"], [b"headbody"]]
    await asyncio.sleep(0)
    assert scene.written == [[b"headbody"], [b"headbody"]]


async def test_what_is_large_is_sent_at_once_behind_what_is_held() -> None:
    scene = Scene()
    scene.one.write(b"head")
    scene.one.write(LARGE)
    assert scene.written == [[b"head" + LARGE], []]
    await asyncio.sleep(0)
    assert scene.written == [[b"head" + LARGE], []]


async def test_many_small_parts_are_not_piled_up() -> None:
    scene = Scene()
    for _ in range(5):
        scene.one.write(b"x" * 40_000)
    assert [len(one) for one in scene.written[0]] == [80_000, 80_000]
    await asyncio.sleep(0)
    assert sum(map(len, scene.written[0])) == 200_000


async def test_a_connection_that_cannot_be_written_to_costs_no_other_its_answer() -> None:
    scene = Scene()
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: told.append(what["message"]))
    scene.below[0].write = None  # type: ignore[method-assign, assignment]
    scene.one.write(b"lost")
    scene.other.write(b"sent")
    await asyncio.sleep(0)
    assert scene.written == [[], [b"sent"]]
    assert told == ["an answer was not sent"]


async def test_a_connection_that_is_lost_costs_no_other_its_answer() -> None:
    scene = Scene()
    scene.one.write(b"lost")
    scene.other.write(b"sent")
    scene.below[0].close()
    await asyncio.sleep(0)
    assert scene.written == [[], [b"sent"]]


async def test_all_else_is_asked_of_the_transport_below() -> None:
    scene = Scene()
    assert scene.one.get_extra_info("peername") == "somebody"
    scene.one.write(b"held")
    assert not scene.one.is_closing()
    scene.one.close()
    assert scene.one.is_closing()
    assert scene.written == [[b"held"], []]
