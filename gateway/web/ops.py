"""For operators: is the process alive, and is it ready to answer."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

_NO_STORE = {"cache-control": "no-store"}


def ops_routes(is_ready: Callable[[], bool]) -> list[BaseRoute]:
    """Return `/healthz` (200 while the process runs) and `/readyz` (200 between start-up and shutdown, else 503).

    Neither asks Clever: a gateway that its upstream fails can still say so to its callers.
    """

    async def healthz(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    async def readyz(_request: Request) -> JSONResponse:
        ready = is_ready()
        status = "ready" if ready else "not ready"
        return JSONResponse({"status": status}, 200 if ready else 503, headers=_NO_STORE)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
