"""What happens around every request: its id, and one line of access log. Pure ASGI."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.engine.operations import Named
from gateway.web.facts import RequestFacts, current_request_id, facts_of

REQUEST_ID = "x-request-id"
_RAW_REQUEST_ID = REQUEST_ID.encode()
_SOUND = re.compile(rb"[\w-]{1,64}")


@dataclass(frozen=True, slots=True)
class RequestDone:
    """One request as subscribers hear of it.

    `route` is one of ours or `other`: paths of strangers are not repeated. `status` is 0 where the caller went away
    before there was an answer. `operation` is None where none was run, `kept` says that an earlier answer was given
    again, `facts` are those that it was made from.
    """

    request_id: str
    method: str
    route: str
    status: int
    seconds: float
    upstream_calls: int
    error_codes: tuple[str, ...]
    facts: RequestFacts = field(default_factory=RequestFacts)
    operation: Named | None = None
    kept: bool = False


class RequestIds:
    """Takes the caller's `X-Request-Id` if it is sound, makes one if not, and answers with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an HTTP request on with an id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == _RAW_REQUEST_ID), b"")
        request_id = sent if _SOUND.fullmatch(sent) else os.urandom(16).hex().encode()
        facts_of(scope).request_id = request_id.decode()
        current_request_id.set(request_id.decode())

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_RAW_REQUEST_ID, request_id)]
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
            scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other",
            scope["path"] if scope["path"] in self._routes else "other",
            status,
            seconds,
            facts.upstream_calls,
            tuple(dict.fromkeys(facts.error_codes)),
            facts,
            facts.operation,
            facts.kept,
        )
