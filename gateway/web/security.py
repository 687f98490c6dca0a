"""Headers that every answer carries, so that browsers neither guess what it is nor show it inside other pages.

Strict-Transport-Security is not among them: whoever ends TLS in front of the gateway knows whether it may be said.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


class SecurityHeaders:
    """Adds to each answer the headers that it does not have yet: GraphiQL's page brings a policy of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and complete its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def completing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                has = {name for name, _ in headers}
                message["headers"] = [*headers, *(pair for pair in SECURITY_HEADERS if pair[0] not in has)]
            await send(message)

        await self._app(scope, receive, completing)
