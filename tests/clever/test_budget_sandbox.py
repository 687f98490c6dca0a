"""The budget over the sandbox: however many requests ask, Clever's limit is never run into."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from gateway.clever.allowance import Allowance
from gateway.clever.budget import WindowBudget
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import USERS
from gateway.clever.client import CleverClient
from gateway.errors import UpstreamRateLimited
from gateway.identity import Tenant
from gateway.sandbox import SandboxApp, create_app
from tests.servers import running

TENANT = Tenant("TEST_TOKEN")
CALLS = [RecordCall(USERS, f"{number:024x}") for number in range(40)]
SECONDS = 2.0


async def request(client: CleverClient) -> list[Any]:
    allowance = Allowance(SECONDS, 100)
    return await asyncio.gather(*[client.record(TENANT, call, allowance) for call in CALLS], return_exceptions=True)


async def limited(origin: str, http: httpx.AsyncClient) -> int:
    stats: dict[str, int] = (await http.get(f"{origin}/__sandbox/stats")).json()
    return stats["limited"]


@pytest.fixture(scope="module")
def app() -> SandboxApp:
    return create_app("tiny", districts=1, rate_limit=50)


@pytest.mark.parametrize("used_by_others", [0, 20])
async def test_load_beyond_the_limit_is_refused_here_and_never_by_clever(app: SandboxApp, used_by_others: int) -> None:
    with running(app) as origin:
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(verify=False)) as http:
            await http.post(f"{origin}/__sandbox/reset")
            for _ in range(used_by_others):
                await http.get(f"{origin}/v3.1/districts", headers={"authorization": "Bearer TEST_TOKEN"})
            async with CleverClient(origin, "v3.1", budget=WindowBudget(50, at_once=8)) as client:
                async with asyncio.timeout(SECONDS + 2):
                    found = await asyncio.gather(*[request(client) for _ in range(4)])
            seen = [Counter(type(one) for one in answers) for answers in found]
            assert sum(one[type(None)] for one in seen) == 50 - used_by_others
            assert sum(one[UpstreamRateLimited] for one in seen) == 4 * 40 - (50 - used_by_others)
            # The first to come has eight under way before the others ask; from then on they take turns.
            assert min(one[type(None)] for one in seen) >= (50 - used_by_others - 8) // 4
            assert await limited(origin, http) == 0
