"""The paths beside `/graphql`: for operators, for browsers, and those that are none."""

import httpx
import pytest

from gateway import __version__
from gateway.app import create_app
from gateway.settings import Settings
from tests.conftest import Gateway
from tests.web.conftest import inside

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class TestHealth:
    @pytest.mark.parametrize(("path", "status"), [("/healthz", "ok"), ("/readyz", "ready")])
    async def test_a_running_gateway_is_alive_and_ready(self, gateway: Gateway, path: str, status: str) -> None:
        response = await gateway.http.get(path)

        assert (response.status_code, response.json()) == (200, {"status": status})
        assert response.headers["cache-control"] == "no-store"
        assert (await gateway.http.head(path)).status_code == 200

    async def test_neither_asks_clever_nor_needs_it(self) -> None:
        # Port 9 of this machine answers nobody.
        async with inside(create_app(Settings(clever_url="http://127.0.0.1:9"))) as http:
            assert (await http.get("/healthz")).status_code == 200
            assert (await http.get("/readyz")).status_code == 200

    async def test_it_is_alive_but_not_ready_before_the_start_and_after_the_end(self) -> None:
        app = create_app(Settings())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://in") as http:
            before = await http.get("/readyz")
            async with inside(app):
                pass
            after = await http.get("/readyz")
            alive = await http.get("/healthz")

        for response in (before, after):
            assert (response.status_code, response.json()) == (503, {"status": "not ready"})
        assert alive.status_code == 200


class TestFrontDoor:
    async def test_a_browser_is_led_to_graphiql(self, gateway: Gateway) -> None:
        response = await gateway.http.get("/", headers=BROWSER)

        assert (response.status_code, response.headers["location"]) == (303, "/graphiql")
        assert (await gateway.http.get("/graphiql", headers=BROWSER)).status_code == 200

    async def test_a_program_is_told_where_the_endpoint_is(self, gateway: Gateway) -> None:
        expected = {"name": "clever-graphql-gateway", "version": __version__, "graphql": "/graphql"}

        assert (await gateway.http.get("/")).json() == expected

    async def test_so_is_a_browser_where_there_is_no_graphiql(self, closed: httpx.AsyncClient) -> None:
        assert (await closed.get("/", headers=BROWSER)).json()["graphql"] == "/graphql"


class TestElsewhere:
    @pytest.mark.parametrize("path", ["/nothing", "/graphql/more", "/v3.1/schools", "/%ff", "/.env", "/docs"])
    async def test_other_paths_are_404_and_say_where_to_go(self, gateway: Gateway, path: str) -> None:
        response = await gateway.http.get(path)

        assert response.status_code == 404
        assert response.json()["errors"][0]["message"] == "Nothing is at this path; the GraphQL endpoint is /graphql."

    async def test_a_query_sent_to_the_front_door_is_told_where_to_go(self, gateway: Gateway) -> None:
        response = await gateway.http.post("/", json={"query": "{ __typename }"})

        assert response.status_code == 405
        assert "GET" in response.headers["allow"]
        assert response.json()["errors"][0]["message"].endswith("the GraphQL endpoint is /graphql.")

    @pytest.mark.parametrize("path", ["/graphiql", "/graphiql/", "/graphiql/assets/index.js"])
    async def test_graphiql_is_not_there_where_it_is_off(self, closed: httpx.AsyncClient, path: str) -> None:
        assert (await closed.get(path, headers=BROWSER)).status_code == 404

    async def test_the_endpoint_with_a_slash_behind_leads_to_the_endpoint(self, gateway: Gateway) -> None:
        response = await gateway.http.post("/graphql/", json={"query": "{ __typename }"}, follow_redirects=True)

        assert response.json() == {"data": {"__typename": "Query"}}
