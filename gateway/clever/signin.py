"""Signing in with Clever: where a browser is sent, and who brings back a code.

The flow is OAuth 2's (https://dev.clever.com/docs/oauth-implementation), with PKCE, which Clever does not mention and
servers that do not know it ignore. Who a person is, and in which district, `/me` tells; in which roles, it does not.
"""

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
import msgspec
from authlib.oauth2 import ClientAuth, OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request

from gateway import __version__
from gateway.clever.retry import RETRYABLE, Backoff
from gateway.clever.transport import open_transport
from gateway.errors import UpstreamInvalidResponse, UpstreamTimeout, UpstreamUnavailable

_CONNECTIONS = 8
_MOST_BYTES = 64 * 1024
_FORM = "application/x-www-form-urlencoded"
_SENT = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"clever-graphql-gateway/{__version__}",
}


class CodeRefused(Exception):
    """Clever does not take the code: it was used before, is more than a minute old, or was not given to this app."""


class AppRefused(Exception):
    """Clever does not take the app's client id and secret."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in, as `/me` tells it: ids of a user and a district; people of Clever Library have no district.

    Clever's demo accounts are named by an id of old, under which there is no user.
    """

    user_id: str
    district: str | None


@dataclass(frozen=True, slots=True)
class App:
    """The application as Clever knows it; `redirect_uri` is where Clever sends people back to."""

    client_id: str
    client_secret: str
    redirect_uri: str

    def __repr__(self) -> str:
        return f"App({self.client_id!r}, {self.redirect_uri!r})"


class CleverSignIn:
    """Clever's side of signing in, at two origins: `oauth_url` and `api_url`. Use as an async context manager."""

    def __init__(
        self, app: App, oauth_url: str, api_url: str, version: str, *, timeout_s: float = 20.0, tries: int = 3
    ) -> None:
        self._app = app
        self._oauth_url = oauth_url
        self._me = f"{api_url}/{version}/me"
        self._timeout_s = timeout_s
        self._backoff = Backoff(tries=tries)
        self._oauth = open_transport(oauth_url, _CONNECTIONS)
        self._api = open_transport(api_url, _CONNECTIONS)
        self._extensions = {"timeout": httpx.Timeout(timeout_s).as_dict()}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self._oauth)
        await self._open.enter_async_context(self._api)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def address(self, state: str, verifier: str, district: str | None = None) -> str:
        """Return where to send a browser; `district` saves the person looking for it.

        `verifier` is the secret of PKCE: 43 to 128 letters, digits, `-`, `.`, `_`, `~`.
        """
        client = OAuth2Client(
            None, self._app.client_id, redirect_uri=self._app.redirect_uri, code_challenge_method="S256"
        )
        address: str
        address, _ = client.create_authorization_url(
            f"{self._oauth_url}/oauth/authorize", state=state, code_verifier=verifier, district_id=district
        )
        return address

    async def identity(self, code: str, verifier: str) -> Identity:
        """Exchange a code, and find out who brought it. The person's token is let go of.

        Raises CodeRefused, AppRefused, and UpstreamError's kinds.
        """
        token = await self._token(code, verifier)
        request = httpx.Request(
            "GET", self._me, headers={**_SENT, "authorization": f"Bearer {token}"}, extensions=self._extensions
        )
        status, body = await self._patiently(request)
        if status != 200:
            raise UpstreamUnavailable(f"Clever answered GET /me with status {status}. Try again later.")
        try:
            me = msgspec.json.decode(body, type=_Me).data
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _not_clever("/me") from None
        return Identity(me.id, me.district)

    async def _token(self, code: str, verifier: str) -> str:
        sent = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self._app.redirect_uri, code_verifier=verifier
        )
        basic = ClientAuth(self._app.client_id, self._app.client_secret)
        url, headers, sent = basic.prepare(
            "POST", f"{self._oauth_url}/oauth/tokens", {**_SENT, "content-type": _FORM}, sent
        )
        # Never twice: a code that arrived is used up, whether its answer came or not.
        status, body = await self._ask(
            self._oauth, httpx.Request("POST", url, headers=headers, content=sent, extensions=self._extensions)
        )
        try:
            answer = msgspec.json.decode(body, type=_Exchanged)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if status >= 500 or status == 429:
                raise UpstreamUnavailable(f"Clever answered with status {status}. Try again later.") from None
            raise _not_clever("/oauth/tokens") from None
        if status == 200 and (token := answer.access_token) and token.isascii() and token.isprintable():
            return token
        if answer.error in ("invalid_client", "unauthorized_client") or status in (401, 403):
            raise AppRefused
        if 400 <= status < 500 and status != 429:
            raise CodeRefused
        raise UpstreamUnavailable(f"Clever answered with status {status}. Try again later.")

    async def _patiently(self, request: httpx.Request) -> tuple[int, bytes]:
        """Send a GET, again where that can help."""
        for attempt in range(1, self._backoff.tries):
            try:
                status, body = await self._ask(self._api, request)
            except (UpstreamTimeout, UpstreamUnavailable):
                pass
            else:
                if status not in RETRYABLE:
                    return status, body
            await asyncio.sleep(self._backoff.after_failure(attempt))
        return await self._ask(self._api, request)

    async def _ask(self, transport: httpx.AsyncBaseTransport, request: httpx.Request) -> tuple[int, bytes]:
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                aclosing(await transport.handle_async_request(request)) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise _not_clever(request.url.path)
                return response.status_code, bytes(body)
        except (TimeoutError, httpx.TimeoutException):
            raise UpstreamTimeout(f"Clever did not answer within {self._timeout_s:g} s.") from None
        except httpx.DecodingError:
            raise _not_clever(request.url.path) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpstreamUnavailable(f"Clever could not be reached ({type(error).__name__}).") from None


class _Exchanged(msgspec.Struct):
    access_token: str | None = None
    error: str | None = None


class _Somebody(msgspec.Struct):
    id: str
    district: str | None = None


class _Me(msgspec.Struct):
    data: _Somebody


def _not_clever(path: str) -> UpstreamInvalidResponse:
    return UpstreamInvalidResponse(
        f"What answered {path} does not speak as Clever does. Check GATEWAY_CLEVER_OAUTH_URL and GATEWAY_CLEVER_URL."
    )
