"""A Redis takes a secret, and both must be what they say."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.app import open_sharing
from gateway.settings import Settings
from tests.redis_server import KEY


@pytest.mark.parametrize(
    "url",
    ["redis://localhost", "redis://:MARKED@host:6379/0", "rediss://user:MARKED@host:1?a=b", "unix:///run/redis.sock"],
)
def test_the_url_of_a_redis_is_taken_and_not_shown(url: str) -> None:
    settings = Settings(redis_url=url, redis_key=KEY)
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == url
    assert "MARKED" not in repr(settings)
    assert open_sharing(settings) is not None


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379", "http://host", "redis://", "unix://", "redis://:MARKED#x@host:6379", "redis://:MA?RKED@host",
        "redis://host:MARKED", "redis://[MARKED", "redis://host:0",
    ],
)  # fmt: skip
def test_what_is_no_redis_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(redis_url=url, redis_key=KEY)
    assert "must be a URL such as" in refused.value.errors()[0]["msg"]
    assert "MARKED" not in str(refused.value)


@pytest.mark.parametrize("key", [{}, {"redis_key": "short"}])
def test_a_redis_needs_a_secret_of_some_length(key: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(redis_url="redis://localhost", **key)
    assert refused.value.errors()[0]["loc"] == ("redis_key",)
    assert "openssl rand" in refused.value.errors()[0]["msg"]


def test_workers_share_the_calls_through_a_redis_and_without_one_they_part_them() -> None:
    assert Settings(workers=4).calls_per_worker == 300
    assert Settings(workers=4, redis_url="redis://localhost", redis_key=KEY).calls_per_worker == 1200
    assert open_sharing(Settings(workers=4)) is None
