"""What is read from elsewhere than the Data API: small files that may be replaced, small documents over HTTP."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from gateway import __version__
from gateway.clever.transport import open_transport

_LOOK_EVERY_S = 1.0
_MOST_BYTES = 16 * 1024 * 1024
_TIMEOUT_S = 10.0
_CONNECTIONS = 2


class Unread(Exception):
    """What was to be read could not be, or is not what it should be; the message says why, and holds no value."""


class WatchedFile:
    """A file that is read anew when another has taken its place, as happens to mounted secrets."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._read: tuple[int, ...] | None = None
        self._looked_at = float("-inf")

    def changed(self) -> bool:
        """Say whether the file is another than the one read last; looks once a second at most."""
        now = self._clock()
        if now - self._looked_at < _LOOK_EVERY_S:
            return False
        self._looked_at = now
        return self._signature() != self._read

    def read(self) -> bytes:
        """Return the file's bytes. Raises Unread."""
        self._read = self._signature()
        try:
            with self.path.open("rb") as file:
                found = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise Unread(f"the file cannot be read ({error.strerror})") from None
        if len(found) > _MOST_BYTES:
            raise Unread(f"the file is larger than {_MOST_BYTES} bytes")
        return found

    def _signature(self) -> tuple[int, ...] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Fetch:
    """Fetches documents of one origin, over the connections that calls to Clever use. Use as a context manager.

    Follows no redirect. An answer may have `most_bytes`, and takes `timeout_s` at most.
    """

    def __init__(
        self,
        origin: str,
        *,
        most_bytes: int = _MOST_BYTES,
        timeout_s: float = _TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._most_bytes = most_bytes
        self._timeout_s = timeout_s
        self._http = transport or open_transport(origin, _CONNECTIONS)
        self._extensions = {"timeout": httpx.Timeout(timeout_s).as_dict()}

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def get(self, url: str, **headers: str) -> tuple[int, bytes]:
        """Return status and body. Raises Unread, which names neither the URL's query nor a header."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(url, headers)
        except (TimeoutError, httpx.TimeoutException):
            raise Unread(f"there was no answer within {self._timeout_s:g} s") from None
        except httpx.DecodingError:
            raise Unread("the answer cannot be unpacked") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unread(f"it cannot be reached ({type(error).__name__})") from None

    async def read(self, url: str) -> bytes:
        """Return the body of a good answer. Raises Unread."""
        status, body = await self.get(url)
        if status != 200:
            raise Unread(f"the answer has the status {status}")
        return body

    async def _exchange(self, url: str, headers: dict[str, str]) -> tuple[int, bytes]:
        sent = {
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": f"clever-graphql-gateway/{__version__}",
            **headers,
        }
        request = httpx.Request("GET", url, headers=sent, extensions=self._extensions)
        async with aclosing(await self._http.handle_async_request(request)) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._most_bytes:
                    raise Unread(f"the answer is larger than {self._most_bytes} bytes")
            return response.status_code, bytes(body)
