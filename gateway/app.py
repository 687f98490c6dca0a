"""create_app(settings): the composition root, and the only place that sees every layer."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway import __version__
from gateway.clever.client import CallSent, CleverClient, ClientLimits
from gateway.engine.executor import Engine
from gateway.observability.log import log_call, log_internal, log_request
from gateway.schema.build import build_schema
from gateway.settings import Settings
from gateway.web.endpoint import EndpointLimits, GraphQLEndpoint
from gateway.web.graphiql_page import graphiql_routes
from gateway.web.middleware import AccessLog, RequestDone, RequestIds
from gateway.web.ops import ops_routes

ROUTES = frozenset({"/", "/graphql", "/graphiql", "/healthz", "/readyz"})


def create_app(
    settings: Settings, *, demo_token: str | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> Starlette:
    """Build the gateway. `demo_token` is filled in on the GraphiQL page; never pass a real one."""
    client: CleverClient | None = None

    def the_client() -> CleverClient:
        if client is None:
            raise RuntimeError("the gateway has not been started")
        return client

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        nonlocal client
        async with open_client(settings, transport) as client:
            yield
        client = None

    engine = Engine(build_schema()._schema, on_internal=log_internal)
    limits = EndpointLimits(
        deadline_s=settings.deadline,
        calls=settings.max_calls,
        body_bytes=settings.max_body_bytes,
        public_introspection=settings.public_introspection,
    )
    graphiql = graphiql_routes(demo_token=demo_token) if settings.graphiql else []
    return Starlette(
        routes=[
            Route("/graphql", GraphQLEndpoint(engine, the_client, limits)),
            Route("/", _front_door(settings.graphiql)),
            *ops_routes(lambda: client is not None),
            *graphiql,
        ],
        middleware=[Middleware(RequestIds), Middleware(AccessLog, on_request=_on_request, routes=ROUTES)],
        exception_handlers={404: _not_found, Exception: _unexpected},
        lifespan=lifespan,
    )


def open_client(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> CleverClient:
    """Build the client of Clever that the settings describe; to be entered by the caller."""
    limits = ClientLimits(
        timeout_s=settings.upstream_timeout,
        concurrency=settings.upstream_concurrency,
        max_bytes=settings.upstream_max_bytes,
    )
    return CleverClient(
        settings.clever_url, settings.clever_version, limits=limits, transport=transport, on_call=_on_call
    )


def _on_call(sent: CallSent) -> None:
    if logging.getLogger("gateway").isEnabledFor(logging.DEBUG):
        log_call(sent)


def _on_request(done: RequestDone) -> None:
    log_request(done)


def _front_door(graphiql: bool) -> Callable[[Request], Awaitable[Response]]:
    """Lead browsers to GraphiQL and tell programs where the endpoint is."""

    async def front_door(request: Request) -> Response:
        if graphiql and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/graphiql", 303)
        return JSONResponse({"name": "clever-graphql-gateway", "version": __version__, "graphql": "/graphql"})

    return front_door


async def _not_found(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"errors": [{"message": "There is nothing at this path; the endpoint is /graphql."}]}, 404)


async def _unexpected(_request: Request, error: Exception) -> Response:
    log_internal(error)
    return JSONResponse(
        {"errors": [{"message": "Internal error", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, 500
    )
