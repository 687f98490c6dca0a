"""From an HTTP request to a GraphQL request: https://graphql.github.io/graphql-over-http/draft/#sec-Request."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive

from gateway.engine.persisted import Asked
from gateway.errors import BadUserInput, RequestRefused

BAD_REQUEST = BadUserInput.code

# What clients call the id of a document: the specification, graphql-codegen and Relay.
_DOCUMENT_IDS = ("documentId", "id", "doc_id")

# What a GET may bring: servers on the way take far less.
_LONGEST_QUERY_STRING = 50_000
_MOST_PARAMETERS = 30
# Decoding a body of nothing else would take longer than anything that is done with it; those in strings count, too.
_MOST_BRACKETS = 50_000


class ClientGone(Exception):
    """The caller went away before the request was complete."""


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """Read a request's body of at most `limit` bytes.

    Raises RequestRefused (413) where it is longer, ClientGone where the caller hangs up.
    """
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join([*chunks, chunk]) if chunks else chunk
        chunks.append(chunk)


def _too_large(limit: int) -> RequestRefused:
    return RequestRefused(BAD_REQUEST, f"The request body is larger than {limit} bytes.", status=413)


def check_content_type(headers: Headers) -> None:
    """Raise RequestRefused (415) unless the body is JSON in UTF-8 and not compressed."""
    if not _is_json_in_utf8(headers.get("content-type", "")):
        raise RequestRefused(
            BAD_REQUEST, "Send the request as JSON in UTF-8, with `Content-Type: application/json`.", status=415
        )
    if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise RequestRefused(BAD_REQUEST, "Send the request body without compression.", status=415)


@lru_cache(maxsize=256)
def _is_json_in_utf8(content_type: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [one.partition("=")[2].strip('"') for one in parameters if one.startswith("charset=")]
    return media_type == "application/json" and all(charset in ("utf-8", "utf8") for charset in charsets)


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
    document_id, digest = _document_id(sent), _persisted_hash(sent)
    if isinstance(query, str) and query.strip():
        document_id = None
    elif query not in (None, "") or document_id is digest is None:
        raise RequestRefused(BAD_REQUEST, "`query` is missing: send the GraphQL document in it, as a string.")
    if name is not None and not isinstance(name, str):
        raise RequestRefused(BAD_REQUEST, "`operationName` must be a string.")
    return Asked(query or None, name or None, sent.get("variables"), document_id, digest)


def _document_id(sent: Mapping[str, Any]) -> str | None:
    found = (sent.get(name) for name in _DOCUMENT_IDS)
    return next((one for one in found if isinstance(one, str) and one), None)


def _persisted_hash(sent: Mapping[str, Any]) -> str | None:
    """Return the hash of an automatic persisted query."""
    persisted = (sent.get("extensions") or {}).get("persistedQuery")
    if persisted is None:
        return None
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise RequestRefused(BAD_REQUEST, "Unsupported persisted query version")
    digest = persisted.get("sha256Hash")
    if not isinstance(digest, str) or not digest:
        raise RequestRefused(BAD_REQUEST, "`extensions.persistedQuery.sha256Hash` must be a string.")
    return digest
