"""From an HTTP request to a GraphQL request: https://graphql.github.io/graphql-over-http/draft/#sec-Request."""

from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Message, Receive

from gateway.engine.begun import Begun
from gateway.engine.persisted import Asked
from gateway.errors import BadUserInput, RequestRefused

BAD_REQUEST = BadUserInput.code

# What there is of a request's body so far: its first part is being received, or all of it is there.
First = Begun[Message] | bytes | None

# What clients call the id of a document: the specification, graphql-codegen and Relay.
_DOCUMENT_IDS = ("documentId", "id", "doc_id")

# What a GET may bring: servers on the way take far less.
_LONGEST_QUERY_STRING = 50_000
_MOST_PARAMETERS = 30
# Decoding a body of nothing else would take longer than anything that is done with it; those in strings count, too.
_MOST_BRACKETS = 50_000


class ClientGone(Exception):
    """The caller went away before the request was complete."""


def check_length(declared: bytes | None, limit: int) -> None:
    """Raise RequestRefused (413) where a request says itself that its body is longer than `limit` bytes."""
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)


def whole_body(message: Message, limit: int) -> bytes | None:
    """Return the body that came with this very message, unless more is to come; raises as `read_body` does."""
    if message["type"] != "http.request" or message.get("more_body"):
        return None
    body: bytes = message.get("body", b"")
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def read_body(first: Awaitable[Message], receive: Receive, limit: int) -> bytes:
    """Read a request's body of at most `limit` bytes, of which the `first` part is being received.

    Raises RequestRefused (413) where it is longer, ClientGone where the caller hangs up.
    """
    chunks: list[bytes] = []
    size = 0
    message = await first
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join([*chunks, chunk])
        chunks.append(chunk)
        message = await receive()


def _too_large(limit: int) -> RequestRefused:
    return RequestRefused(BAD_REQUEST, f"The request body is larger than {limit} bytes.", status=413)


@lru_cache(maxsize=256)
def check_content_type(content_type: bytes | None, encoding: bytes | None) -> None:
    """Raise RequestRefused (415) unless the body is JSON in UTF-8 and not compressed, as these two headers tell."""
    media_type, *parameters = (part.strip().lower() for part in (content_type or b"").decode("latin-1").split(";"))
    charsets = [one.partition("=")[2].strip('"') for one in parameters if one.startswith("charset=")]
    if media_type != "application/json" or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise RequestRefused(
            BAD_REQUEST, "Send the request as JSON in UTF-8, with `Content-Type: application/json`.", status=415
        )
    if (encoding or b"").lower() not in (b"", b"identity"):
        raise RequestRefused(BAD_REQUEST, "Send the request body without compression.", status=415)


def request_from_body(body: bytes) -> Asked:
    """Read the JSON body of a POST. Raises RequestRefused where it is not a GraphQL request."""
    if body.count(b"[") + body.count(b"{") > _MOST_BRACKETS:
        raise RequestRefused(BAD_REQUEST, f"The request body has more than {_MOST_BRACKETS} lists and objects.")
    sent = _decoded(body, "The request body")
    if isinstance(sent, list):
        raise RequestRefused(BAD_REQUEST, "Batches of operations are not taken: send them one by one.")
    if not isinstance(sent, dict):
        raise RequestRefused(BAD_REQUEST, "The request body must be a JSON object with a `query`.")
    return _checked(sent)


def request_from_query_string(raw: bytes) -> Asked:
    """Read the query string of a GET. Raises RequestRefused where it is not a GraphQL request."""
    if len(raw) > _LONGEST_QUERY_STRING:
        problem = f"The query string is longer than {_LONGEST_QUERY_STRING} bytes. Send the request by POST."
        raise RequestRefused(BAD_REQUEST, problem, status=414)
    if raw.count(b"&") > _MOST_PARAMETERS:
        raise RequestRefused(BAD_REQUEST, f"The query string has more than {_MOST_PARAMETERS} parameters.")
    parameters = QueryParams(raw)
    sent: dict[str, Any] = {
        name: parameters[name] for name in ("query", "operationName", *_DOCUMENT_IDS) if name in parameters
    }
    for name in ("variables", "extensions"):
        if parameters.get(name):
            sent[name] = _decoded(parameters[name].encode(), f"`{name}`")
    return _checked(sent)


def _decoded(text: bytes, what: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise RequestRefused(BAD_REQUEST, f"{what} is nested too deeply.") from None
    except UnicodeDecodeError:
        raise RequestRefused(BAD_REQUEST, f"{what} is not in UTF-8.") from None
    except msgspec.DecodeError as error:
        # msgspec names the kind of mistake and the byte, never what stands there.
        raise RequestRefused(BAD_REQUEST, f"{what} cannot be read as JSON: {error}.") from None


def _checked(sent: Mapping[str, Any]) -> Asked:
    query, name = sent.get("query"), sent.get("operationName")
    for part in ("variables", "extensions"):
        if sent.get(part) is not None and not isinstance(sent[part], dict):
            raise RequestRefused(BAD_REQUEST, f"`{part}` must be an object.")
    digest = _persisted_hash(sent["extensions"]) if sent.get("extensions") else None
    document_id = None
    if not (isinstance(query, str) and query.strip()):
        document_id = _document_id(sent)
        if query not in (None, "") or document_id is digest is None:
            raise RequestRefused(BAD_REQUEST, "`query` is missing: send the GraphQL document in it, as a string.")
    if name is not None and not isinstance(name, str):
        raise RequestRefused(BAD_REQUEST, "`operationName` must be a string.")
    return Asked(query or None, name or None, sent.get("variables"), document_id, digest)


def _document_id(sent: Mapping[str, Any]) -> str | None:
    found = (sent.get(name) for name in _DOCUMENT_IDS)
    return next((one for one in found if isinstance(one, str) and one), None)


def _persisted_hash(extensions: Mapping[str, Any]) -> str | None:
    """Return the hash of an automatic persisted query."""
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise RequestRefused(BAD_REQUEST, "Unsupported persisted query version")
    digest = persisted.get("sha256Hash")
    if not isinstance(digest, str) or not digest:
        raise RequestRefused(BAD_REQUEST, "`extensions.persistedQuery.sha256Hash` must be a string.")
    return digest
