"""The front door, and what is said to those who come to a place that is none."""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from gateway import __version__


def front_door(graphiql: bool) -> Callable[[Request], Awaitable[Response]]:
    """Lead browsers to GraphiQL and tell programs where the endpoint is."""

    async def answer(request: Request) -> Response:
        if graphiql and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/graphiql", 303)
        return JSONResponse({"name": "clever-graphql-gateway", "version": __version__, "graphql": "/graphql"})

    return answer


async def elsewhere(_request: Request, error: Exception) -> Response:
    """Answer a path that is none of ours, or a method that it does not take."""
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (404, None)
    problem = "Nothing is at this path" if status == 404 else "This path does not take this method"
    return JSONResponse({"errors": [{"message": f"{problem}; the GraphQL endpoint is /graphql."}]}, status, headers)
