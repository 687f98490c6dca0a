"""A Redis for all tests of this folder, empty for each of them."""

from collections.abc import Iterator

import pytest

from tests.redis_server import RedisServer, redis_server


@pytest.fixture(scope="session")
def the_redis() -> Iterator[RedisServer]:
    """Run one Redis."""
    with redis_server() as server:
        yield server


@pytest.fixture
def server(the_redis: RedisServer) -> RedisServer:
    """Return an empty Redis; tests that break one run their own."""
    with the_redis.client() as client:
        client.flushall()
    return the_redis


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """Run a Redis that the test may kill."""
    with redis_server() as server:
        yield server
