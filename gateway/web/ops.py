"""For operators: is the process alive, is it ready to answer, and what has it done."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

_NO_STORE = {"cache-control": "no-store"}


def ops_routes(is_ready: Callable[[], bool], render_metrics: Callable[[], bytes], media_type: str) -> list[BaseRoute]:
    """Return `/healthz` (200 while the process runs), `/readyz` (200 once it can answer, else 503) and `/metrics`.

    None asks Clever: a gateway that its upstream fails can still say so to its callers.
    """

    async def healthz(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    async def readyz(_request: Request) -> JSONResponse:
        ready = is_ready()
        status = "ready" if ready else "not ready"
        return JSONResponse({"status": status}, 200 if ready else 503, headers=_NO_STORE)

    async def metrics(_request: Request) -> Response:
        return Response(render_metrics(), media_type=media_type, headers=_NO_STORE)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
