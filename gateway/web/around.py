"""A middleware that opens something around each GraphQL request and tells it how the request was answered."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Opens = Callable[[Scope], AbstractContextManager[Callable[[int], None]]]


class Around:
    """Passes requests to `path` on within what `opens` opens; what that yields is told the status of the answer."""

    def __init__(self, app: ASGIApp, opens: Opens, path: str) -> None:
        self._app = app
        self._opens = opens
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        with self._opens(scope) as answered:

            async def noting_status(message: Message) -> None:
                if message["type"] == "http.response.start":
                    answered(message["status"])
                await send(message)

            await self._app(scope, receive, noting_status)
