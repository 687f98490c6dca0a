"""Who callers are, as the settings say: by Clever's tokens, sessions, JWTs or API keys."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute

from gateway.access.source import Source
from gateway.clever.district_tokens import DistrictTokens
from gateway.clever.outside import Fetch, Unread, WatchedFile
from gateway.clever.signin import App, CleverSignIn
from gateway.clever.token_sources import FileTokens, FixedTokens, ListedTokens, TokenSource, read_pairs
from gateway.identity import Tenant
from gateway.observability.log import (
    log_no_sign_in,
    log_own_secret,
    log_problem,
    log_sign_in,
    log_tokens,
)
from gateway.settings import Misconfigured, Settings, listed
from gateway.web.api_keys import ApiKeys
from gateway.web.auth import Authenticator, PassThrough
from gateway.web.graphiql_page import graphiql_routes
from gateway.web.jwks import PublicKeys
from gateway.web.jwt import JwtAuthenticator, JwtRules
from gateway.web.sessions import Seal, SessionAuthenticator, Sessions
from gateway.web.signin import CALLBACK, SignIn, Site, Tenants
from gateway.web.viewer_auth import ViewerAuthentication

if TYPE_CHECKING:
    from gateway.cache.redis.sharing import Sharing

_LARGEST_KEY_SET = 512 * 1024


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


def open_callers(
    settings: Settings,
    source: Callable[[], Source],
    on_gone: Callable[[Tenant], None],
    sharing: "Sharing | None" = None,
) -> Callers:
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
    people = open_sign_in(settings, tokens.tenant, source, sharing)
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


def open_sign_in(
    settings: Settings, tenants: Tenants, source: Callable[[], Source], sharing: "Sharing | None" = None
) -> People | None:
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
    ended, used = (sharing.spent("sessions"), sharing.spent("sign-ins")) if sharing else (None, None)
    sessions = Sessions(sealed, settings.session_hours * 3600, secure=site.secure, others=ended)
    sign_in = SignIn(clever, sessions, Seal(sealed, "sign-in"), site, tenants, source, log_sign_in, others=used)
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
