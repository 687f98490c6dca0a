"""Edge: `/graphql` in one pass, without the stack of middleware and routes that everything else goes through.

What the stack adds, the edge adds too: the request's id, the headers of every answer, the line of the access log. A
test compares the two.
"""

import time
from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.web.endpoint import GraphQLEndpoint
from gateway.web.facts import RequestFacts, current_request_id
from gateway.web.middleware import RAW_REQUEST_ID, RequestDone, log_method, request_id
from gateway.web.replies import Reply, send_reply

PATH = "/graphql"


class Edge:
    """Answers requests for the endpoint, and hands all others to `app`, where the endpoint has a route as well.

    That one is taken for what a middleware of `app` has a say in: a `Host` that is none of `hosts`, if there are any,
    and with `cross_origin` a request that a page of another origin may have sent.
    """

    def __init__(
        self,
        app: ASGIApp,
        endpoint: GraphQLEndpoint,
        on_request: Callable[[RequestDone], None],
        *,
        hosts: Iterable[str] = (),
        cross_origin: bool = False,
    ) -> None:
        self._app = app
        self._endpoint = endpoint
        self._on_request = on_request
        self._hosts = frozenset(name.lower() for name in hosts)
        self._cross_origin = cross_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        head, asked_id = self._endpoint.heads.of(scope["headers"])
        if (self._hosts and head.host not in self._hosts) or (self._cross_origin and head.from_page):
            await self._app(scope, receive, send)
            return
        raw_id = request_id(asked_id)
        name = raw_id.decode()
        facts = RequestFacts(name)
        status = 0
        try:
            given = self._endpoint.begin(scope, head, receive, facts)
            if not isinstance(given, Reply):
                current_request_id.set(name)
                given = await self._endpoint.answer(scope, head, receive, facts, given)
            if given is not None:
                status = given.status
                given.headers.append((RAW_REQUEST_ID, raw_id))
                await send_reply(send, given)
        except Exception:
            status = status or 500
            raise
        finally:
            codes = tuple(dict.fromkeys(facts.error_codes)) if facts.error_codes else ()
            took = time.perf_counter() - started
            self._on_request(
                RequestDone(name, log_method(scope["method"]), PATH, status, took, facts.upstream_calls, codes, facts)
            )
