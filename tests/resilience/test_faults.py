"""While Clever fails: what is known is answered and said to be stale, what is not is a coded error; then all is well."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.sandbox import KINDS, Rule
from tests.resilience.struck import AGED, BRIEF, OTHER_TOKEN, TOKEN, Servers, Struck, playing, serving

NOT_CLEVER, DOWN, SLOW = "UPSTREAM_INVALID_RESPONSE", "UPSTREAM_UNAVAILABLE", "UPSTREAM_TIMEOUT"
LIMITED = "UPSTREAM_RATE_LIMITED"
ROSTER = """query ($id: ID!) {
    schools { nodes { name } }
    section(id: $id) { name teacher { name { last } } students(first: 3) { nodes { cleverId } } }
}"""
CODES = {
    "500": DOWN,
    "502": DOWN,
    "503": DOWN,
    "html": NOT_CLEVER,
    "truncated-json": NOT_CLEVER,
    "truncated-gzip": NOT_CLEVER,
    "bad-json": NOT_CLEVER,
    "wrong-envelope": NOT_CLEVER,
    "other-district": NOT_CLEVER,
    "redirect": NOT_CLEVER,
    "redirect-loop": NOT_CLEVER,
    "foreign-next": NOT_CLEVER,
    "looping-next": NOT_CLEVER,
    "huge": NOT_CLEVER,
    "gzip-bomb": NOT_CLEVER,
    "reset": DOWN,
    "hang-up": DOWN,
    "hang": SLOW,
    "drip": SLOW,
    "429": LIMITED,
}
# Whatever these do, lists are read.
READ = {"latency", "duplicates", "nulls", "other-record"}
MORE: dict[str, Any] = {"bytes": 2_000_000}


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    quick = {**BRIEF, "upstream_failures": 4, "upstream_tries": 4}
    with serving(warm={**BRIEF, **AGED}, cold={**BRIEF, "cache": False}, guarded={**quick, "cache": False}) as running:
        yield running


@pytest.fixture
async def struck(servers: Servers) -> AsyncIterator[Struck]:
    async with playing(servers) as play:
        yield play
        assert await play.refused() == 0


def a_section(struck: Struck, token: str = TOKEN) -> str:
    found: str = next(
        key for key, section in struck.sandbox.records(token)["sections"].items() if len(section["students"]) > 3
    )
    return found


def stale(answer: Any) -> str | None:
    reason: str | None = answer.body["extensions"]["clever"].get("stale", {}).get("reason")
    return reason


def rules(fault: str) -> Rule:
    """Return a rule for every call; a limit that is over before long, so that nobody waits for it."""
    return Rule(fault, seconds=1 if fault == "429" else 0.05, **MORE)


@pytest.mark.parametrize("fault", [fault for fault in CODES if fault != "429"])
async def test_what_is_known_is_answered_and_what_is_not_is_an_error(struck: Struck, fault: str) -> None:
    section = a_section(struck)
    sound = (await struck.ask("warm", ROSTER, id=section)).data
    assert (await struck.ask("cold", ROSTER, id=section)).data == sound
    struck.strike(rules(fault))
    began = time.perf_counter()
    before = sum((await struck.calls()).values())
    known, unknown = await asyncio.gather(
        struck.ask("warm", ROSTER, id=section), struck.ask("cold", "{ schools { nodes { name } } __typename }")
    )
    assert time.perf_counter() - began < 8
    made = sum((await struck.calls()).values()) - before

    assert known.data == sound
    assert stale(known) == CODES[fault]
    assert known.body["extensions"]["clever"]["stale"]["asOf"]
    assert unknown.body["data"] == {"schools": None, "__typename": "Query"}
    assert unknown.codes == [CODES[fault]]
    assert made <= 20

    struck.strike()
    for gateway in ("warm", "cold"):
        well = await struck.ask(gateway, ROSTER, id=section)
        assert (well.data, stale(well)) == (sound, None)


@pytest.mark.parametrize("fault", sorted(READ))
async def test_what_can_be_read_is_read_and_is_not_stale(struck: Struck, fault: str) -> None:
    lists = "{ schools { nodes { name } } courses(first: 3) { nodes { cleverId } } }"
    sound = (await struck.ask("warm", lists)).data
    struck.strike(Rule(fault, seconds=0.05))
    for gateway in ("warm", "cold"):
        answer = await struck.ask(gateway, lists)
        assert (answer.data, stale(answer)) == (sound, None)


def test_every_fault_is_in_one_of_the_tables() -> None:
    """Wrong types are values and no failures, endless lists and limits have tests of their own."""
    assert CODES.keys() | READ | {"wrong-types", "endless", "429-bare"} == KINDS.keys()


async def test_an_endless_list_is_an_error_or_what_is_known(struck: Struck) -> None:
    sound = (await struck.ask("warm", "{ schools { nodes { name } } }")).data
    struck.strike(Rule("endless"))
    known = await struck.ask("warm", "{ schools { nodes { name } } }")
    assert (known.data, stale(known)) == (sound, NOT_CLEVER)
    unknown = await struck.ask("cold", "{ schools { nodes { name } } }")
    assert unknown.codes == [NOT_CLEVER]
    assert unknown.calls == {"/schools": 26}


async def test_one_tenants_bad_luck_is_not_anothers(struck: Struck) -> None:
    sound = (await struck.ask("warm", "{ schools { nodes { name } } }", OTHER_TOKEN)).data
    struck.strike(Rule("500"))
    assert (await struck.ask("cold", "{ schools { nodes { name } } }")).codes == [DOWN]
    known = await struck.ask("warm", "{ schools { nodes { name } } }", OTHER_TOKEN)
    assert (known.data, stale(known)) == (sound, DOWN)


@pytest.mark.parametrize("fault", ["500", "html", "reset", "truncated-json", "redirect", "bad-json", "truncated-gzip"])
async def test_three_failures_are_got_over_without_a_word(struck: Struck, fault: str) -> None:
    section = a_section(struck)
    sound = await struck.ask("guarded", ROSTER, id=section)
    struck.strike(Rule(fault, count=3))
    answer = await struck.ask("guarded", ROSTER, id=section)
    assert answer.data == sound.data
    assert sum(answer.calls.values()) == sum(sound.calls.values()) + 3


async def test_an_outage_is_left_alone_and_its_end_is_noticed(struck: Struck) -> None:
    names = "{ schools { nodes { name } } }"
    sound = (await struck.ask("guarded", names)).data
    struck.strike(Rule("503"))
    answers = await asyncio.gather(*[struck.ask("guarded", names) for _ in range(10)])
    assert {code for answer in answers for code in answer.codes} == {DOWN}
    # Those under way as it opened, and one try after a second at most.
    assert (await struck.calls())["/schools"] <= 1 + 4 * 4
    struck.strike()
    began = time.perf_counter()
    while "errors" in (answer := await struck.ask("guarded", names)).body:
        assert time.perf_counter() - began < 10
        await asyncio.sleep(0.1)
    assert answer.data == sound
