"""Whatever Clever sends, a field has its value or a coded error, within a few calls, and nobody else is asked."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.sandbox import KINDS, Rule
from tests.resilience.struck import BRIEF, TOKEN, Servers, Struck, playing, serving

NOT_CLEVER, DOWN, SLOW = "UPSTREAM_INVALID_RESPONSE", "UPSTREAM_UNAVAILABLE", "UPSTREAM_TIMEOUT"
SOUND = None
TWO = """query ($id: ID!) {
    schools { nodes { cleverId name } } school(id: $id) { cleverId name } courses(first: 2) { nodes { cleverId } }
}"""

# Fault; what becomes of a list and after how many calls; what of a record. Two tries are made of what may pass.
CASES: dict[str, tuple[str | None, int, str | None, int]] = {
    "latency": (SOUND, 1, SOUND, 1),
    "500": (DOWN, 2, DOWN, 2),
    "502": (DOWN, 2, DOWN, 2),
    "503": (DOWN, 2, DOWN, 2),
    "html": (NOT_CLEVER, 2, NOT_CLEVER, 2),
    "truncated-json": (NOT_CLEVER, 2, NOT_CLEVER, 2),
    "truncated-gzip": (NOT_CLEVER, 2, NOT_CLEVER, 2),
    "bad-json": (NOT_CLEVER, 2, NOT_CLEVER, 2),
    "wrong-envelope": (NOT_CLEVER, 2, NOT_CLEVER, 2),
    "nulls": (SOUND, 1, NOT_CLEVER, 2),
    "duplicates": (SOUND, 1, SOUND, 1),
    "other-record": (SOUND, 1, NOT_CLEVER, 2),
    "other-district": (NOT_CLEVER, 2, NOT_CLEVER, 2),
    "redirect": (NOT_CLEVER, 2, NOT_CLEVER, 2),
    "redirect-loop": (NOT_CLEVER, 2, NOT_CLEVER, 2),
    "foreign-next": (NOT_CLEVER, 2, SOUND, 1),
    # The first page leads to a second one, which leads to itself.
    "looping-next": (NOT_CLEVER, 3, SOUND, 1),
    # So many pages of a single row are followed.
    "endless": (NOT_CLEVER, 26, SOUND, 1),
    "huge": (NOT_CLEVER, 2, NOT_CLEVER, 2),
    "gzip-bomb": (NOT_CLEVER, 2, NOT_CLEVER, 2),
    "reset": (DOWN, 2, DOWN, 2),
    "hang-up": (DOWN, 2, DOWN, 2),
    "hang": (SLOW, 2, SLOW, 2),
    "drip": (SLOW, 2, SLOW, 2),
}


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with serving(cold={**BRIEF, "cache": False}, hurried={**BRIEF, "cache": False, "deadline": 0.5}) as running:
        yield running


@pytest.fixture
async def struck(servers: Servers) -> AsyncIterator[Struck]:
    async with playing(servers) as play:
        yield play


def a_school(struck: Struck) -> str:
    return next(iter(struck.sandbox.records(TOKEN)["schools"]))


def test_there_is_a_case_for_every_fault() -> None:
    """Those of the limit take seconds of waiting by their nature, and wrong types have their own value."""
    assert CASES.keys() == KINDS.keys() - {"429", "429-bare", "wrong-types"}


@pytest.mark.parametrize("fault", CASES)
async def test_a_fault_costs_its_own_fields_and_a_few_calls(struck: Struck, fault: str) -> None:
    of_list, list_calls, of_record, record_calls = CASES[fault]
    school = a_school(struck)
    sound = (await struck.ask("cold", TWO, id=school)).data
    more: dict[str, Any] = {"target": struck.elsewhere.origin, "bytes": 2_000_000, "seconds": 0.05}
    struck.strike(Rule(fault, path="/schools", **more), Rule(fault, path="/schools/{id}", **more))
    answer = await struck.ask("cold", TWO, id=school)

    assert answer.status == 200
    assert answer.body["data"] == {
        **sound,
        "schools": sound["schools"] if of_list is SOUND else None,
        "school": sound["school"] if of_record is SOUND else None,
    }
    found = {error["path"][0]: error["extensions"]["code"] for error in answer.body.get("errors", ())}
    assert found == {path: code for path, code in (("schools", of_list), ("school", of_record)) if code}
    assert answer.calls == {"/schools": list_calls, "/schools/{id}": record_calls, "/courses": 1}
    assert struck.elsewhere.asked == []

    struck.strike()
    assert (await struck.ask("cold", TWO, id=school)).data == sound


async def test_wrong_types_cost_the_values_that_have_them(struck: Struck) -> None:
    query = "{ users(first: 3) { nodes { cleverId name { last } roles email } } }"
    sound = (await struck.ask("cold", query)).data["users"]["nodes"]
    struck.strike(Rule("wrong-types"))
    found = (await struck.ask("cold", query)).data["users"]["nodes"]
    assert found == [{**sound[0], "name": None, "roles": []}, *sound[1:]]


async def test_a_page_of_a_large_list_is_judged_as_a_small_one_is(struck: Struck) -> None:
    """All sections with their students are read as whole collections, whose pages have 10,000 rows."""
    query = "{ sections(first: 60) { nodes { cleverId students { nodes { cleverId } } } } }"
    sound = (await struck.ask("cold", query)).data
    for fault in ("duplicates", "nulls"):
        struck.strike(Rule(fault))
        assert (await struck.ask("cold", query)).data == sound
    for fault in ("other-district", "looping-next", "endless", "foreign-next"):
        struck.strike(Rule(fault, path="/users", target=struck.elsewhere.origin))
        answer = await struck.ask("cold", query)
        assert answer.data == sound, "the links of sections have them, too"
    assert struck.elsewhere.asked == []


async def test_an_answer_of_another_district_is_none(struck: Struck) -> None:
    names = "{ schools { nodes { name } } }"
    sound = (await struck.ask("cold", names)).data
    struck.strike(Rule("other-district"))
    for _ in range(6):
        assert (await struck.ask("cold", names)).codes == [NOT_CLEVER]
    struck.strike()
    assert (await struck.ask("cold", names)).data == sound


@pytest.mark.parametrize("fault", ["hang", "drip", "latency"])
async def test_the_deadline_holds_whatever_is_slow(struck: Struck, fault: str) -> None:
    struck.strike(Rule(fault, path="/schools", seconds=1.0))
    answer = await struck.ask("hurried", "{ schools { nodes { name } } courses(first: 1) { nodes { cleverId } } }")
    assert answer.body["data"]["schools"] is None
    assert answer.body["data"]["courses"] is not None
    assert set(answer.codes) <= {"DEADLINE_EXCEEDED", SLOW}
    assert answer.codes


async def test_no_message_names_where_a_link_or_a_redirect_leads(struck: Struck) -> None:
    for fault in ("redirect", "foreign-next"):
        struck.strike(Rule(fault, target=struck.elsewhere.origin))
        answer = await struck.ask("cold", "{ schools { nodes { name } } }")
        assert struck.elsewhere.origin not in answer.error["message"]
    assert struck.elsewhere.asked == []
