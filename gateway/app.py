"""create_app(settings): the composition root, and the only place that sees every layer."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway import __version__
from gateway.access.source import Source
from gateway.access.trace import Trace
from gateway.cache.freshness import Lifetimes
from gateway.cache.shelf import Shelf
from gateway.clever.budget import WindowBudget
from gateway.clever.client import CallSent, CleverClient, ClientLimits
from gateway.clever.district_tokens import DistrictTokens
from gateway.clever.outside import Fetch, Unread, WatchedFile
from gateway.clever.retry import Backoff
from gateway.clever.signin import App, CleverSignIn
from gateway.clever.token_sources import FileTokens, FixedTokens, ListedTokens, TokenSource, read_pairs
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
from gateway.observability.gauges import Watched
from gateway.observability.log import (
    log_call,
    log_internal,
    log_no_sign_in,
    log_own_secret,
    log_problem,
    log_sign_in,
    log_tokens,
    log_untrusted,
)
from gateway.observability.metrics import Metrics
from gateway.observability.observers import Observers
from gateway.observability.recent import Recent
from gateway.observability.status import StatusBoard
from gateway.observability.tracing import open_tracing
from gateway.schema.build import build_schema
from gateway.settings import Misconfigured, Settings, listed
from gateway.web.api_keys import ApiKeys
from gateway.web.around import Around
from gateway.web.auth import Authenticator, PassThrough
from gateway.web.csrf import PREFLIGHT_HEADERS
from gateway.web.endpoint import EXPLAIN, EndpointLimits, GraphQLEndpoint, name_request
from gateway.web.facts import facts_of
from gateway.web.graphiql_page import graphiql_routes
from gateway.web.hosts import AllowedHosts
from gateway.web.jwks import PublicKeys
from gateway.web.jwt import JwtAuthenticator, JwtRules
from gateway.web.middleware import REQUEST_ID, AccessLog, RequestIds
from gateway.web.ops import ops_routes
from gateway.web.security import SecurityHeaders
from gateway.web.sessions import Seal, SessionAuthenticator, Sessions
from gateway.web.signin import CALLBACK, LOGIN, LOGOUT, SignIn, Site, Tenants
from gateway.web.status_page import State, status_routes
from gateway.web.viewer_auth import ViewerAuthentication

if TYPE_CHECKING:
    from gateway.observability.spans import Tracing

ROUTES = frozenset(
    {"/", "/graphql", "/graphiql", "/healthz", "/readyz", "/metrics", "/status", LOGIN, CALLBACK, LOGOUT}
)
_LARGEST_KEY_SET = 512 * 1024


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
    source: Source | None = None
    tracing = open_tracing(settings.tracing) if tracing is None else tracing
    observers = Observers(Recent() if settings.status_password else None, tracing, open_audit(settings))

    def the_source() -> Source:
        if source is None:
            raise RuntimeError("the gateway has not been started")
        return source

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        nonlocal source
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(observers)
            client = await opened.enter_async_context(open_client(settings, transport, observers.on_call))
            source = open_source(settings, client, callers.tokens)
            try:
                for one in callers.opens:
                    await opened.enter_async_context(one)
                yield
            finally:
                await source.aclose()
                source = None

    def state() -> State:
        return "ready" if source is not None and callers.ready else "starting"

    callers = open_callers(settings, the_source, lambda tenant: source.withdraw(tenant) if source else None)
    persisted = open_persisted(settings)
    engine = open_engine(settings, persisted, observers.metrics, tracing)
    responses = open_responses(settings)
    watched = Watched(lambda: source, responses, settings.calls_per_worker)
    observers.metrics.watch(watched)
    limits, trace = endpoint_limits(settings), tracing.trace if tracing else Trace
    endpoint = GraphQLEndpoint(
        engine, the_source, limits, log_internal, persisted, responses, callers.authenticator, trace
    )
    return Starlette(
        routes=[
            Route("/graphql", endpoint),
            Route("/", _front_door(settings.graphiql)),
            *(callers.sign_in.routes() if callers.sign_in else ()),
            *ops_routes(lambda: state() == "ready", observers.metrics.render, prometheus.CONTENT_TYPE),
            *status(settings, watched, observers.recent, state),
            *open_graphiql(settings, demo_token, callers.sign_in),
        ],
        middleware=stack(settings, observers, tracing),
        exception_handlers={404: _elsewhere, 405: _elsewhere, Exception: _unexpected},
        lifespan=lifespan,
    )


def status(settings: Settings, watched: Watched, recent: Recent | None, state: Callable[[], State]) -> list[BaseRoute]:
    """Return the status page, if there is a password for it."""
    if settings.status_password is None or recent is None:
        return []
    return status_routes(settings.status_password.get_secret_value(), StatusBoard(watched, recent, state))


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


@dataclass(frozen=True, slots=True)
class Callers:
    """Who callers are, and the tokens of their districts where the gateway holds them.

    `sign_in`: where people sign in, if they can. `opens` is opened in turn.
    """

    authenticator: Authenticator
    tokens: DistrictTokens | None = None
    sign_in: SignIn | None = None
    opens: Sequence[AbstractAsyncContextManager[Any]] = ()

    @property
    def ready(self) -> bool:
        """Say whether anybody can be answered: tokens that the gateway holds have been read."""
        return self.tokens is None or self.tokens.ready


def check_files(settings: Settings) -> None:
    """Raise Misconfigured or ManifestError where a setting names what cannot be used, before anything is started."""
    open_persisted(settings)
    if settings.auth == "viewer":
        source, _ = open_token_source(settings)
        open_api_keys(settings, DistrictTokens(source))
    audit = open_audit(settings)
    if audit is not None:
        audit.close()


def open_callers(settings: Settings, source: Callable[[], Source], on_gone: Callable[[Tenant], None]) -> Callers:
    """Build what finds out who asks. `on_gone` hears of districts whose tokens are gone. Raises Misconfigured."""
    if settings.auth == "passthrough":
        return Callers(PassThrough())
    token_source, opens = open_token_source(settings)
    tokens = DistrictTokens(token_source, refresh_s=settings.token_refresh, on_read=log_tokens, on_gone=on_gone)
    keys = open_api_keys(settings, tokens)
    jwts: JwtAuthenticator | None = None
    if settings.jwt_jwks_url:
        fetch = Fetch(settings.jwt_jwks_url, most_bytes=_LARGEST_KEY_SET)
        public_keys = PublicKeys(partial(fetch.read, settings.jwt_jwks_url), partial(log_problem, "keys of JWTs"))
        audiences = tuple(listed(settings.jwt_audience))
        rules = JwtRules(settings.jwt_issuer or "", audiences, settings.jwt_user_claim, settings.jwt_district_claim)
        jwts = JwtAuthenticator(public_keys, tokens.tenant, rules)
        opens += [fetch, aclosing(public_keys)]
    people = open_sign_in(settings, tokens.tenant, source)
    authenticator = ViewerAuthentication(jwts=jwts, keys=keys, sessions=people.authenticator if people else None)
    opens += [people.clever, tokens] if people else [tokens]
    return Callers(authenticator, tokens, people.sign_in if people else None, opens)


def open_api_keys(settings: Settings, tokens: DistrictTokens) -> ApiKeys | None:
    """Open the file of API keys, if there is one. Raises Misconfigured."""
    if not settings.api_keys_file:
        return None
    try:
        return ApiKeys(WatchedFile(Path(settings.api_keys_file)), tokens.tenant, partial(log_problem, "API keys"))
    except Unread as error:
        raise Misconfigured("api_keys_file", error) from None


@dataclass(frozen=True, slots=True)
class People:
    """What signing in takes: Clever's side of it, to be entered; our side; and who recognises the sessions."""

    clever: CleverSignIn
    sign_in: SignIn
    authenticator: SessionAuthenticator


