"""create_app(settings): the composition root, and the only place that sees every layer."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway import __version__
from gateway.access.source import Source
from gateway.cache.freshness import Lifetimes
from gateway.cache.redis.events import RedisDone
from gateway.cache.shelf import Shelf
from gateway.clever.budget import WindowBudget
from gateway.clever.client import CallSent, CleverClient, ClientLimits
from gateway.engine.answers import refusal
from gateway.engine.documents import DocumentCache
from gateway.engine.executor import Engine
from gateway.engine.limits import Limits
from gateway.engine.persisted import PersistedDocuments, read_manifest
from gateway.engine.responses import Responses
from gateway.errors import INTERNAL
from gateway.observability import metrics as prometheus
from gateway.observability.log import log_call, log_internal, log_redis, log_request, log_untrusted
from gateway.observability.metrics import Metrics
from gateway.schema.build import build_schema
from gateway.settings import Settings, listed
from gateway.web.csrf import PREFLIGHT_HEADERS
from gateway.web.endpoint import EXPLAIN, EndpointLimits, GraphQLEndpoint, name_request
from gateway.web.facts import facts_of
from gateway.web.graphiql_page import graphiql_routes
from gateway.web.hosts import AllowedHosts
from gateway.web.middleware import REQUEST_ID, AccessLog, RequestDone, RequestIds
from gateway.web.ops import ops_routes
from gateway.web.security import SecurityHeaders

if TYPE_CHECKING:
    from gateway.cache.redis.sharing import Sharing

ROUTES = frozenset({"/", "/graphql", "/graphiql", "/healthz", "/readyz", "/metrics"})


def create_app(
    settings: Settings, *, demo_token: str | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> Starlette:
    """Build the gateway. `demo_token` is filled in on the GraphiQL page; never pass a real one."""
    source: Source | None = None
    metrics = Metrics()

    def the_source() -> Source:
        if source is None:
            raise RuntimeError("the gateway has not been started")
        return source

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        nonlocal source
        async with AsyncExitStack() as stack:
            redis = await stack.enter_async_context(sharing) if sharing is not None else None
            client = await stack.enter_async_context(open_client(settings, transport, metrics.on_call, redis))
            source = open_source(settings, client, redis)
            try:
                yield
            finally:
                await source.aclose()
                source = None

    def on_request(done: RequestDone) -> None:
        metrics.on_request(done)
        log_request(done)

    sharing = open_sharing(settings)
    persisted = open_persisted(settings, sharing)
    engine = open_engine(settings, persisted, metrics)
    keeps_answers = settings.cache and settings.response_cache
    responses = Responses(settings.response_cache_bytes if keeps_answers else 0)
    limits = EndpointLimits(
        deadline_s=settings.deadline,
        calls=settings.max_calls,
        rows=settings.max_rows,
        body_bytes=settings.max_body_bytes,
        public_introspection=settings.public_introspection,
        explain=settings.explain,
    )
    graphiql = graphiql_routes(demo_token=demo_token, explain=settings.explain) if settings.graphiql else []
    return Starlette(
        routes=[
            Route("/graphql", GraphQLEndpoint(engine, the_source, limits, log_internal, persisted, responses)),
            Route("/", _front_door(settings.graphiql)),
            *ops_routes(lambda: source is not None, metrics.render, prometheus.CONTENT_TYPE),
            *graphiql,
        ],
        middleware=[
            Middleware(RequestIds),
            Middleware(AccessLog, on_request=on_request, routes=ROUTES),
            *browser_safety(settings),
        ],
        exception_handlers={404: _elsewhere, 405: _elsewhere, Exception: _unexpected},
        lifespan=lifespan,
    )


def open_sharing(settings: Settings, on_redis: Callable[[RedisDone], None] = log_redis) -> "Sharing | None":
    """Build what processes share through Redis, if there is one; to be entered by the caller."""
    if settings.redis_url is None or settings.redis_key is None:
        return None
    # Loading redis-py takes a while, and few need it.
    from gateway.cache.redis.sharing import Sharing

    return Sharing(
        settings.redis_url.get_secret_value(),
        settings.redis_key.get_secret_value().encode(),
        origin=settings.clever_url,
        version=settings.clever_version,
        encrypt=settings.redis_encryption,
        timeout_s=settings.redis_timeout,
        on_redis=on_redis,
    )


def open_source(settings: Settings, client: CleverClient, sharing: "Sharing | None" = None) -> Source:
    """Build the way to Clever that the settings describe, with what it remembers; to be closed by the caller."""
    lifetimes = Lifetimes(settings.ttl_users, settings.ttl_sections, settings.ttl_others, settings.stale_if_error)
    shelf = Shelf(settings.cache_bytes) if settings.cache else None
    store = None if sharing is None or shelf is None else sharing.store(shelf, settings.stale_if_error)
    return Source(client, shelf, lifetimes, recheck_s=settings.token_recheck, store=store)


def open_persisted(settings: Settings, sharing: "Sharing | None" = None) -> PersistedDocuments:
    """Build the store of documents asked for by id. Raises ManifestError."""
    trusted = read_manifest(Path(settings.trusted_documents)) if settings.trusted_documents else None
    texts = None if sharing is None else sharing.texts(settings.persisted_bytes)
    mode = settings.trusted_documents_mode
    return PersistedDocuments(settings.persisted_bytes, trusted, mode, log_untrusted, texts)


def open_engine(settings: Settings, persisted: PersistedDocuments, metrics: Metrics) -> Engine:
    """Build the engine over the schema, with the limits that the settings describe."""
    schema = build_schema()._schema
    limits = Limits(**{one.name: getattr(settings, f"max_{one.name}") for one in fields(Limits)})
    documents = DocumentCache(schema, limits, persisted.texts, suggestions=settings.public_introspection)
    return Engine(schema, log_internal, metrics.on_executed, settings.engine, documents)


def browser_safety(settings: Settings) -> list[Middleware]:
    """Return what stands between browsers and the routes."""
    hosts, origins = listed(settings.allowed_hosts), listed(settings.cors_origins)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=("authorization", "content-type", "cache-control", REQUEST_ID, EXPLAIN, *PREFLIGHT_HEADERS),
        expose_headers=(REQUEST_ID, "retry-after"),
    )
    return [
        Middleware(SecurityHeaders),
        *([Middleware(AllowedHosts, names=hosts)] if hosts else []),
        *([cors] if origins else []),
    ]


def open_client(
    settings: Settings,
    transport: httpx.AsyncBaseTransport | None = None,
    on_call: Callable[[CallSent], None] = lambda _sent: None,
    sharing: "Sharing | None" = None,
) -> CleverClient:
    """Build the client of Clever that the settings describe; to be entered by the caller."""
    limits = ClientLimits(
        timeout_s=settings.upstream_timeout,
        concurrency=settings.upstream_concurrency,
        max_bytes=settings.upstream_max_bytes,
        failures=settings.upstream_failures,
    )

    def told(sent: CallSent) -> None:
        on_call(sent)
        log_call(sent)

    shares = None if sharing is None else sharing.shares(settings.calls_per_worker)
    budget = WindowBudget(settings.calls_per_worker, at_once=settings.upstream_concurrency, shares=shares)
    return CleverClient(
        settings.clever_url, settings.clever_version, limits=limits, budget=budget, transport=transport, on_call=told
    )


def _front_door(graphiql: bool) -> Callable[[Request], Awaitable[Response]]:
    """Lead browsers to GraphiQL and tell programs where the endpoint is."""

    async def front_door(request: Request) -> Response:
        if graphiql and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/graphiql", 303)
        return JSONResponse({"name": "clever-graphql-gateway", "version": __version__, "graphql": "/graphql"})

    return front_door


async def _elsewhere(_request: Request, error: Exception) -> Response:
    """Answer a path that is none of ours, or a method that it does not take."""
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (404, None)
    problem = "Nothing is at this path" if status == 404 else "This path does not take this method"
    return JSONResponse({"errors": [{"message": f"{problem}; the GraphQL endpoint is /graphql."}]}, status, headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    log_internal(error)
    request_id = facts_of(request.scope).request_id
    body = refusal([error], INTERNAL)
    name_request(body, request_id)
    return JSONResponse({"errors": body.errors}, 500, {REQUEST_ID: request_id})
