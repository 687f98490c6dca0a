"""Replies: an answer as it is sent, its headers as bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Send

from gateway.engine.answers import Answer
from gateway.engine.writing import CHUNK
from gateway.web.negotiation import GRAPHQL_JSON, JSON

Pair = tuple[bytes, bytes]

_CONTENT_TYPES = {one: (b"content-type", f"{one}; charset=utf-8".encode()) for one in (JSON, GRAPHQL_JSON)}
# Children's records: nothing on the way may keep them.
_UNKEPT: tuple[Pair, ...] = ((b"cache-control", b"private, no-store"), (b"vary", b"Accept, Authorization"))


@dataclass(slots=True)
class Reply:
    """Status, headers and body of an answer, and the codes of its errors."""

    status: int
    headers: list[Pair]
    chunks: list[bytes]
    codes: Sequence[str] = ()


def reply(
    status: int, media_type: str, chunks: list[bytes], codes: Sequence[str] = (), more: Sequence[Pair] = ()
) -> Reply:
    """Return the reply with this body; with `more` headers, it is what nobody on the way may keep."""
    return _reply(status, media_type, chunks, (*_UNKEPT, *more) if more else _UNKEPT, codes)


def reply_of(status: int, media_type: str, answer: Answer, more: Sequence[Pair] = ()) -> Reply:
    """Return the reply that carries an answer."""
    return reply(status, media_type, answer.chunks(), answer.codes, more)


def tagged(tag: str, given: str, media_type: str, chunks: list[bytes]) -> Reply:
    """Return the reply to a GET of data with this tag; 304 where it is one of those `given` as known already.

    The tag is a weak one: it tells of the data, not of what this answer cost.
    """
    headers = (
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"Accept, Authorization, Cookie"),
        (b"etag", f'W/"{tag}"'.encode()),
    )
    if given and f'"{tag}"' in {one.strip().removeprefix("W/") for one in given.split(",")}:
        return Reply(304, list(headers), [b""])
    return _reply(200, media_type, chunks, headers)


def _reply(
    status: int, media_type: str, chunks: list[bytes], headers: Sequence[Pair], codes: Sequence[str] = ()
) -> Reply:
    size = sum(map(len, chunks))
    if size <= CHUNK and len(chunks) > 1:
        chunks = [b"".join(chunks)]
    length = b"content-length", b"%d" % size
    return Reply(status, [_CONTENT_TYPES[media_type], length, *headers], chunks, codes)


async def send_reply(send: Send, given: Reply) -> None:
    """Send a reply."""
    await send({"type": "http.response.start", "status": given.status, "headers": given.headers})
    for chunk in given.chunks[:-1]:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": given.chunks[-1]})
