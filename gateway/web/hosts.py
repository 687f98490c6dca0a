"""Which names this server answers to: a page whose name was made to lead here (DNS rebinding) gets nothing."""

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# Asked by whoever runs the gateway, by its address; what they answer is no secret.
_PROBES = frozenset(("/healthz", "/readyz"))
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


class AllowedHosts:
    """Answers requests whose `Host` is one of `names`, on any port, and probes; refuses the others with 421."""

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        probes = scope["type"] != "http" or scope["path"] in _PROBES
        if probes or name_in(Headers(scope=scope).getlist("host")) in self._names:
            await self._app(scope, receive, send)
            return
        problem = "This server does not answer to the name in `Host`. Its operators list its names in the settings."
        body = {"errors": [{"message": problem, "extensions": {"code": "HOST_NOT_ALLOWED"}}]}
        await JSONResponse(body, 421)(scope, receive, send)


def name_in(sent: list[str]) -> str | None:
    """Return the name of the one `Host` header, without its port; None where there is not exactly one."""
    if len(sent) != 1:
        return None
    host = sent[0].strip().lower()
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
