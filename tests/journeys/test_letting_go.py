"""What a request has read is let go of at its end, without waiting for the garbage collector: it can be a district."""

import gc

import httpx
import pytest

from gateway.app import create_app
from gateway.cache.view import View
from gateway.settings import Settings
from tests.conftest import TOKEN, Upstream
from tests.servers import running

DISTRICT = (
    "{ sections(first: 1000) { nodes { name teacher { email } students(first: 100) { nodes { name { first } } } } } }"
)
FAILING = (
    '{ sections(first: 10) { nodes { students(after: "nothing") { nodes { email } } } } node(id: "nothing") { id } }'
)


def held() -> int:
    """Return how many entries requests hold on to, wherever an error's traceback may still lead to."""
    return sum(len(one.used()) for one in gc.get_objects() if isinstance(one, View))


@pytest.mark.parametrize("query", [DISTRICT, FAILING], ids=["answered", "failing"])
async def test_nothing_of_a_request_outlives_it(upstream: Upstream, query: str) -> None:
    settings = Settings(clever_url=upstream.origin, log_level="error", response_cache=False, cache_bytes=200_000)
    with running(create_app(settings)) as origin:
        async with httpx.AsyncClient(base_url=origin, headers={"authorization": f"Bearer {TOKEN}"}) as http:
            gc.collect()
            gc.disable()
            try:
                for _ in range(3):
                    assert (await http.post("/graphql", json={"query": query})).json()["data"]["sections"]
                assert held() == 0
            finally:
                gc.enable()