def open_sign_in(settings: Settings, tenants: Tenants, source: Callable[[], Source]) -> People | None:
    """Build what signing in takes; None where the settings do not have people sign in."""
    client_id, secret = settings.clever_client_id, settings.clever_client_secret
    if client_id is None or secret is None:
        return None
    if settings.origin is None:
        log_no_sign_in()
        return None
    if settings.session_secret is None:
        log_own_secret()
    sealed = listed(settings.session_secret.get_secret_value()) if settings.session_secret else [token_urlsafe(48)]
    site = Site(settings.origin, home="/graphiql" if settings.graphiql else "/")
    app = App(client_id, secret.get_secret_value(), f"{settings.origin}{CALLBACK}")
    clever = CleverSignIn(
        app, settings.oauth_origin, settings.clever_url, settings.clever_version, timeout_s=settings.upstream_timeout
    )
    sessions = Sessions(sealed, settings.session_hours * 3600, secure=site.secure)
    sign_in = SignIn(clever, sessions, Seal(sealed, "sign-in"), site, tenants, source, log_sign_in)
    return People(clever, sign_in, SessionAuthenticator(sessions, tenants))


def open_graphiql(settings: Settings, demo_token: str | None, sign_in: SignIn | None) -> list[BaseRoute]:
    """Build GraphiQL's routes; none where it is off."""
    if not settings.graphiql:
        return []
    if sign_in is None:
        return graphiql_routes(demo_token=demo_token, explain=settings.explain)
    # A plan tells how large a district is: that is nothing for everybody who may sign in.
    return graphiql_routes(sign_in=True, on_page=sign_in.tidy)


