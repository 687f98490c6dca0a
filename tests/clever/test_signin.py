"""What may come back when a code is exchanged, from a Clever that fails, is slow, or is something else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.clever.signin import App, AppRefused, CleverSignIn, CodeRefused, Identity
from gateway.errors import UpstreamError, UpstreamInvalidResponse, UpstreamTimeout, UpstreamUnavailable
from tests.servers import running

SECRET, TOKEN, CODE, VERIFIER = "MARKED-SECRET", "MARKED-TOKEN", "MARKED-CODE", "v" * 64
APP = App("the-app", SECRET, "https://gateway.example/oauth/callback")
EXCHANGED = {"access_token": TOKEN, "token_type": "bearer"}
ME = {"type": "user", "data": {"id": "u", "district": "d", "type": "teacher"}}

Answers = Callable[[Request], Awaitable[Response]]


class Upstream:
    """Answers as it is told to, and notes what was asked."""

    def __init__(self) -> None:
        self.exchanges: list[Response | None] = [JSONResponse(EXCHANGED)]
        self.people: list[Response | None] = [JSONResponse(ME)]
        self.forms: list[dict[str, list[str]]] = []
        self.authorizations: list[str] = []

    async def tokens(self, request: Request) -> Response:
        self.forms.append(parse_qs((await request.body()).decode()))
        return await self._next(request, self.exchanges)

    async def me(self, request: Request) -> Response:
        return await self._next(request, self.people)

    async def _next(self, request: Request, answers: list[Response | None]) -> Response:
        self.authorizations.append(request.headers["authorization"])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            # Until the caller has given up.
            while (await request.receive())["type"] != "http.disconnect":
                pass
            return Response()
        return answer

    @asynccontextmanager
    async def opened(self, **options: Any) -> AsyncIterator[CleverSignIn]:
        app = Starlette(routes=[Route("/oauth/tokens", self.tokens, methods=["POST"]), Route("/v3.1/me", self.me)])
        with running(app) as origin:
            async with CleverSignIn(APP, origin, origin, "v3.1", **options) as clever:
                yield clever


async def identity(upstream: Upstream, **options: Any) -> Identity:
    async with upstream.opened(**options) as clever:
        return await clever.identity(CODE, VERIFIER)


async def test_a_code_is_exchanged_as_oauth_says() -> None:
    upstream = Upstream()

    assert await identity(upstream) == Identity("u", "d")
    assert upstream.forms == [
        {
            "grant_type": ["authorization_code"],
            "code": [CODE],
            "redirect_uri": [APP.redirect_uri],
            "code_verifier": [VERIFIER],
        }
    ]
    basic, bearer = upstream.authorizations
    assert basic == "Basic dGhlLWFwcDpNQVJLRUQtU0VDUkVU"
    assert bearer == f"Bearer {TOKEN}"


async def test_the_address_is_that_of_clever() -> None:
    async with Upstream().opened() as clever:
        address = urlsplit(clever.address("a state", VERIFIER, "d" * 24))

    query = parse_qs(address.query)
    assert address.path == "/oauth/authorize"
    assert query.pop("code_challenge") != [VERIFIER]
    assert query == {
        "response_type": ["code"],
        "client_id": ["the-app"],
        "redirect_uri": [APP.redirect_uri],
        "state": ["a state"],
        "code_challenge_method": ["S256"],
        "district_id": ["d" * 24],
    }


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (JSONResponse({"error": "invalid_grant", "error_description": "\u00fc\n"}, 400), CodeRefused),
        (JSONResponse({"error": "invalid_request"}, 400), CodeRefused),
        (JSONResponse({"error": "invalid_client"}, 400), AppRefused),
        (JSONResponse({"error": "invalid_client"}, 401), AppRefused),
        (JSONResponse({}, 403), AppRefused),
        (JSONResponse({"error": "x"}, 500), UpstreamUnavailable),
        (JSONResponse({"error": "x"}, 429), UpstreamUnavailable),
        (Response(b"", 429), UpstreamUnavailable),
        (Response("<html>", 503, media_type="text/html"), UpstreamUnavailable),
        (Response("<html>", 200, media_type="text/html"), UpstreamInvalidResponse),
        (JSONResponse([]), UpstreamInvalidResponse),
        (JSONResponse({"access_token": 7}), UpstreamInvalidResponse),
        (JSONResponse({"access_token": "x\r\ny: z"}), UpstreamUnavailable),
        (JSONResponse({"access_token": ""}), UpstreamUnavailable),
        (JSONResponse({}), UpstreamUnavailable),
        (Response(b"[" * 60_000), UpstreamInvalidResponse),
        (Response(b"x" * 100_000), UpstreamInvalidResponse),
        (Response(b"x", headers={"content-encoding": "gzip"}), UpstreamInvalidResponse),
        (RedirectResponse("https://elsewhere.example/oauth/tokens"), UpstreamInvalidResponse),
        (None, UpstreamTimeout),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
async def test_an_exchange_that_fails_is_not_tried_again(answer: Response | None, error: type[Exception]) -> None:
    upstream = Upstream()
    upstream.exchanges = [answer]
    with pytest.raises(error) as raised:
        await identity(upstream, timeout_s=1.0)

    assert len(upstream.forms) == 1
    for secret in (SECRET, TOKEN, CODE, VERIFIER):
        assert secret not in str(raised.value)


async def test_who_it_is_is_asked_again_where_that_can_help() -> None:
    upstream = Upstream()
    upstream.people = [Response(b"", 503), Response(b"", 429), JSONResponse(ME)]

    assert await identity(upstream) == Identity("u", "d")
    assert len(upstream.forms) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Response(b"", 503), UpstreamUnavailable),
        (JSONResponse({"error": "x"}, 401), UpstreamUnavailable),
        (JSONResponse({"data": {}}), UpstreamInvalidResponse),
        (JSONResponse({"data": {"id": None}}), UpstreamInvalidResponse),
        (Response("<pre>Cannot GET /me</pre>"), UpstreamInvalidResponse),
    ],
)
async def test_nobody_is_told_who_it_is(answer: Response, error: type[UpstreamError]) -> None:
    upstream = Upstream()
    upstream.people = [answer]

    with pytest.raises(error) as raised:
        await identity(upstream)
    assert TOKEN not in str(raised.value)


async def test_an_account_of_the_library_has_no_district() -> None:
    upstream = Upstream()
    upstream.people = [JSONResponse({"data": {"id": "u", "type": "user", "authorized_by": "teacher"}})]

    assert await identity(upstream) == Identity("u", None)


async def test_where_nobody_listens() -> None:
    async with CleverSignIn(APP, "http://127.0.0.1:1", "http://127.0.0.1:1", "v3.1") as clever:
        with pytest.raises(UpstreamUnavailable, match="could not be reached"):
            await clever.identity(CODE, VERIFIER)


def test_the_app_hides_its_secret() -> None:
    assert SECRET not in repr(APP)
