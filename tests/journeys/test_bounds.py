"""What one request may have: nested lists multiply, though their records are read once."""

from collections.abc import Iterator

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.conftest import Upstream
from tests.servers import running

NESTED = "{ sections { nodes { students { nodes { sections { nodes { students { nodes { cleverId } } } } } } } } }"


@pytest.fixture
def modest(upstream: Upstream) -> Iterator[str]:
    settings = Settings(cache=False, clever_url=upstream.origin, max_rows=2_000, log_level="error")
    with running(create_app(settings)) as origin:
        yield origin


async def test_an_answer_beyond_its_rows_is_refused_where_it_goes_beyond(modest: str) -> None:
    async with httpx.AsyncClient(base_url=modest, timeout=30) as http:
        headers = {"authorization": "Bearer TEST_TOKEN"}
        large = (await http.post("/graphql", json={"query": NESTED}, headers=headers)).json()
        small = (
            await http.post("/graphql", json={"query": "{ users { nodes { cleverId } } }"}, headers=headers)
        ).json()

    assert {error["extensions"]["code"] for error in large["errors"]} == {"QUERY_TOO_COMPLEX"}
    assert "2000 rows" in large["errors"][0]["message"]
    assert large["data"]["sections"]["nodes"]
    assert "errors" not in small