def open_token_source(settings: Settings) -> tuple[TokenSource, list[AbstractAsyncContextManager[Any]]]:
    """Build what the tokens of districts are read from, and what is to be opened before. Raises Misconfigured."""
    try:
        if settings.district_tokens:
            return FixedTokens(read_pairs(settings.district_tokens.get_secret_value())), []
        if settings.district_tokens_file:
            file = FileTokens(WatchedFile(Path(settings.district_tokens_file)))
            file.tokens()
            return file, []
    except Unread as error:
        raise Misconfigured("district_tokens" if settings.district_tokens else "district_tokens_file", error) from None
    secret = settings.clever_client_secret.get_secret_value() if settings.clever_client_secret else ""
    fetch = Fetch(settings.oauth_origin)
    return ListedTokens(fetch, settings.oauth_origin, settings.clever_client_id or "", secret), [fetch]


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


def open_source(settings: Settings, client: CleverClient, tokens: DistrictTokens | None = None) -> Source:
    """Build the way to Clever that the settings describe, with what it remembers; to be closed by the caller."""
    lifetimes = Lifetimes(settings.ttl_users, settings.ttl_sections, settings.ttl_others, settings.stale_if_error)
    shelf = Shelf(settings.cache_bytes) if settings.cache else None
    return Source(client, shelf, lifetimes, tokens, recheck_s=settings.token_recheck)


def open_responses(settings: Settings) -> Responses:
    """Build the memory of answers that are given again."""
    return Responses(settings.response_cache_bytes if settings.cache and settings.response_cache else 0)


def open_persisted(settings: Settings) -> PersistedDocuments:
    """Build the store of documents asked for by id. Raises ManifestError."""
    trusted = read_manifest(Path(settings.trusted_documents)) if settings.trusted_documents else None
    return PersistedDocuments(settings.persisted_bytes, trusted, settings.trusted_documents_mode, log_untrusted)


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
    on_call: Callable[[CallSent], None] = lambda _sent: None,
) -> CleverClient:
    """Build the client of Clever that the settings describe; to be entered by the caller."""
    limits = ClientLimits(
        timeout_s=settings.upstream_timeout,
        concurrency=settings.upstream_concurrency,
        max_bytes=settings.upstream_max_bytes,
        backoff=Backoff(settings.upstream_tries),
        failures=settings.upstream_failures,
    )

    def told(sent: CallSent) -> None:
        on_call(sent)
        log_call(sent)

    budget = WindowBudget(settings.calls_per_worker, at_once=settings.upstream_concurrency)
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
