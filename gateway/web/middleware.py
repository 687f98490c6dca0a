"""What happens around every request: its id, and one line of access log. Pure ASGI."""

import random
import re
import time
from collections.abc import Callable

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.web.facts import RequestFacts, current_request_id, facts_of, note

REQUEST_ID = "x-request-id"
RAW_REQUEST_ID = REQUEST_ID.encode()
_SOUND = re.compile(rb"[\w-]{1,64}")
_METHODS = frozenset(("GET", "POST", "HEAD", "OPTIONS"))


class RequestDone(msgspec.Struct, frozen=True, gc=False):
    """One request as subscribers hear of it.

    `route` is one of ours or `other`: paths of strangers are not repeated. `status` is 0 where the caller went away
    before there was an answer. `facts` are those that it was made from.
    """

    request_id: str
    method: str
    route: str
    status: int
    seconds: float
    upstream_calls: int
    error_codes: tuple[str, ...]
    facts: RequestFacts = msgspec.field(default_factory=RequestFacts)


def request_id(sent: bytes | None) -> bytes:
    """Return the id that a caller sent if it is sound, else a new one: it has to be unique, not secret."""
    if sent is not None and _SOUND.fullmatch(sent):
        return sent
    return b"%032x" % random.getrandbits(128)


def log_method(method: str) -> str:
    """Return a request's method as it is logged: those of strangers are not repeated."""
    return method if method in _METHODS else "other"


class RequestIds:
    """Takes the caller's `X-Request-Id` if it is sound, makes one if not, and answers with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on with an id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw_id = request_id(next((value for name, value in scope["headers"] if name == RAW_REQUEST_ID), None))
        note(scope, raw_id.decode())
        current_request_id.set(raw_id.decode())

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (RAW_REQUEST_ID, raw_id)]
            await send(message)

        await self._app(scope, receive, with_id)


class AccessLog:
    """Tells `on_request` of each request once it is answered."""

    def __init__(self, app: ASGIApp, on_request: Callable[[RequestDone], None], routes: frozenset[str]) -> None:
        self._app = app
        self._on_request = on_request
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on and report it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_status)
        except Exception:
            status = status or 500
            raise
        finally:
            self._on_request(self._done(scope, facts_of(scope), status, time.perf_counter() - started))

    def _done(self, scope: Scope, facts: RequestFacts, status: int, seconds: float) -> RequestDone:
        return RequestDone(
            facts.request_id,
            log_method(scope["method"]),
            scope["path"] if scope["path"] in self._routes else "other",
            status,
            seconds,
            facts.upstream_calls,
            tuple(dict.fromkeys(facts.error_codes)),
            facts,
        )
