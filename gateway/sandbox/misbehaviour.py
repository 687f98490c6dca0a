"""What each fault does: to the bytes of an answer that is sound, or to the way in which they are sent."""

import asyncio
import gzip
import socket
import struct
import time
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import lru_cache
from os import dup
from typing import Any, NamedTuple

import msgspec

from .answers import HTML, Headers, without

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PIECE = b" " * 65536
_DRIP_S = 0.1
_LATENCY_S = 1.0
_RESET_S = 5.0
_PAGE = b"<!DOCTYPE html>\n<html><head><title>%b</title></head><body><h1>%b</h1></body></html>\n"
_RATE = (b"x-ratelimit-bucket", b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset")
_STRANGER = "0" * 23 + "d"


class Orders(NamedTuple):
    """How a rule wants its fault."""

    seconds: float | None
    jitter: float
    bytes: int
    target: str


class Reply(NamedTuple):
    """What is sent and how; `path` is the one asked for, with its version."""

    path: str
    status: int
    headers: Headers
    body: bytes
    delay: float = 0.0
    way: str = "whole"
    orders: Orders = Orders(None, 0.0, 0, "")


Change = Callable[[Reply, Orders], Reply]


class Kind(NamedTuple):
    """A fault: what it does, and whether another try may get over it without records being false."""

    fault: Change
    passes: bool = True


class Fault(NamedTuple):
    """A fault that strikes a call."""

    change: Change
    orders: Orders
    slows: bool


def _with(reply: Reply, body: bytes, *more: tuple[bytes, bytes]) -> Reply:
    headers = without(reply.headers, (b"content-length", b"etag"))
    return reply._replace(body=body, headers=[*headers, (b"content-length", b"%d" % len(body)), *more])


def _page(status: int, title: bytes) -> Change:
    """Answer with a page for people."""

    def change(reply: Reply, _orders: Orders) -> Reply:
        kept = reply._replace(status=status, headers=without(reply.headers, (b"content-type",)))
        return _with(kept, _PAGE % (title, title), (b"content-type", HTML))

    return change


def _latency(reply: Reply, orders: Orders) -> Reply:
    return reply._replace(delay=reply.delay + (orders.seconds or _LATENCY_S) + orders.jitter)


def _limited(reply: Reply, orders: Orders) -> Reply:
    reset = int(time.time() + (orders.seconds or _RESET_S)) + 1
    values = (b"bearer", b"1200", b"0", b"%d" % reset)
    kept = reply._replace(status=429, headers=without(reply.headers, (*_RATE, b"content-type")))
    return _with(kept, b"", *zip(_RATE, values, strict=True))


def _limited_bare(reply: Reply, _orders: Orders) -> Reply:
    return _with(reply._replace(status=429, headers=without(reply.headers, (*_RATE, b"content-type"))), b"")


def _bytes(change: Callable[[bytes], bytes], *more: tuple[bytes, bytes]) -> Change:
    return lambda reply, _orders: _with(reply, change(reply.body), *more)


def _bomb(reply: Reply, orders: Orders) -> Reply:
    packed = _packed_spaces(orders.bytes)
    return _with(reply, packed, (b"content-encoding", b"gzip"))


@lru_cache(maxsize=2)
def _packed_spaces(count: int) -> bytes:
    packing = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    pieces = [packing.compress(b'{"data":[')]
    pieces.extend(packing.compress(_PIECE) for _ in range(count // len(_PIECE)))
    return b"".join((*pieces, packing.flush()))


def _sent(way: str) -> Change:
    return lambda reply, orders: reply._replace(way=way, orders=orders)


def _redirect(foreign: bool) -> Change:
    def change(reply: Reply, orders: Orders) -> Reply:
        target = f"{orders.target}{reply.path}" if foreign else reply.path
        return _with(reply._replace(status=302), b"", (b"location", target.encode()))

    return change


def _edited(edit: Callable[[Any, Reply, Orders], Any]) -> Change:
    """Answer with the sound JSON after `edit`; what is no JSON object stays as it is."""

    def change(reply: Reply, orders: Orders) -> Reply:
        try:
            body = msgspec.json.decode(reply.body)
        except msgspec.DecodeError:
            return reply
        return _with(reply, msgspec.json.encode(edit(body, reply, orders)))

    return change


def _records(body: Any) -> list[Any]:
    data = body.get("data")
    if isinstance(data, list):
        return [element["data"] for element in data]
    return [data] if isinstance(data, dict) else []


def _wrong_types(body: Any, _reply: Reply, _orders: Orders) -> Any:
    for record in _records(body)[:1]:
        record |= {"name": ["no", "text"], "roles": "student", "created": {}, "grade": 7, "teachers": "many"}
    return body


def _wrong_envelope(body: Any, _reply: Reply, _orders: Orders) -> Any:
    return {"count": "many"} if "count" in body else {"data": "nothing", "links": None}


def _nulls(body: Any, _reply: Reply, _orders: Orders) -> Any:
    if isinstance(body.get("data"), list):
        return {**body, "data": [None, *body["data"], {"data": None}, 7]}
    return {**body, "data": None} if "data" in body else {**body, "count": None}


def _duplicates(body: Any, _reply: Reply, _orders: Orders) -> Any:
    data = body.get("data")
    return {**body, "data": [*data, *data]} if isinstance(data, list) else body


def _other_record(body: Any, _reply: Reply, _orders: Orders) -> Any:
    if isinstance(body.get("data"), dict):
        body["data"]["id"] = _after(body["data"]["id"])
    return body


def _other_district(body: Any, _reply: Reply, _orders: Orders) -> Any:
    for record in _records(body):
        if "district" in record:
            record["district"] = _STRANGER
    return body


def _linked(make: Callable[[Any, Reply, Orders], str | None]) -> Change:
    """Let a page link on to somewhere."""

    def edit(body: Any, reply: Reply, orders: Orders) -> Any:
        if isinstance(body.get("data"), list) and (uri := make(body, reply, orders)) is not None:
            links = [link for link in body.get("links", ()) if link["rel"] != "next"]
            body["links"] = [*links, {"rel": "next", "uri": uri}]
        return body

    return _edited(edit)


def _foreign(body: Any, reply: Reply, orders: Orders) -> str | None:
    return f"{orders.target}{_next(reply, _last(body))}"


def _loop(body: Any, reply: Reply, _orders: Orders) -> str | None:
    """Lead back to the first record, so that every page leads to the same one."""
    return _next(reply, "0" * 23 + "1") if body["data"] else None


def _endless(body: Any, reply: Reply, _orders: Orders) -> str | None:
    """Lead on behind the last record; where there is none any more, make one up."""
    if not body["data"]:
        asked = next((part for part in _query(reply) if part.startswith("starting_after=")), "=" + "0" * 24)
        body["data"] = [{"data": {"id": _after(asked.partition("=")[2])}, "uri": reply.path}]
    return _next(reply, _last(body))


def _last(body: Any) -> str:
    last: str = body["data"][-1]["data"]["id"] if body["data"] else "0" * 24
    return last


def _after(key: str) -> str:
    return f"{(int(key, 16) + 1) % 16**24:024x}"


def _query(reply: Reply) -> list[str]:
    return reply.path.partition("?")[2].split("&")


def _next(reply: Reply, cursor: str) -> str:
    path, _, _ = reply.path.partition("?")
    rest = [part for part in _query(reply) if part and not part.startswith(("starting_after=", "ending_before="))]
    return f"{path}?{'&'.join([*rest, f'starting_after={cursor}'])}"


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


KINDS: dict[str, Kind] = {
    "latency": Kind(_latency, passes=False),
    "429": Kind(_limited),
    "429-bare": Kind(_limited_bare),
    "500": Kind(_page(500, b"Internal Server Error")),
    "502": Kind(_page(502, b"Bad Gateway")),
    "503": Kind(_page(503, b"Service Unavailable")),
    "html": Kind(_page(200, b"Down for maintenance")),
    "truncated-json": Kind(_bytes(_half)),
    "truncated-gzip": Kind(_bytes(lambda body: _half(gzip.compress(body, 1)), (b"content-encoding", b"gzip"))),
    "bad-json": Kind(_bytes(lambda body: body.replace(b":", b"=", 1))),
    "wrong-envelope": Kind(_edited(_wrong_envelope)),
    "wrong-types": Kind(_edited(_wrong_types), passes=False),
    "nulls": Kind(_edited(_nulls)),
    "duplicates": Kind(_edited(_duplicates)),
    "other-record": Kind(_edited(_other_record)),
    "other-district": Kind(_edited(_other_district)),
    "redirect": Kind(_redirect(foreign=True)),
    "redirect-loop": Kind(_redirect(foreign=False)),
    "foreign-next": Kind(_linked(_foreign)),
    "looping-next": Kind(_linked(_loop)),
    "endless": Kind(_linked(_endless), passes=False),
    "huge": Kind(_sent("huge")),
    "gzip-bomb": Kind(_bomb),
    "reset": Kind(_sent("reset")),
    "hang-up": Kind(_sent("hang-up")),
    "hang": Kind(_sent("hang")),
    "drip": Kind(_sent("drip")),
}


async def misbehave(reply: Reply, faults: list[Fault], receive: Receive, send: Send) -> None:
    """Send an answer as faults want it."""
    for fault in faults:
        reply = fault.change(reply, fault.orders)
    gone = asyncio.ensure_future(_hung_up(receive))
    try:
        if reply.delay and await _passes(reply.delay, gone):
            return
        if reply.way == "hang":
            await gone
        elif reply.way == "hang-up":
            _abort(send, resets=False)
            await gone
        else:
            await _send(reply, gone, send)
    finally:
        gone.cancel()


async def _send(reply: Reply, gone: "asyncio.Future[None]", send: Send) -> None:
    headers = without(reply.headers, (b"content-length",)) if reply.way == "huge" else reply.headers
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.way == "reset":
        await send({"type": "http.response.body", "body": _half(reply.body), "more_body": True})
        # What has been sent would be lost with the connection otherwise.
        await _passes(0.01, gone)
        _abort(send, resets=True)
        await gone
    elif reply.way == "huge":
        for _ in range(reply.orders.bytes // len(_PIECE)):
            await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
            if await _passes(0, gone):
                return
        await send({"type": "http.response.body", "body": b""})
    elif reply.way == "drip":
        for position in range(len(reply.body)):
            if await _passes(reply.orders.seconds or _DRIP_S, gone):
                return
            piece = reply.body[position : position + 1]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": reply.body})


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _passes(seconds: float, gone: "asyncio.Future[None]") -> bool:
    """Let time pass; True where the caller has hung up meanwhile."""
    await asyncio.wait({gone}, timeout=seconds)
    return gone.done()


def _abort(send: Send, *, resets: bool) -> None:
    """End the connection under an answer; `resets`: by TCP's RST, as a peer that has crashed does.

    ASGI knows no way to do that, so that it takes uvicorn's transport. Raises ConnectionResetError elsewhere.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the connection was reset")
    if resets:
        with suppress(OSError), socket.socket(fileno=dup(transport.get_extra_info("socket").fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
