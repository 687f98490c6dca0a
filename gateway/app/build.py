"""create_app(settings): the gateway, put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.access.source import Source
from gateway.access.trace import Trace
from gateway.app.callers import open_api_keys, open_callers, open_graphiql, open_token_source
from gateway.cache.freshness import Lifetimes
from gateway.cache.redis.events import RedisDone
from gateway.cache.shelf import Shelf
from gateway.clever.budget import WindowBudget
from gateway.clever.client import CleverClient, ClientLimits
from gateway.clever.district_tokens import DistrictTokens
from gateway.clever.retry import Backoff
from gateway.engine.answers import refusal
from gateway.engine.documents import DocumentCache
from gateway.engine.executor import Engine
from gateway.engine.limits import Limits
from gateway.engine.persisted import PersistedDocuments, read_manifest
from gateway.engine.responses import Responses
from gateway.errors import INTERNAL
from gateway.identity import Tenant
from gateway.observability import metrics as prometheus
from gateway.observability.audit import AuditLog
from gateway.observability.gauges import Queue, Watched
from gateway.observability.log import (
    log_call,
    log_internal,
    log_misread,
    log_redis,
    log_untrusted,
)
from gateway.observability.metrics import Metrics
from gateway.observability.observers import Observers
from gateway.observability.recent import Recent
from gateway.observability.status import StatusBoard
from gateway.observability.tracing import open_tracing
from gateway.schema.build import build_schema
from gateway.settings import Misconfigured, Settings, listed
from gateway.web.admission import Admission, EndpointLimits
from gateway.web.around import Around
from gateway.web.auth import Authenticator
from gateway.web.csrf import PREFLIGHT_HEADERS
from gateway.web.edge import Edge
from gateway.web.endpoint import GraphQLEndpoint, name_request
from gateway.web.facts import facts_of
from gateway.web.front import elsewhere, front_door
from gateway.web.heads import EXPLAIN
from gateway.web.hosts import AllowedHosts
from gateway.web.middleware import REQUEST_ID, AccessLog, RequestIds
from gateway.web.ops import ops_routes
from gateway.web.rates import Rates
from gateway.web.security import SecurityHeaders
from gateway.web.signin import CALLBACK, LOGIN, LOGOUT
from gateway.web.status_page import State, status_routes
from gateway.web.turns import Turns

if TYPE_CHECKING:
    from gateway.cache.redis.sharing import Sharing
    from gateway.observability.spans import Tracing

ROUTES = frozenset(
    {"/", "/graphql", "/graphiql", "/healthz", "/readyz", "/metrics", "/status", LOGIN, CALLBACK, LOGOUT}
)


class Upstream:
    """The way to Clever while the gateway runs; `open` is None before and after."""

    def __init__(self) -> None:
        self.open: Source | None = None

    def source(self) -> Source:
        """Return the way to Clever, which the request that asks could not do without."""
        if self.open is None:
            raise RuntimeError("the gateway has not been started")
        return self.open

    def withdraw(self, tenant: Tenant) -> None:
        """Forget a tenant whose district has withdrawn its token."""
        if self.open is not None:
            self.open.withdraw(tenant)

    @asynccontextmanager
    async def through(self, source: Source) -> AsyncIterator[None]:
        """Use a way to Clever, and close it in the end."""
        self.open = source
        try:
            yield
        finally:
            await source.aclose()
            self.open = None


def create_app(
    settings: Settings,
    *,
    demo_token: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    tracing: "Tracing | None" = None,
) -> Starlette:
    """Build the gateway. `demo_token` is filled in on the GraphiQL page; never pass a real one.

    Raises Misconfigured, ManifestError and TracingUnavailable where a setting names what cannot be used.
    """
    upstream = Upstream()
    tracing = open_tracing(settings.tracing) if tracing is None else tracing
    observers = Observers(Recent() if settings.status_password else None, tracing, open_audit(settings))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(observers)
            redis = await opened.enter_async_context(sharing) if sharing is not None else None
            client = await opened.enter_async_context(open_client(settings, transport, observers, redis))
            for one in callers.opens:
                await opened.enter_async_context(one)
            await opened.enter_async_context(upstream.through(open_source(settings, client, callers.tokens, redis)))
            yield

    def state() -> State:
        return "starting" if not (upstream.open and callers.ready) else "draining" if app.state.draining else "ready"

    sharing = open_sharing(settings, observers.on_redis)
    callers = open_callers(settings, upstream.source, upstream.withdraw, sharing)
    responses, admits = open_responses(settings), admission(settings)
    metrics, who = observers.metrics, callers.authenticator
    watched = Watched(lambda: upstream.open, responses, settings.calls_per_worker, partial(queue_of, admits.turns))
    metrics.watch(watched)
    persisted = open_persisted(settings, sharing)
    endpoint = open_endpoint(settings, metrics, tracing, upstream.source, responses, who, admits, persisted)
    app = Starlette(
        routes=[
            Route("/graphql", endpoint),
            Route("/", front_door(settings.graphiql)),
            *(callers.sign_in.routes() if callers.sign_in else ()),
            *ops_routes(lambda: state() == "ready", observers.metrics.render, prometheus.CONTENT_TYPE),
            *status(settings, watched, observers.recent, state),
            *open_graphiql(settings, demo_token, callers.sign_in),
        ],
        middleware=stack(settings, observers, tracing),
        exception_handlers={404: elsewhere, 405: elsewhere, Exception: _unexpected},
        lifespan=lifespan,
    )
    app.state.draining = False
    if tracing is None:
        app.middleware_stack = edge(app, endpoint, observers, settings)
    return app


def open_responses(settings: Settings) -> Responses:
    """Build what keeps answers to give them again."""
    keeps_answers = settings.cache and settings.response_cache
    return Responses(settings.response_cache_bytes if keeps_answers else 0)


def open_endpoint(
    settings: Settings,
    metrics: Metrics,
    tracing: "Tracing | None",
    source: Callable[[], Source],
    responses: Responses,
    authenticator: Authenticator,
    admits: Admission,
    persisted: PersistedDocuments,
) -> GraphQLEndpoint:
    """Build what answers GraphQL requests."""
    engine = open_engine(settings, persisted, metrics, tracing)
    limits, trace = endpoint_limits(settings), tracing.trace if tracing else Trace
    return GraphQLEndpoint(engine, source, limits, log_internal, persisted, responses, authenticator, admits, trace)


def edge(app: Starlette, endpoint: GraphQLEndpoint, observers: Observers, settings: Settings) -> Edge:
    """Return the short way to the endpoint, in front of the stack that everything else goes through."""
    hosts, origins = listed(settings.allowed_hosts), listed(settings.cors_origins)
    stack_below = app.build_middleware_stack()
    return Edge(stack_below, endpoint, observers.on_request, hosts=hosts, cross_origin=bool(origins))


def queue_of(turns: Turns) -> Queue:
    """Return how many requests have a turn, and how many wait for one."""
    return Queue(turns.taken, turns.waiting, turns.at_once)


def status(settings: Settings, watched: Watched, recent: Recent | None, state: Callable[[], State]) -> list[BaseRoute]:
    """Return the status page, if there is a password for it."""
    if settings.status_password is None or recent is None:
        return []
    return status_routes(settings.status_password.get_secret_value(), StatusBoard(watched, recent, state))


def admission(settings: Settings) -> Admission:
    """Return how many requests there may be at a time, and how often one may ask."""
    turns = Turns(settings.max_concurrent, settings.max_queued, settings.queue_seconds)
    return Admission(turns, Rates(settings.client_rate, settings.client_burst) if settings.client_rate else None)


def endpoint_limits(settings: Settings) -> EndpointLimits:
    """Return what one request may take, and what is noted of it."""
    return EndpointLimits(
        deadline_s=settings.deadline,
        calls=settings.max_calls,
        rows=settings.max_rows,
        body_bytes=settings.max_body_bytes,
        public_introspection=settings.public_introspection,
        explain=settings.explain,
        classmates=settings.classmates,
        audited=settings.audit_log is not None,
    )


def check_files(settings: Settings) -> None:
    """Raise Misconfigured or ManifestError where a setting names what cannot be used, before anything is started."""
    open_persisted(settings)
    if settings.auth == "viewer":
        source, _ = open_token_source(settings)
        open_api_keys(settings, DistrictTokens(source))
    audit = open_audit(settings)
    if audit is not None:
        audit.close()


def open_audit(settings: Settings) -> AuditLog | None:
    """Open the audit log, if there is to be one. Raises Misconfigured."""
    if not settings.audit_log:
        return None
    key = settings.pseudonym_key.get_secret_value() if settings.pseudonym_key else None
    if key is None and settings.session_secret:
        key = f"pseudonyms:{listed(settings.session_secret.get_secret_value())[0]}"
    try:
        return AuditLog(settings.audit_log, key)
    except OSError as error:
        raise Misconfigured("audit_log", f"the file cannot be opened ({error.strerror})") from None


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


def open_source(
    settings: Settings,
    client: CleverClient,
    tokens: DistrictTokens | None = None,
    sharing: "Sharing | None" = None,
) -> Source:
    """Build the way to Clever that the settings describe, with what it remembers; to be closed by the caller."""
    lifetimes = Lifetimes(settings.ttl_users, settings.ttl_sections, settings.ttl_others, settings.stale_if_error)
    shelf = Shelf(settings.cache_bytes) if settings.cache else None
    store = None if sharing is None or shelf is None else sharing.store(shelf, lifetimes)
    return Source(client, shelf, lifetimes, tokens, recheck_s=settings.token_recheck, store=store)


def open_persisted(settings: Settings, sharing: "Sharing | None" = None) -> PersistedDocuments:
    """Build the store of documents asked for by id. Raises ManifestError."""
    trusted = read_manifest(Path(settings.trusted_documents)) if settings.trusted_documents else None
    texts = None if sharing is None else sharing.texts(settings.persisted_bytes)
    mode = settings.trusted_documents_mode
    return PersistedDocuments(settings.persisted_bytes, trusted, mode, log_untrusted, texts)


def open_engine(
    settings: Settings, persisted: PersistedDocuments, metrics: Metrics, tracing: "Tracing | None" = None
) -> Engine:
    """Build the engine over the schema, with the limits that the settings describe."""
    schema = build_schema()._schema
    limits = Limits(**{one.name: getattr(settings, f"max_{one.name}") for one in fields(Limits)})
    documents = DocumentCache(schema, limits, persisted.texts, suggestions=settings.public_introspection)
    parts = (schema, log_internal, metrics.on_executed, settings.engine, documents)
    return tracing.engine(*parts) if tracing else Engine(*parts)


def stack(settings: Settings, observers: Observers, tracing: "Tracing | None") -> list[Middleware]:
    """Return what every request goes through, the outermost first; last what stands between browsers and routes."""
    hosts, origins = listed(settings.allowed_hosts), listed(settings.cors_origins)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=("authorization", "content-type", "cache-control", REQUEST_ID, EXPLAIN, *PREFLIGHT_HEADERS),
        expose_headers=(REQUEST_ID, "retry-after"),
    )
    return [
        Middleware(RequestIds),
        *([Middleware(Around, opens=tracing.request, path="/graphql")] if tracing else []),
        Middleware(AccessLog, on_request=observers.on_request, routes=ROUTES),
        Middleware(SecurityHeaders),
        *([Middleware(AllowedHosts, names=hosts)] if hosts else []),
        *([cors] if origins else []),
    ]


def open_client(
    settings: Settings,
    transport: httpx.AsyncBaseTransport | None = None,
    observers: Observers | None = None,
    sharing: "Sharing | None" = None,
) -> CleverClient:
    """Build the client of Clever that the settings describe; to be entered by the caller."""
    limits = ClientLimits(
        timeout_s=settings.upstream_timeout,
        concurrency=settings.upstream_concurrency,
        max_bytes=settings.upstream_max_bytes,
        backoff=Backoff(settings.upstream_tries),
        failures=settings.upstream_failures,
    )

    shares = None if sharing is None else sharing.shares(settings.calls_per_worker)
    budget = WindowBudget(settings.calls_per_worker, at_once=settings.upstream_concurrency, shares=shares)
    return CleverClient(
        settings.clever_url,
        settings.clever_version,
        limits=limits,
        budget=budget,
        transport=transport,
        on_call=log_call if observers is None else observers.on_call,
        on_misread=log_misread if observers is None else observers.on_misread,
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    log_internal(error)
    request_id = facts_of(request.scope).request_id
    body = refusal([error], INTERNAL)
    name_request(body, request_id)
    return JSONResponse({"errors": body.errors}, 500, {REQUEST_ID: request_id})
