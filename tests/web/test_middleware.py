"""The id of a request, and the line that the access log has of it."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route

from gateway.app import create_app
from gateway.settings import Settings
from gateway.web.middleware import AccessLog, RequestDone
from tests.conftest import TOKEN, Gateway, Upstream
from tests.observability.lines import Log, logged
from tests.web.conftest import inside

MADE = re.compile(r"[0-9a-f]{32}")
MARK = "MARKED"


class TestRequestIds:
    @pytest.mark.parametrize("sent", ["a", "trace-01_B", "0" * 64, "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"])
    async def test_a_sound_one_comes_back(self, gateway: Gateway, sent: str) -> None:
        response = await gateway.http.get("/healthz", headers={"x-request-id": sent})

        assert response.headers["x-request-id"] == sent

    @pytest.mark.parametrize("sent", ["", "two words", "0" * 65, "a;b", "<script>", "a,b", "é", "Root=1-2"])
    async def test_any_other_is_replaced(self, gateway: Gateway, sent: str) -> None:
        response = await gateway.http.get("/healthz", headers={b"x-request-id": sent.encode()})

        assert MADE.fullmatch(response.headers["x-request-id"])

    async def test_each_request_without_one_gets_its_own(self, gateway: Gateway) -> None:
        answers = [await gateway.http.get(path) for path in ("/graphql", "/nothing", "/healthz", "/healthz")]
        made = [answer.headers["x-request-id"] for answer in answers]

        assert len(set(made)) == 4
        assert all(MADE.fullmatch(one) for one in made)


@pytest.fixture
async def spoken(upstream: Upstream) -> AsyncIterator[tuple[httpx.AsyncClient, Log]]:
    """A gateway in this loop that logs all there is to log."""
    app = create_app(Settings(cache=False, clever_url=upstream.origin, graphiql=True))
    with logged("debug") as log:
        async with inside(app) as http:
            yield http, log


class TestAccessLog:
    async def test_a_line_tells_what_was_answered_and_what_it_cost(self, spoken: tuple[httpx.AsyncClient, Log]) -> None:
        http, log = spoken
        headers = {"authorization": f"Bearer {TOKEN}", "x-request-id": "this-one"}
        await http.post("/graphql", json={"query": "{ district { name } }"}, headers=headers)

        (line,) = log.of("request")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
        assert line.pop("ms") > 0
        assert line == {
            "level": "info",
            "event": "request",
            "request_id": "this-one",
            "method": "POST",
            "route": "/graphql",
            "status": 200,
            "upstream_calls": 1,
            "error_codes": [],
        }

    async def test_the_codes_of_errors_are_told_once_each(self, spoken: tuple[httpx.AsyncClient, Log]) -> None:
        http, log = spoken
        query = '{ a: school(id: "x") { id } b: school(id: "y") { id } district { name } }'
        await http.post("/graphql", json={"query": query}, headers={"authorization": "Bearer wrong"})
        await http.post("/graphql", json={"query": query})

        first, second = log.of("request")
        assert sorted(first["error_codes"]) == ["BAD_USER_INPUT", "UNAUTHENTICATED"]
        assert (second["status"], second["error_codes"]) == (401, ["UNAUTHENTICATED"])

    async def test_nothing_that_a_caller_sent_is_in_it(self, spoken: tuple[httpx.AsyncClient, Log]) -> None:
        http, log = spoken
        marked = {
            "authorization": f"Bearer {MARK}",
            "user-agent": MARK,
            "cookie": MARK,
            "x-request-id": f"{MARK} {MARK}",
        }
        query = f'query {MARK}($v: ID!) {{ {MARK}: school(id: $v) {{ name }} school(id: "{MARK}") {{ name }} }}'
        body = {"query": query, "variables": {"v": MARK, MARK: MARK}, "operationName": MARK, MARK: MARK}
        for accept in ("*/*", MARK):
            await http.post(f"/graphql?{MARK}={MARK}", json=body, headers={**marked, "accept": accept})
        await http.post("/graphql", content=MARK, headers={**marked, "content-type": "application/json"})
        await http.get("/graphql", params={"query": f"{{ {MARK} }}", "variables": MARK}, headers=marked)
        await http.get(f"/{MARK}", headers=marked)
        await http.get(f"/graphiql/assets/{MARK}.js", headers=marked)
        await http.request(MARK, "/graphql", headers=marked)
        await http.post("/graphql", json={"query": "{ district { name } }"}, headers=marked)

        assert len(log.of("request")) == 8
        assert MARK not in log.text

    async def test_no_name_and_no_id_from_clever_is_in_it(self, spoken: tuple[httpx.AsyncClient, Log]) -> None:
        http, log = spoken
        query = "{ district { cleverId name } users(first: 5) { nodes { cleverId email name { last } } } }"
        answer = await http.post("/graphql", json={"query": query}, headers={"authorization": f"Bearer {TOKEN}"})

        district, users = answer.json()["data"]["district"], answer.json()["data"]["users"]["nodes"]
        read = [*district.values(), *(value for user in users for value in (user["cleverId"], user["name"]["last"]))]
        assert len(log.of("upstream call")) >= 2
        assert [value for value in [TOKEN, *read] if value in log.text] == []

    @pytest.mark.parametrize(
        ("method", "path", "route", "told"),
        [
            ("GET", "/", "/", "GET"),
            ("HEAD", "/healthz", "/healthz", "HEAD"),
            ("GET", "/graphiql", "/graphiql", "GET"),
            ("GET", "/students/ada", "other", "GET"),
            ("GET", "/graphql/", "other", "GET"),
            ("BREW", "/readyz", "/readyz", "other"),
        ],
    )
    async def test_paths_and_methods_of_strangers_are_not_repeated(
        self, spoken: tuple[httpx.AsyncClient, Log], method: str, path: str, route: str, told: str
    ) -> None:
        http, log = spoken
        await http.request(method, path)

        (line,) = log.of("request")
        assert (line["method"], line["route"]) == (told, route)

    async def test_a_request_that_breaks_is_told_as_500(self) -> None:
        async def breaks(_request: Request) -> None:
            raise ValueError("broken")

        done: list[RequestDone] = []
        routes = frozenset({"/breaks"})
        app = Starlette(
            routes=[Route("/breaks", breaks)],
            middleware=[Middleware(AccessLog, on_request=done.append, routes=routes)],
        )
        async with inside(app) as http:
            assert (await http.get("/breaks")).status_code == 500

        assert [(one.route, one.status) for one in done] == [("/breaks", 500)]
