"""What is remembered from one HTTP request to the next, over a scripted upstream behind a socket."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.conftest import Answer
from tests.resilience.faulty import Faulty, status
from tests.resilience.fixtures import faulty, faulty_server
from tests.resilience.roster import NORTH
from tests.servers import running

__all__ = ["faulty", "faulty_server"]

PEOPLE = f'{{ school(id: "{NORTH}") {{ name students {{ totalCount nodes {{ cleverId name {{ last }} }} }} }} }}'
SCHOOLS = "{ schools { nodes { name } } }"
# Nothing is ever fresh with `forgetful`: what is remembered is only for when Clever cannot be asked.
KINDS: dict[str, dict[str, Any]] = {
    "remembering": {},
    "forgetful": {"ttl_users": 0, "ttl_sections": 0, "ttl_others": 0},
    "off": {"cache": "off"},
}
_numbers = count(1)


@pytest.fixture(scope="module")
def origins(faulty_server: Faulty) -> Iterator[Callable[[str], str]]:
    with ExitStack() as servers:
        started: dict[str, str] = {}

        def origin_of(kind: str) -> str:
            if kind not in started:
                settings = Settings(clever_url=faulty_server.origin, log_level="error", **KINDS[kind])
                started[kind] = servers.enter_context(running(create_app(settings)))
            return started[kind]

        yield origin_of


class Client:
    """Asks gateways with a token of its own, and counts the calls of each answer."""

    def __init__(self, http: httpx.AsyncClient, origins: Callable[[str], str], upstream: Faulty) -> None:
        self.token = f"memory-{next(_numbers)}"
        self._http = http
        self._origins = origins
        self._upstream = upstream

    async def ask(self, query: str, kind: str = "remembering", token: str | None = None, **headers: str) -> Answer:
        self._upstream.asked.clear()
        sent = {"authorization": f"Bearer {token or self.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        response = await self._http.post(f"{self._origins(kind)}/graphql", json={"query": query}, headers=sent)
        return Answer(response.status_code, response.headers, response.json(), dict.fromkeys(self._upstream.targets, 1))


@pytest.fixture
async def client(faulty: Faulty, origins: Callable[[str], str]) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(timeout=30, transport=httpx.AsyncHTTPTransport(verify=False)) as http:
        yield Client(http, origins, faulty)


def clever(answer: Answer) -> Any:
    return answer.body["extensions"]["clever"]


async def test_the_same_query_costs_nothing_the_second_time_and_says_so(client: Client) -> None:
    cold, warm = [await client.ask(PEOPLE) for _ in range(2)]
    assert cold.data == warm.data
    assert len(cold.data["school"]["students"]["nodes"]) == 6
    assert clever(cold)["cost"]["calls"] == len(cold.calls) > 0
    assert clever(warm)["cost"]["calls"] == len(warm.calls) == 0
    assert clever(warm)["cost"]["cached"] > 0
    assert "stale" not in clever(warm)


async def test_with_memory_off_it_costs_the_same_again(client: Client) -> None:
    first, second = [await client.ask(PEOPLE, "off") for _ in range(2)]
    assert first.data == second.data
    assert first.calls == second.calls != {}
    assert clever(second)["cost"]["cached"] == 0


async def test_another_token_reads_for_itself(client: Client, faulty: Faulty) -> None:
    mine = await client.ask(SCHOOLS)
    faulty.records["schools"][NORTH]["name"] = "Elsewhere"
    theirs = await client.ask(SCHOOLS, token=f"{client.token}-other")
    assert mine.calls == theirs.calls != {}
    assert (await client.ask(SCHOOLS)).data == mine.data != theirs.data


async def test_no_cache_does_not_read_what_is_seconds_old(client: Client) -> None:
    await client.ask(SCHOOLS)
    assert (await client.ask(SCHOOLS, cache_control="no-cache")).calls == {}


@pytest.mark.parametrize("headers", [{}, {"cache_control": "max-age=0, No-Cache"}])
async def test_while_clever_fails_the_answer_is_old_and_says_why(
    client: Client, faulty: Faulty, headers: dict[str, str]
) -> None:
    before = await client.ask(PEOPLE, "forgetful")
    faulty.always("*", status(503))
    after = await client.ask(PEOPLE, "forgetful", **headers)
    assert after.data == before.data
    assert clever(after)["stale"]["reason"] == "UPSTREAM_UNAVAILABLE"
    faulty.reset()
    again = await client.ask(PEOPLE, "forgetful")
    assert again.calls == before.calls
    assert "stale" not in clever(again)


async def test_a_revoked_token_is_refused_whatever_is_remembered(client: Client, faulty: Faulty) -> None:
    await client.ask(PEOPLE)
    faulty.always("*", status(401))
    assert set((await client.ask(SCHOOLS)).codes) == {"UNAUTHENTICATED"}
    refused = await client.ask(PEOPLE)
    assert set(refused.codes) == {"UNAUTHENTICATED"}
    assert refused.calls == {}
    faulty.always("*", status(500))
    assert set((await client.ask(PEOPLE)).codes) == {"UNAUTHENTICATED"}
