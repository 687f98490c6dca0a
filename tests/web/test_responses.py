"""Answers that are given again: for the same request of the same token, while their data is what is known."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from types import FrameType
from typing import Any

import httpx
import pytest

from gateway.access.evidence import Evidence, evidence_of
from gateway.app import create_app
from gateway.cache.freshness import Lifetimes
from gateway.cache.rows import DecodedRows
from gateway.cache.shelf import Entry, Roster
from gateway.clever import catalogue
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import USERS
from gateway.clever.records import School
from gateway.engine.answers import Answer
from gateway.engine.responses import Responses, canonical
from gateway.identity import Tenant
from gateway.settings import Settings
from tests.conftest import TOKEN, Upstream
from tests.resilience.faulty import ANY, Faulty, html, status
from tests.resilience.fixtures import faulty, faulty_server
from tests.servers import running

__all__ = ["faulty", "faulty_server"]

SCHOOLS = "query Schools($first: Int) { schools(first: $first) { nodes { cleverId name } } }"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def origin(upstream: Upstream) -> Iterator[str]:
    with running(create_app(Settings(clever_url=upstream.origin, explain=True, log_level="error"))) as origin:
        yield origin


@pytest.fixture
async def http(origin: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=origin, headers=AUTHORIZED) as http:
        yield http


def cost(response: httpx.Response) -> Any:
    return response.json()["extensions"]["clever"]["cost"]


def sent(**parameters: Any) -> dict[str, str]:
    return {name: one if isinstance(one, str) else json.dumps(one) for name, one in parameters.items()}


async def test_the_same_request_has_the_same_data_for_no_call(http: httpx.AsyncClient) -> None:
    body = {"query": SCHOOLS, "variables": {"first": 1}}
    first = await http.post("/graphql", json=body)
    again = await http.post("/graphql", json=body)
    spelled = await http.post(
        "/graphql", content=json.dumps(body, indent=3), headers={"content-type": "application/json"}
    )

    assert first.json()["data"] == again.json()["data"] == spelled.json()["data"]
    assert cost(again)["calls"] == cost(spelled)["calls"] == 0
    assert {one.headers["cache-control"] for one in (first, again)} == {"private, no-store"}
    assert "etag" not in again.headers


async def test_other_variables_and_other_tokens_have_answers_of_their_own(http: httpx.AsyncClient) -> None:
    two = await http.post("/graphql", json={"query": SCHOOLS, "variables": {"first": 2}})
    one = await http.post("/graphql", json={"query": SCHOOLS, "variables": {"first": 1}})
    body = {"query": SCHOOLS, "variables": {"first": 2}}
    other = await http.post("/graphql", json=body, headers={"authorization": "Bearer TEST_TOKEN_3"})
    wrong = await http.post("/graphql", json=body, headers={"authorization": "Bearer nobody"})

    assert [len(answer.json()["data"]["schools"]["nodes"]) for answer in (two, one)] == [2, 1]
    assert other.json()["data"] != two.json()["data"]
    assert wrong.json()["data"] == {"schools": None}


async def test_a_get_may_ask_whether_the_data_has_changed(http: httpx.AsyncClient) -> None:
    parameters = sent(query=SCHOOLS, variables={"first": 2})
    first = await http.get("/graphql", params=parameters)
    tag = first.headers["etag"]
    same = await http.get("/graphql", params=parameters, headers={"if-none-match": tag})
    listed = await http.get("/graphql", params=parameters, headers={"if-none-match": f'"another", {tag}'})
    other = await http.get("/graphql", params=parameters, headers={"if-none-match": '"another"'})

    assert (first.status_code, same.status_code, listed.status_code, other.status_code) == (200, 304, 304, 200)
    assert same.content == b""
    assert same.headers["etag"] == other.headers["etag"] == tag
    for one in (first, same):
        assert one.headers["cache-control"] == "private, no-cache"
        assert one.headers["vary"] == "Accept, Authorization, Cookie"


async def test_a_tag_tells_nothing_to_a_stranger(http: httpx.AsyncClient) -> None:
    parameters = sent(query=SCHOOLS, variables={"first": 2})
    tag = (await http.get("/graphql", params=parameters)).headers["etag"]
    for token in ("nobody", "TEST_TOKEN_3"):
        headers = {"authorization": f"Bearer {token}", "if-none-match": tag}
        assert (await http.get("/graphql", params=parameters, headers=headers)).status_code == 200
    async with httpx.AsyncClient(base_url=http.base_url) as nobody:
        headers = {"if-none-match": tag, "apollo-require-preflight": "true"}
        refused = await nobody.get("/graphql", params=parameters, headers=headers)
    assert refused.status_code == 401


async def test_answers_with_errors_are_not_kept_and_have_no_tag(http: httpx.AsyncClient) -> None:
    parameters = sent(query='{ schools(first: 1) { nodes { name } } node(id: "x") { id } }')
    for _ in range(2):
        answer = await http.get("/graphql", params=parameters)
        assert answer.json()["errors"]
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "private, no-store"


async def test_plans_and_newer_data_are_worked_out_anew(http: httpx.AsyncClient) -> None:
    body = {"query": SCHOOLS, "variables": {"first": 1}}
    for _ in range(2):
        explained = await http.post("/graphql", json=body, headers={"x-clever-explain": "plan"})
        assert explained.json()["extensions"]["clever"]["plan"]
        newer = await http.post("/graphql", json=body, headers={"cache-control": "no-cache"})
        assert newer.json()["data"] == explained.json()["data"]


@pytest.mark.parametrize("off", [{"cache": False}, {"response_cache": False}])
async def test_it_can_be_turned_off(upstream: Upstream, off: dict[str, bool]) -> None:
    settings = Settings(clever_url=upstream.origin, log_level="error", **off)  # type: ignore[arg-type]
    with running(create_app(settings)) as origin:
        async with httpx.AsyncClient(base_url=origin, headers=AUTHORIZED) as http:
            answer = await http.get("/graphql", params=sent(query="{ schools { nodes { name } } }"))
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("kept", [True, False])
async def test_a_token_that_is_refused_reads_nothing_that_is_kept_and_hears_the_same(
    faulty: Faulty, kept: bool
) -> None:
    settings = Settings(clever_url=faulty.origin, token_recheck=1e-6, response_cache=kept, log_level="error")
    body = {"query": "{ schools { nodes { name } } }"}
    with running(create_app(settings)) as origin:
        async with httpx.AsyncClient(base_url=origin, headers=AUTHORIZED) as http:
            for _ in range(3):
                assert (await http.post("/graphql", json=body)).json()["data"]["schools"]["nodes"]
            faulty.always(ANY, status(401))
            for _ in range(2):
                refused = await http.post("/graphql", json=body)
                assert refused.status_code == 200
                assert refused.json()["data"] == {"schools": None}
                assert [one["extensions"]["code"] for one in refused.json()["errors"]] == ["UNAUTHENTICATED"]


async def test_a_token_that_is_shown_less_is_not_given_what_was_kept(faulty: Faulty) -> None:
    settings = Settings(clever_url=faulty.origin, token_recheck=1e-6, log_level="error")
    body = {"query": "{ schools { nodes { name } } }"}
    with running(create_app(settings)) as origin:
        async with httpx.AsyncClient(base_url=origin, headers=AUTHORIZED) as http:
            for _ in range(3):
                assert (await http.post("/graphql", json=body)).json()["data"]["schools"]["nodes"]
            faulty.always(ANY, html(404))
            hidden = await http.post("/graphql", json=body)
    assert hidden.json()["data"] == {"schools": None}
    assert [one["extensions"]["code"] for one in hidden.json()["errors"]] == ["FORBIDDEN"]


class TestKeeping:
    """What is kept, and for how long."""

    tenant = Tenant("a")

    def entry(self, roster: Roster, number: int = 1) -> Entry:
        entry = Entry(RecordCall(USERS, f"{number:024x}"), USERS, 0.0)
        roster.put(entry)
        return entry

    def test_it_lasts_until_its_data_is_due_or_replaced(self) -> None:
        for end in ("due", "forgotten", "replaced"):
            roster, responses = Roster(), Responses(100_000)
            entry = self.entry(roster)
            responses.keep(self.tenant, ["name"], Answer({"a": 1}), Evidence((entry.standing,), 300.0), 0.0)
            assert responses.find(self.tenant, "name", 299.9)
            assert responses.find(Tenant("b"), "name", 1.0) is None
            if end == "replaced":
                self.entry(roster)
            elif end == "forgotten":
                roster.remove(entry.key)
            assert responses.find(self.tenant, "name", 300.0 if end == "due" else 1.0) is None
            assert (len(responses), responses.bytes) == (0, 0)

    def test_it_is_bounded_and_the_least_used_goes_first(self) -> None:
        roster, responses = Roster(), Responses(20_000)
        evidence = Evidence((self.entry(roster).standing,), 300.0)
        for number in range(100):
            responses.keep(self.tenant, [f"{number}"], Answer("x" * 1_000), evidence, 0.0)
            assert responses.find(self.tenant, "0", 1.0)
            assert responses.bytes <= 20_000
        assert len(responses) == 13
        assert responses.find(self.tenant, "50", 1.0) is None

    def test_what_nobody_asks_for_again_goes_once_its_data_is_gone(self) -> None:
        for end in ("due", "forgotten"):
            roster, responses = Roster(), Responses(100_000)
            for number in range(10):
                evidence = Evidence((self.entry(roster, number).standing,), 300.0)
                responses.keep(self.tenant, [f"{number}"], Answer({"a": 1}), evidence, 1.0)
            now = 300.0 if end == "due" else 2.0
            if end == "forgotten":
                for key in list(roster.entries):
                    roster.remove(key)
            for number in range(10, 15):
                evidence = Evidence((self.entry(roster, number).standing,), 900.0)
                responses.keep(self.tenant, [f"{number}"], Answer({"a": 1}), evidence, now)
            assert len(responses) == 5

    def test_an_answer_holds_nothing_of_the_records_it_was_made_from(self) -> None:
        roster, responses = Roster(), Responses(100_000)
        school = School(id="a" * 24, name="West")
        entry = Entry(RecordCall(catalogue.SCHOOLS, school.id), catalogue.SCHOOLS, 0.0, DecodedRows((school,)))
        roster.put(entry)
        evidence = evidence_of([entry], Lifetimes())
        assert evidence is not None
        responses.keep(self.tenant, ["name"], Answer({"a": 1}), evidence, 1.0)
        roster.remove(entry.key)
        assert not [one for one in gc.get_referrers(entry) if not isinstance(one, FrameType)]

    def test_what_is_too_large_is_not_kept(self) -> None:
        roster, responses = Roster(), Responses(20_000)
        evidence = Evidence((self.entry(roster).standing,), 300.0)
        kept = responses.keep(self.tenant, ["large"], Answer("x" * 5_000), evidence, 0.0)
        assert kept is not None
        assert len(responses) == 0

    def test_names_do_not_depend_on_the_order_of_variables(self) -> None:
        assert canonical("q", None, {"a": 1, "b": 2}) == canonical("q", None, {"b": 2, "a": 1})
        assert canonical("q", None, {"a": 1}) != canonical("q", None, {"a": 2})
        assert canonical("q", None, None) == canonical("q", None, {})
        assert canonical("q", "A", {}) != canonical("q", "B", {})


async def test_many_at_once_agree(http: httpx.AsyncClient) -> None:
    body = {"query": "{ sections(first: 20) { nodes { name students(first: 5) { nodes { name { last } } } } } }"}
    answers = await asyncio.gather(*[http.post("/graphql", json=body) for _ in range(20)])
    assert len({json.dumps(answer.json()["data"]) for answer in answers}) == 1
