"""What a browser may be made to do: cross-site requests, answers read by other pages, names that lead here by a trick."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from starlette.datastructures import Headers

from gateway.app import create_app
from gateway.errors import RequestRefused
from gateway.settings import Settings
from gateway.web.csrf import check_cross_site
from tests.conftest import TOKEN, Gateway, Upstream
from tests.web.conftest import JSON, inside

AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
APP, OTHER = "https://app.example.org", "https://elsewhere.example.org"
ASK = {"query": "{ __typename }"}

With = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def gateway_with(upstream: Upstream) -> With:
    @asynccontextmanager
    async def make(**settings: object) -> AsyncIterator[httpx.AsyncClient]:
        async with inside(create_app(Settings(clever_url=upstream.origin, log_level="error", **settings))) as http:  # type: ignore[arg-type]
            yield http

    return make


class TestCrossSite:
    @pytest.mark.parametrize(
        ("headers", "passes"),
        [
            ({}, False),
            ({"content-type": "text/plain"}, False),
            ({"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, False),
            ({"content-type": "multipart/form-data; boundary=x"}, False),
            ({"content-type": " Text/Plain ;x=application/json"}, False),
            ({"content-type": "nonsense"}, False),
            ({"content-type": "application/json, text/plain/x"}, False),
            ({"content-type": "application/json"}, True),
            ({"content-type": "application/json; charset=utf-8"}, True),
            ({"apollo-require-preflight": ""}, False),
            ({"apollo-require-preflight": "true"}, True),
            ({"x-apollo-operation-name": "Roster"}, True),
            ({"graphql-require-preflight": "1"}, True),
            ({"authorization": "Bearer x"}, True),
            ({"authorization": "Bearer x", "cookie": "session=1"}, True),
            ({"cookie": "session=1"}, False),
            ({"cookie": "session=1", "content-type": "application/json"}, False),
            ({"cookie": "session=1", "graphql-require-preflight": "1"}, True),
        ],
        ids=str,
    )
    def test_what_any_page_could_have_sent_is_refused(self, headers: dict[str, str], passes: bool) -> None:
        if passes:
            check_cross_site(Headers(headers))
        else:
            with pytest.raises(RequestRefused, match="could have been sent by a page of any origin"):
                check_cross_site(Headers(headers))

    async def test_a_get_without_a_token_needs_the_header(self, gateway: Gateway) -> None:
        refused = await gateway.http.get("/graphql", params=ASK)
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["extensions"] == {"code": "CSRF_PREVENTED"}
        assert "`graphql-require-preflight`" in refused.json()["errors"][0]["message"]

        answered = await gateway.http.get("/graphql", params=ASK, headers={"graphql-require-preflight": "1"})
        assert answered.json() == {"data": {"__typename": "Query"}}

    async def test_a_get_with_a_token_does_not(self, gateway: Gateway) -> None:
        answered = await gateway.http.get("/graphql", params=ASK, headers=AUTHORIZED)

        assert answered.json() == {"data": {"__typename": "Query"}}

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
    )
    async def test_a_post_that_a_form_can_send_is_refused_whatever_it_carries(
        self, gateway: Gateway, content_type: str
    ) -> None:
        headers = {"content-type": content_type, "graphql-require-preflight": "1", **AUTHORIZED}
        response = await gateway.http.post("/graphql", content=b'{"query":"{ __typename }"}', headers=headers)

        assert response.status_code == 415

    async def test_graphiql_is_not_troubled_by_cookies_of_its_neighbours(self, gateway: Gateway) -> None:
        response = await gateway.http.post("/graphql", json=ASK, headers={"cookie": "other=1"})

        assert response.json() == {"data": {"__typename": "Query"}}


class TestOtherOrigins:
    async def test_no_page_may_read_an_answer_unless_that_is_set(self, gateway: Gateway) -> None:
        answer = await gateway.http.post("/graphql", json=ASK, headers={"origin": OTHER})
        preflight = {"origin": OTHER, "access-control-request-method": "POST"}
        asked = await gateway.http.options("/graphql", headers=preflight)

        assert not any(name.startswith("access-control") for name in [*answer.headers, *asked.headers])

    async def test_pages_of_the_origins_that_are_set_may(self, gateway_with: With) -> None:
        async with gateway_with(cors_origins=f"{APP}, http://localhost:5173") as http:
            preflight = {
                "origin": APP,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type,graphql-require-preflight",
            }
            asked = await http.options("/graphql", headers=preflight)
            answer = await http.post("/graphql", json=ASK, headers={"origin": APP, **AUTHORIZED})

        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == answer.headers["access-control-allow-origin"] == APP
        assert {"authorization", "content-type", "graphql-require-preflight"} <= set(
            asked.headers["access-control-allow-headers"].lower().split(", ")
        )
        assert "access-control-allow-credentials" not in [*asked.headers, *answer.headers]
        assert answer.headers["access-control-expose-headers"] == "x-request-id, retry-after"
        assert answer.headers["vary"] == "Accept, Authorization, Origin"
        assert asked.headers["x-request-id"]

    @pytest.mark.parametrize("origin", [OTHER, "null", f"{APP}.evil.example", "http://app.example.org", f"{APP}:8443"])
    async def test_pages_of_others_may_not_then_either(self, gateway_with: With, origin: str) -> None:
        async with gateway_with(cors_origins=APP) as http:
            answer = await http.post("/graphql", json=ASK, headers={"origin": origin, **AUTHORIZED})
            preflight = {"origin": origin, "access-control-request-method": "POST"}
            asked = await http.options("/graphql", headers=preflight)

        assert "access-control-allow-origin" not in answer.headers
        assert asked.status_code == 400
        assert "access-control-allow-origin" not in asked.headers

    @pytest.mark.parametrize(
        "wrong", ["*", "null", "app.example.org", f"{APP}/", f"{APP},*", "https://*.example.org/x"]
    )
    def test_only_whole_origins_can_be_set(self, wrong: str) -> None:
        with pytest.raises(ValueError, match=r"must be origins such as https://app\.example\.org"):
            Settings(cors_origins=wrong)


class TestNames:
    @pytest.mark.parametrize(
        "host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1:8000", "[::1]", "[::1]:8000"]
    )
    async def test_the_names_that_are_set_are_answered(self, gateway_with: With, host: str) -> None:
        async with gateway_with(allowed_hosts="127.0.0.1, localhost,[::1]") as http:
            assert (await http.get("/", headers={"host": host})).status_code == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "localhost.evil.example", "evil.example:8000", "", "127.0.0.1.", "x:y"]
    )
    async def test_any_other_is_refused_and_not_repeated(self, gateway_with: With, host: str) -> None:
        async with gateway_with(allowed_hosts="127.0.0.1,localhost,[::1]", public_introspection=True) as http:
            response = await http.post("/graphql", json=ASK, headers={"host": host})

        assert response.status_code == 421
        assert response.json()["errors"][0]["extensions"] == {"code": "HOST_NOT_ALLOWED"}
        assert "evil" not in response.text
        assert response.headers["x-request-id"]

    async def test_two_of_them_are_none(self, gateway_with: With) -> None:
        async with gateway_with(allowed_hosts="localhost") as http:
            response = await http.get("/", headers=[("host", "localhost"), ("host", "localhost")])

        assert response.status_code == 421

    @pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 200), ("/metrics", 421), ("/", 421)])
    async def test_probes_come_by_any_name(self, gateway_with: With, path: str, status: int) -> None:
        async with gateway_with(allowed_hosts="roster.example.org") as http:
            assert (await http.get(path, headers={"host": "10.1.2.3:8000"})).status_code == status

    async def test_all_are_answered_where_none_is_set(self, gateway_with: With) -> None:
        async with gateway_with() as http:
            assert (await http.get("/healthz", headers={"host": "any.example"})).status_code == 200


class TestHeaders:
    @pytest.mark.parametrize("path", ["/", "/graphql", "/healthz", "/metrics", "/nothing", "/graphiql"])
    async def test_every_answer_says_how_it_may_be_used(self, gateway: Gateway, path: str) -> None:
        headers = (await gateway.http.get(path)).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert len(headers.get_list("content-security-policy")) == 1
        assert "strict-transport-security" not in headers

    async def test_graphiql_keeps_its_own_policy(self, gateway: Gateway) -> None:
        assert "connect-src 'self'" in (await gateway.http.get("/graphiql")).headers["content-security-policy"]


class TestStrangers:
    @pytest.fixture
    def mistaken(self) -> Iterator[dict[str, str]]:
        yield {"query": "{ distrikt { name } }"}

    async def test_they_get_no_hints_where_the_schema_is_not_public(
        self, closed: httpx.AsyncClient, mistaken: dict[str, str]
    ) -> None:
        response = await closed.post("/graphql", json=mistaken, headers={"authorization": "Bearer nobody"})

        assert response.json()["errors"][0]["message"] == "Cannot query field 'distrikt' on type 'Query'."

    async def test_they_do_where_it_is(self, gateway: Gateway, mistaken: dict[str, str]) -> None:
        response = await gateway.http.post("/graphql", json=mistaken)

        assert "Did you mean 'district' or 'districts'?" in response.text

    async def test_graphiql_is_off_by_default(self, closed: httpx.AsyncClient) -> None:
        response = await closed.get("/graphiql", headers={"accept": "text/html"})

        assert response.status_code == 404
        assert response.headers["content-type"].startswith(JSON)
