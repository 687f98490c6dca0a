"""Replies: an answer as it is sent, its headers as bytes."""

from collections.abc import Sequence

import msgspec
from starlette.types import Send

from gateway.engine.answers import Answer
from gateway.engine.writing import CHUNK
from gateway.web.negotiation import GRAPHQL_JSON, JSON
from gateway.web.security import SECURITY_HEADERS

Pair = tuple[bytes, bytes]

_CONTENT_TYPES = {one: (b"content-type", f"{one}; charset=utf-8".encode()) for one in (JSON, GRAPHQL_JSON)}
# Children's records: nothing on the way may keep them.
_UNKEPT: tuple[Pair, ...] = ((b"cache-control", b"private, no-store"), (b"vary", b"Accept, Authorization"))
# But the caller may, who has to ask each time whether it still stands.
_ASK_FIRST: tuple[Pair, ...] = ((b"cache-control", b"private, no-cache"), (b"vary", b"Accept, Authorization, Cookie"))
_MOST = {media_type: (pair, *_UNKEPT, *SECURITY_HEADERS) for media_type, pair in _CONTENT_TYPES.items()}


class Reply(msgspec.Struct):
    """Status, headers and body of an answer, and the codes of its errors."""

    status: int
    headers: list[Pair]
    chunks: list[bytes]
    codes: Sequence[str] = ()


def reply(
    status: int, media_type: str, chunks: list[bytes], codes: Sequence[str] = (), more: Sequence[Pair] = ()
) -> Reply:
    """Return the reply with this body, which nobody may keep; `more` are headers."""
    size, chunks = (len(chunks[0]), chunks) if len(chunks) == 1 else _measured(chunks)
    return Reply(status, [*_MOST[media_type], *more, (b"content-length", b"%d" % size)], chunks, codes)


def reply_of(status: int, media_type: str, answer: Answer, more: Sequence[Pair] = ()) -> Reply:
    """Return the reply that carries an answer."""
    return reply(status, media_type, answer.chunks(), answer.codes, more)


def tagged(tag: str, given: str, media_type: str, chunks: list[bytes]) -> Reply:
    """Return the reply to a GET of data with this tag; 304 where it is one of those `given` as known already.

    The tag is a weak one: it tells of the data, not of what this answer cost.
    """
    headers = [*_ASK_FIRST, *SECURITY_HEADERS, (b"etag", f'W/"{tag}"'.encode())]
    if given and f'"{tag}"' in {one.strip().removeprefix("W/") for one in given.split(",")}:
        return Reply(304, headers, [b""])
    size, chunks = _measured(chunks)
    return Reply(200, [_CONTENT_TYPES[media_type], *headers, (b"content-length", b"%d" % size)], chunks)


def _measured(chunks: list[bytes]) -> tuple[int, list[bytes]]:
    """Return the size of a body, and the chunks to send it in: one, unless it is large."""
    size = sum(map(len, chunks))
    return size, [b"".join(chunks)] if size <= CHUNK else chunks


async def send_reply(send: Send, given: Reply) -> None:
    """Send a reply."""
    await send({"type": "http.response.start", "status": given.status, "headers": given.headers})
    if len(given.chunks) > 1:
        for chunk in given.chunks[:-1]:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": given.chunks[-1]})
