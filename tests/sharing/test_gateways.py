"""Whole gateways over one Redis and one sandbox: one reads for all, a new one starts warm, trouble costs no answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import SandboxApp
from gateway.sandbox import create_app as create_sandbox
from gateway.settings import Settings
from tests.conftest import TOKEN, Upstream
from tests.redis_server import KEY, RedisServer
from tests.servers import running
from tests.sharing.scene import long_there, until
from tests.web.conftest import inside

OTHER_TOKEN = "TEST_TOKEN_2"
TREE = """{ district { name schools(first: 3) { nodes { name sections(first: 5) { nodes {
    name teacher { name { last } } students(first: 10) { totalCount nodes { cleverId name { first } email } } } } } } } }"""
QUERIES = (
    TREE,
    "{ users(role: STUDENT, first: 40) { totalCount nodes { name { last } teachers { nodes { email } } } } }",
    "{ sections(first: 100) { totalCount nodes { name course { name } term { name } school { name } } } }",
    "{ users(role: TEACHER, first: 20) { nodes { name { last } sections { totalCount nodes { name } } } } }",
    "{ schools { nodes { name users(role: STUDENT, first: 5) { nodes { name { first } } } } } }",
)


@asynccontextmanager
async def gateways(
    upstream: str, server: RedisServer, count: int, **more: Any
) -> AsyncIterator[Sequence[httpx.AsyncClient]]:
    """Start so many gateways in this loop, and yield their clients."""
    long_there(server, origin=upstream)
    settings = Settings(
        clever_url=upstream, redis_url=server.url, redis_key=KEY, log_level="error", **{"redis_timeout": 5} | more
    )
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(inside(create_app(settings))) for _ in range(count)]


async def ask(http: httpx.AsyncClient, query: str, token: str = TOKEN, **headers: str) -> Any:
    """Return the body of an answer."""
    sent = {"authorization": f"Bearer {token}", **headers}
    return (await http.post("/graphql", json={"query": query}, headers=sent, timeout=40)).json()


async def data(http: httpx.AsyncClient, query: str, token: str = TOKEN) -> Any:
    """Return the data of an answer that has no errors."""
    body = await ask(http, query, token)
    assert "errors" not in body, body
    return body["data"]


def kept(server: RedisServer) -> int:
    """Return how many entries are in Redis."""
    with server.client() as client:
        return sum(1 for key in client.scan_iter(count=1000) if key.rsplit(b":", 2)[1] == b"e")


async def settled(server: RedisServer) -> None:
    """Wait until nothing is put any more."""
    before = -1
    while before != (now := kept(server)):
        before = now
        await asyncio.sleep(0.1)


@pytest.fixture
def clean(upstream: Upstream) -> Upstream:
    """Return the sandbox with nothing counted."""
    upstream.reset()
    return upstream


async def test_a_new_gateway_starts_warm(clean: Upstream, server: RedisServer) -> None:
    async with gateways(clean.origin, server, 1) as [first]:
        answers = [await data(first, query) for query in QUERIES]
        await settled(server)
    clean.reset()
    async with gateways(clean.origin, server, 1) as [second]:
        assert [await data(second, query) for query in QUERIES] == answers
        assert clean.calls() == {}


async def test_a_new_gateway_starts_warm_over_a_redis_that_was_emptied(
    clean: Upstream, own_server: RedisServer
) -> None:
    async with gateways(clean.origin, own_server, 2) as [first, second]:
        answers = [await data(first, query) for query in QUERIES]
        assert await data(second, QUERIES[0]) == answers[0]
        await settled(own_server)
        before = kept(own_server)
        own_server.restart()
        await until(lambda: kept(own_server) == before)
        clean.reset()
        async with gateways(clean.origin, own_server, 1) as [third]:
            assert [await data(third, query) for query in QUERIES] == answers
            assert clean.calls() == {}


async def test_gateways_started_together_read_everything_once(clean: Upstream, server: RedisServer) -> None:
    async with gateways(clean.origin, server, 1) as [alone]:
        answers = [await data(alone, query) for query in QUERIES]
    once = clean.calls()
    clean.reset()
    with server.client() as client:
        client.flushall()
    async with gateways(clean.origin, server, 3) as all_of_them:
        for query, answer in zip(QUERIES, answers, strict=True):
            assert await asyncio.gather(*[data(one, query) for one in all_of_them]) == [answer] * 3
            await settled(server)
        calls = clean.calls()
    # Prices that they have learned may differ, so that one follows a link; nobody reads a collection a second time.
    collections = {path for path in once | calls if "{" not in path}
    assert "/users" in collections
    assert {path: calls.get(path, 0) for path in collections} == {path: once.get(path, 0) for path in collections}


async def test_what_one_gateway_is_refused_the_others_forget(server: RedisServer) -> None:
    app = create_sandbox("tiny", rate_limit=None)
    with running(app) as origin:
        async with gateways(origin, server, 2) as [a, b]:
            for one in (a, b):
                await data(one, TREE)
                await data(one, TREE, OTHER_TOKEN)
            await settled(server)
            before = kept(server)
            revoked = app._grants.pop(TOKEN)
            asked = "{ courses { nodes { name number } } }"
            assert [error["extensions"]["code"] for error in (await ask(a, asked))["errors"]] == ["UNAUTHENTICATED"]
            await until(lambda: 0 < kept(server) < before)
            async with asyncio.timeout(5):
                # The news is on its way to it.
                while "errors" not in (body := await ask(b, TREE)):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert {error["extensions"]["code"] for error in body["errors"]} == {"UNAUTHENTICATED"}
            assert body["data"] == {"district": None}
            # The other tenant has lost nothing.
            httpx.post(f"{origin}/__sandbox/reset")
            await data(b, TREE, OTHER_TOKEN)
            assert httpx.get(f"{origin}/__sandbox/stats").json()["calls"] == {}
            app._grants[TOKEN] = revoked


@pytest.mark.parametrize("encrypted", [True, False])
async def test_redis_holds_no_token_and_no_name(clean: Upstream, server: RedisServer, encrypted: bool) -> None:
    document = "{ district { name } }"
    async with gateways(clean.origin, server, 1, redis_encryption=encrypted) as [one]:
        for query in QUERIES:
            await data(one, query)
        persisted = {"persistedQuery": {"version": 1, "sha256Hash": sha256(document.encode()).hexdigest()}}
        sent = {"query": document, "extensions": persisted}
        await one.post("/graphql", json=sent, headers={"authorization": f"Bearer {TOKEN}"})
        await settled(server)
        held = server.dump()
    records = clean.app.records(TOKEN)
    secret = {TOKEN, sha256(TOKEN.encode()).hexdigest(), document, sha256(document.encode()).hexdigest()}
    for user in records["users"].values():
        secret |= {user["id"], user.get("email") or user["id"], str(user["name"].get("last") or user["id"])}
    secret |= {key for table in records.values() for key in table}
    told = b"\n".join([*held, *held.values()]) if encrypted else b"\n".join(held)
    # Shorter words stand in noise by chance.
    assert [word for word in secret if len(word) > 5 and word.encode() in told] == []
    assert len(held) > 10


async def test_documents_registered_with_one_are_known_to_all(clean: Upstream, server: RedisServer) -> None:
    document = "{ district { name cleverId } }"
    by_hash = {"persistedQuery": {"version": 1, "sha256Hash": sha256(document.encode()).hexdigest()}}
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with gateways(clean.origin, server, 2) as [a, b]:
        unknown = (await b.post("/graphql", json={"extensions": by_hash}, headers=headers)).json()
        assert unknown["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
        await a.post("/graphql", json={"query": document, "extensions": by_hash}, headers=headers)

        async def known() -> bool:
            body = (await b.post("/graphql", json={"extensions": by_hash}, headers=headers)).json()
            return "data" in body and body["data"]["district"] is not None

        async with asyncio.timeout(5):
            while not await known():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["kill", "pause", "restart", "full", "gone from the start"])
async def test_trouble_with_redis_costs_no_answer(clean: Upstream, own_server: RedisServer, trouble: str) -> None:
    async with gateways(clean.origin, own_server, 1, redis_timeout=0.1) as [alone]:
        answers = [await data(alone, query) for query in QUERIES]
    if trouble == "gone from the start":
        long_there(own_server, origin=clean.origin)
    async with gateways(clean.origin, own_server, 2, redis_timeout=0.1) as [a, b]:
        await data(a, QUERIES[0])
        match trouble:
            case "kill" | "gone from the start":
                own_server.kill()
            case "pause":
                own_server.pause()
            case "restart":
                own_server.restart()
            case "full":
                with own_server.client() as client:
                    client.flushall()
                    client.config_set("maxmemory", 1)
        for query, answer in zip(QUERIES, answers, strict=True):
            for one in (a, b):
                async with asyncio.timeout(8):
                    assert await data(one, query) == answer
        if trouble == "pause":
            own_server.resume()
        elif trouble == "full":
            with own_server.client() as client:
                client.config_set("maxmemory", 0)
        elif trouble != "restart":
            own_server.start()
        # It is back without anything being started anew: what is read from now on is there for all.
        async with asyncio.timeout(10):
            while True:
                await ask(a, "{ terms { nodes { name } } }", **{"cache-control": "no-cache"})
                if kept(own_server):
                    break
                await asyncio.sleep(0.1)


async def test_the_limit_holds_for_all_gateways_together(server: RedisServer) -> None:
    app: SandboxApp = create_sandbox("tiny", districts=1, rate_limit=60)
    with running(app) as origin:
        async with gateways(origin, server, 3, calls_per_minute=60, cache=False, deadline=2) as all_of_them:
            few = [" ".join(f'u{at}: user(id: "{of:022x}{at:02x}") {{ id }}' for at in range(3)) for of in range(30)]
            bodies = await asyncio.gather(*[ask(all_of_them[at % 3], f"{{ {one} }}") for at, one in enumerate(few)])
        stats = httpx.get(f"{origin}/__sandbox/stats").json()
    assert stats["limited"] == 0
    assert 50 <= sum(stats["calls"].values()) <= 60
    codes = {error["extensions"]["code"] for body in bodies for error in body.get("errors", ())}
    assert codes == {"UPSTREAM_RATE_LIMITED"}
