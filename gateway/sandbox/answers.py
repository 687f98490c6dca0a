"""Answers as HTTP: status, body and the headers Clever sends with them. Knows nothing of records or routes."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha1
from html import escape
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from .limits import Allowance

Headers = list[tuple[bytes, bytes]]

JSON = b"application/json; charset=utf-8"
BACKEND_JSON = b"application/json"
HTML = b"text/html; charset=utf-8"

_CANNOT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>{}</pre>
</body>
</html>
"""


class Answer(NamedTuple):
    """One answer; `etag` is worked out from the body when empty and the content is Express's JSON.

    What `more` has goes before the headers that would be sent by default.
    """

    status: int
    body: bytes
    content_type: bytes = JSON
    etag: bytes = b""
    more: tuple[tuple[bytes, bytes], ...] = ()


def json(status: int, value: Any) -> Answer:
    """Answer with a JSON value."""
    return Answer(status, msgspec.json.encode(value))


def refusal(status: int, message: str) -> Answer:
    """Answer with an error in the Data API's shape."""
    return json(status, {"error": message})


NOT_FOUND = refusal(404, "Resource not found")
UNKNOWN_TOKEN = json(401, {"code": 101, "error": "Unrecognized token string", "data": {}})
LIMITED = Answer(429, b"", b"")  # Clever's docs, responses-errors: no body, and no Retry-After either


def no_route(method: str, path: str) -> Answer:
    """Answer as Express does when no route takes the call: wrong path, wrong method or wrong kind of token."""
    text = escape(f"Cannot {method} {path}").replace("&#x27;", "&#39;")  # as JavaScript's escape-html writes it
    return Answer(404, _CANNOT.format(text).encode(), HTML)


def weak_etag(body: bytes) -> bytes:
    """Return Express's weak etag: length in hex and 27 characters of the digest."""
    digest = sha1(body, usedforsecurity=False).digest()
    return b'W/"%x-%b"' % (len(body), b64encode(digest)[:27])


def headers_of(answer: Answer, allowance: Allowance | None) -> Headers:
    """Write the headers of an API answer; `allowance` is `None` where no limit is kept."""
    headers = [(b"x-request-id", str(uuid4()).encode()), (b"cache-control", b"no-store")]
    if answer.content_type:
        headers.append((b"content-type", answer.content_type))
    if answer.content_type == BACKEND_JSON:
        headers.append((b"clever-request-id", str(uuid4()).encode()))
    else:
        headers.append((b"x-powered-by", b"Express"))
    if answer.content_type == JSON:
        headers.append((b"etag", answer.etag or weak_etag(answer.body)))
    elif answer.content_type == HTML:
        headers.append((b"content-security-policy", b"default-src 'none'"))
        headers.append((b"x-content-type-options", b"nosniff"))
    if answer.more:
        headers = [*without(headers, (name for name, _ in answer.more)), *answer.more]
    if allowance is not None:
        headers += (
            (b"x-ratelimit-bucket", b"bearer"),
            (b"x-ratelimit-limit", b"%d" % allowance.limit),
            (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
            (b"x-ratelimit-reset", b"%d" % allowance.reset),
        )
    return headers


def unchanged(answer: Answer, headers: Headers, asked: Mapping[bytes, bytes]) -> bool:
    """Tell whether the caller already holds this answer, as Express decides it."""
    condition = asked.get(b"if-none-match")
    if condition is None or answer.status != 200 or b"no-cache" in asked.get(b"cache-control", b""):
        return False
    etag = next((value for name, value in headers if name == b"etag"), None)
    if etag is None:
        return False
    return condition.strip() == b"*" or _opaque(etag) in map(_opaque, condition.split(b","))


def _opaque(etag: bytes) -> bytes:
    return etag.strip().removeprefix(b"W/")


def finished(answer: Answer, allowance: Allowance | None, asked: Mapping[bytes, bytes]) -> tuple[int, Headers, bytes]:
    """Return status, headers and body ready to send, with 304 where the caller is up to date."""
    headers = headers_of(answer, allowance)
    if unchanged(answer, headers, asked):
        return 304, without(headers, (b"content-type",)), b""
    headers.append((b"content-length", b"%d" % len(answer.body)))
    return answer.status, headers, answer.body


def without(headers: Headers, names: Iterable[bytes]) -> Headers:
    """Return the headers but for some."""
    left_out = frozenset(names)
    return [header for header in headers if header[0] not in left_out]
