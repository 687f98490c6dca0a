"""The HTTP transport under httpx: aiohttp's connections, TLS, proxies and parser, with httpx's requests and errors.

httpx's own transport costs several times as much CPU for each call: `python -m tests.bench.transport` compares them.
"""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from multidict import CIMultiDict
from yarl import URL

# How long a connection that nobody uses is kept: shorter than the idle times of common load balancers.
_IDLE_S = 30.0
_AT_ONCE_BYTES = 64 * 1024

# The first that fits counts. What aiohttp may raise beside these is a ClientError, too.
_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (aiohttp.ClientError, httpx.NetworkError),
)
_FAILURES = (aiohttp.ClientError, TimeoutError)


def on_this_machine(url: str) -> bool:
    """Say whether a URL leads to the loopback interface. Raises httpx.InvalidURL where it is none."""
    return httpx.URL(url).host in ("127.0.0.1", "::1", "localhost")


def open_transport(origin: str, connections: int) -> httpx.AsyncBaseTransport:
    """Return a transport for calls to `origin`, with at most so many connections at once; to be entered by the client.

    It goes through the proxy that the environment names, but never to this machine. Raises ValueError where that proxy
    is of a kind that is not spoken.
    """
    return _Transport(connections, proxy_for(origin), tls=origin.startswith("https:"))


def proxy_for(origin: str) -> httpx.Proxy | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for `origin`.

    Raises ValueError where it is not an HTTP proxy.
    """
    url = httpx.URL(origin)
    if on_this_machine(origin) or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    named = proxies.get(url.scheme) or proxies.get("all")
    if not named:
        return None
    proxy = httpx.Proxy(named if "://" in named else f"http://{named}")
    if proxy.url.scheme not in ("http", "https"):
        raise ValueError(f"a proxy of the kind {proxy.url.scheme} is not supported; name an HTTP proxy")
    return proxy


class _Transport(httpx.AsyncBaseTransport):
    """Sends what httpx asks for. Follows no redirect, keeps no cookie, tries nothing twice and unpacks nothing."""

    def __init__(self, connections: int, proxy: httpx.Proxy | None, tls: bool) -> None:
        self._connections = connections
        # Reading the certificates of the world takes a moment.
        self._tls = httpx.create_ssl_context() if tls else True
        self._proxy = URL(str(proxy.url)) if proxy else None
        self._proxy_headers = dict(proxy.headers) if proxy else {}
        if proxy and proxy.auth:
            self._proxy_headers["proxy-authorization"] = aiohttp.encode_basic_auth(*proxy.auth)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=_IDLE_S, ssl=self._tls)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_AT_ONCE_BYTES,
            middlewares=(_once,),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request whose body, if it has one, is at hand. Raises httpx.TransportError's kinds."""
        if self._session.closed:
            raise httpx.ConnectError("the transport is closed")
        limits = request.extensions.get("timeout", {})
        timeout = aiohttp.ClientTimeout(
            connect=limits.get("pool"), sock_connect=limits.get("connect"), sock_read=limits.get("read")
        )
        try:
            answer = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=CIMultiDict(request.headers.multi_items()),
                data=request.content or None,
                allow_redirects=False,
                timeout=timeout,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
            )
        except _FAILURES as error:
            raise _as_httpx(error) from error
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer), request=request)


class _Body(httpx.AsyncByteStream):
    """The body as it arrives, still packed."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_any():
                yield chunk
        except _FAILURES as error:
            raise _as_httpx(error) from error

    async def aclose(self) -> None:
        # A connection whose answer was read to its end is back in the pool by now; any other is of no more use.
        self._answer.close()


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request: aiohttp would send it again, uncounted, where it saw an error of its own."""
    try:
        return await send(request)
    except _FAILURES as error:
        raise _as_httpx(error) from error


def _as_httpx(error: Exception) -> httpx.TransportError:
    return next(theirs for ours, theirs in _ERRORS if isinstance(error, ours))(str(error))
