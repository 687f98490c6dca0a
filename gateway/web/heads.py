"""Heads: what the headers of a request say, worked out once: clients send the same ones over and over."""

from collections.abc import Sequence

from gateway.errors import GatewayError, RequestRefused
from gateway.identity import Caller
from gateway.web.auth import Authenticator
from gateway.web.headers import RequestHeaders
from gateway.web.hosts import name_in
from gateway.web.middleware import RAW_REQUEST_ID
from gateway.web.negotiation import media_type_of
from gateway.web.parsing import check_content_type
from gateway.web.replies import Pair

# With the value `plan`, asks what was done upstream and why.
EXPLAIN = "x-clever-explain"
# All that is looked at below. What else is sent may differ from request to request and makes no other head.
_RELEVANT = frozenset(
    (
        b"accept",
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-type",
        b"cookie",
        b"expect",
        b"host",
        b"if-none-match",
        b"origin",
        EXPLAIN.encode(),
    )
)
# A head is remembered by its headers: at most 4 MB in all.
_MOST, _MOST_BYTES = 1_024, 4_096


class Head:
    """What the headers of a request say.

    `media_type`: the one to answer in, None where neither is taken; `json`: the body is said to be what is asked for;
    `host`: the name in `Host`; `known_tags`: of `If-None-Match`; `caller`: who asks, where that is told by the headers
    alone, else None. `is_plain`: there is a caller who asks for nothing out of the ordinary.
    """

    __slots__ = (
        "caller",
        "expects",
        "explains",
        "from_page",
        "host",
        "is_plain",
        "json",
        "known_tags",
        "media_type",
        "newer",
    )

    def __init__(self, headers: RequestHeaders, authenticator: Authenticator) -> None:
        table = headers.table
        self.media_type = media_type_of(headers.joined(b"accept"))
        self.json = _is_json(headers)
        self.host = name_in(headers.getlist("host"))
        self.from_page = b"origin" in table
        self.expects = b"expect" in table
        self.known_tags: str = headers.get("if-none-match", "")
        self.explains = headers.get(EXPLAIN, "").strip().lower() == "plan"
        self.newer = b"no-cache" in table.get(b"cache-control", b"").lower()
        self.caller = _lasting_caller(headers, authenticator)
        asks_more = self.expects or self.explains or self.newer
        self.is_plain = bool(self.caller and self.media_type and self.json and not asks_more)


class Heads:
    """Remembers the heads met lately."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._known: dict[tuple[Pair, ...], Head] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, sent: Sequence[Pair]) -> tuple[Head, bytes | None]:
        """Return the head of a request with these headers, and the id that its caller gave it."""
        key, asked_id = [], None
        for pair in sent:
            name = pair[0]
            if name in _RELEVANT:
                key.append(pair)
            elif name == RAW_REQUEST_ID and asked_id is None:
                asked_id = pair[1]
        relevant = tuple(key)
        head = self._known.get(relevant)
        return head or self._add(relevant), asked_id

    def _add(self, relevant: tuple[Pair, ...]) -> Head:
        head = Head(RequestHeaders(relevant), self._authenticator)
        if sum(len(name) + len(value) for name, value in relevant) <= _MOST_BYTES:
            if len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
            self._known[relevant] = head
        return head


def _is_json(headers: RequestHeaders) -> bool:
    try:
        check_json(headers)
    except RequestRefused:
        return False
    return True


def check_json(headers: RequestHeaders) -> None:
    """Raise RequestRefused (415) unless the body is said to be JSON."""
    check_content_type(headers.table.get(b"content-type"), headers.table.get(b"content-encoding"))


def _lasting_caller(headers: RequestHeaders, authenticator: Authenticator) -> Caller | None:
    try:
        return authenticator.lasting_caller(headers)
    except GatewayError:
        # It is raised to each request that asks in this way.
        return None
