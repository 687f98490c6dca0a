"""A failing call costs its own field and nothing else; every fault of the upstream has its code."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.clever import records
from gateway.schema.ids import encode_id
from gateway.settings import Settings
from tests.resilience import faulty as upstream
from tests.resilience.conftest import Ask
from tests.resilience.faulty import Fault, Faulty, edited, html, listing, says, sends, slow, status
from tests.resilience.roster import ALGEBRA, ART, MATH, NORTH, STUDENTS, TEACHERS
from tests.servers import running

# Not tried again, so that the tests are quick.
FAILS = status(400)
LINK = f"/schools/{NORTH}/users"
TWO = """query ($school: ID!, $course: ID!) { school(id: $school) { name } course(id: $course) { name } }"""


async def ask_for_two(ask: Ask, kind: str = "plain") -> Any:
    return await ask(TWO, kind, school=NORTH, course=ALGEBRA)


def errors_of(answer: Any) -> list[tuple[list[str | int], str]]:
    return [(error["path"], error["extensions"]["code"]) for error in answer.body.get("errors", ())]


# Which field is null


async def test_a_failing_root_field_leaves_its_neighbours(faulty: Faulty, ask: Ask) -> None:
    faulty.always(f"/schools/{NORTH}", FAILS)
    answer = await ask_for_two(ask)
    assert answer.status == 200
    assert answer.body["data"] == {"school": None, "course": {"name": "Algebra"}}
    assert errors_of(answer) == [(["school"], "UPSTREAM_INVALID_RESPONSE")]


async def test_a_failing_reference_is_null_and_the_record_stays(faulty: Faulty, ask: Ask) -> None:
    faulty.always(f"/schools/{NORTH}", FAILS)
    answer = await ask("query ($id: ID!) { section(id: $id) { name school { name } course { name } } }", id=MATH)
    section = {"name": "Math - 1", "school": None, "course": {"name": "Algebra"}}
    assert answer.body["data"] == {"section": section}
    assert errors_of(answer) == [(["section", "school"], "UPSTREAM_INVALID_RESPONSE")]


async def test_a_failing_connection_is_null_and_the_record_stays(faulty: Faulty, ask: Ask) -> None:
    faulty.always(LINK, FAILS)
    query = """query ($id: ID!) { school(id: $id) {
        name users(first: 2) { nodes { cleverId } } sections { nodes { cleverId } }
    } }"""
    answer = await ask(query, id=NORTH)
    sections = {"nodes": [{"cleverId": MATH}, {"cleverId": ART}]}
    assert answer.body["data"] == {"school": {"name": "North", "users": None, "sections": sections}}
    assert errors_of(answer) == [(["school", "users"], "UPSTREAM_INVALID_RESPONSE")]


async def test_a_failing_connection_of_one_row_leaves_those_of_the_others(faulty: Faulty, ask: Ask) -> None:
    faulty.always(f"/sections/{MATH}/users", FAILS)
    answer = await ask("{ sections { nodes { cleverId students(first: 2) { nodes { cleverId } } } } }")
    found = {"nodes": [{"cleverId": key} for key in STUDENTS[2:4]]}
    rows = [{"cleverId": MATH, "students": None}, {"cleverId": ART, "students": found}]
    assert answer.body["data"] == {"sections": {"nodes": rows}}
    assert errors_of(answer) == [(["sections", "nodes", 0, "students"], "UPSTREAM_INVALID_RESPONSE")]


async def test_a_failing_record_in_a_list_of_references_costs_that_list(faulty: Faulty, ask: Ask) -> None:
    faulty.always(f"/users/{TEACHERS[1]}", FAILS)
    answer = await ask("{ sections { nodes { name teachers { cleverId } } } }")
    rows = [{"name": "Math - 1", "teachers": None}, {"name": "Art - 2", "teachers": [{"cleverId": TEACHERS[0]}]}]
    assert answer.body["data"] == {"sections": {"nodes": rows}}
    assert errors_of(answer) == [(["sections", "nodes", 0, "teachers"], "UPSTREAM_INVALID_RESPONSE")]


async def test_a_failing_total_is_null_and_the_rows_stay(faulty: Faulty, ask: Ask) -> None:
    faulty.on("/schools", upstream.sound, FAILS)
    answer = await ask("{ schools(first: 1) { nodes { name } totalCount } }")
    assert answer.body["data"] == {"schools": {"nodes": [{"name": "North"}], "totalCount": None}}
    assert errors_of(answer) == [(["schools", "totalCount"], "UPSTREAM_INVALID_RESPONSE")]


async def test_one_failing_id_of_several_is_null_in_its_place(faulty: Faulty, ask: Ask) -> None:
    faulty.always(f"/users/{STUDENTS[1]}", FAILS)
    keys = [*STUDENTS[:3], "0" * 24]
    answer = await ask("query ($ids: [ID!]!) { usersById(ids: $ids) { cleverId } }", ids=keys)
    expected = [{"cleverId": STUDENTS[0]}, None, {"cleverId": STUDENTS[2]}, None]
    assert answer.body["data"] == {"usersById": expected}
    assert errors_of(answer) == [(["usersById", 1], "UPSTREAM_INVALID_RESPONSE")]


async def test_one_failing_node_of_several_is_null_in_its_place(faulty: Faulty, ask: Ask) -> None:
    faulty.always(f"/courses/{ALGEBRA}", FAILS)
    ids = [encode_id(records.School(id=NORTH)), encode_id(records.Course(id=ALGEBRA)), encode_id(records.User(id=MATH))]
    answer = await ask("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename } }", ids=ids)
    assert answer.body["data"] == {"nodes": [{"__typename": "School"}, None, None]}
    assert errors_of(answer) == [(["nodes", 1], "UPSTREAM_INVALID_RESPONSE")]


async def test_a_record_that_fails_for_many_fields_is_asked_for_once(faulty: Faulty, ask: Ask) -> None:
    faulty.always(f"/schools/{NORTH}", status(401))
    answer = await ask("{ sections { nodes { school { name } } } }")
    assert answer.body["data"] == {"sections": {"nodes": [{"school": None}] * 2}}
    assert answer.codes == ["UNAUTHENTICATED"] * 2
    assert faulty.targets.count(f"/schools/{NORTH}") == 1


# Which code it has

CODES: list[tuple[str, Fault, str]] = [
    ("400", status(400, b'{"error":"bad"}'), "UPSTREAM_INVALID_RESPONSE"),
    ("401", status(401, b'{"error":"Unrecognized token string"}'), "UNAUTHENTICATED"),
    ("413", status(413), "UPSTREAM_INVALID_RESPONSE"),
    ("500", status(500, b'{"message":"x"}'), "UPSTREAM_UNAVAILABLE"),
    ("502", html(502), "UPSTREAM_UNAVAILABLE"),
    ("503", status(503), "UPSTREAM_UNAVAILABLE"),
    ("redirect", upstream.elsewhere, "UPSTREAM_INVALID_RESPONSE"),
    ("html", html(200), "UPSTREAM_INVALID_RESPONSE"),
    ("truncated", upstream.truncated, "UPSTREAM_INVALID_RESPONSE"),
    ("hung up", upstream.hung_up, "UPSTREAM_UNAVAILABLE"),
    ("slow", slow(2), "UPSTREAM_TIMEOUT"),
    ("huge", sends(b" " * 300_000), "UPSTREAM_INVALID_RESPONSE"),
    ("half gzipped", upstream.half_gzipped, "UPSTREAM_INVALID_RESPONSE"),
    ("not gzipped", upstream.not_gzipped, "UPSTREAM_INVALID_RESPONSE"),
    ("null", says({"data": None}), "UPSTREAM_INVALID_RESPONSE"),
    ("array", says([]), "UPSTREAM_INVALID_RESPONSE"),
    ("another record", says({"data": {"id": STUDENTS[0]}}), "UPSTREAM_INVALID_RESPONSE"),
    ("no id", says({"data": {"name": "x"}}), "UPSTREAM_INVALID_RESPONSE"),
    ("bad utf-8", sends(b'{"data":{"id":"\xff"}}'), "UPSTREAM_INVALID_RESPONSE"),
    ("deep", sends(b'{"data":{"x":' + b"[" * 90_000 + b"]" * 90_000 + b"}}"), "UPSTREAM_INVALID_RESPONSE"),
]


@pytest.mark.parametrize(("fault", "code"), [case[1:] for case in CODES], ids=[case[0] for case in CODES])
async def test_a_fault_of_the_upstream_has_its_code(faulty: Faulty, ask: Ask, fault: Fault, code: str) -> None:
    faulty.always(f"/schools/{NORTH}", fault)
    answer = await ask_for_two(ask, "impatient" if code == "UPSTREAM_TIMEOUT" else "plain")
    assert answer.status == 200
    assert answer.body["data"] == {"school": None, "course": {"name": "Algebra"}}
    assert errors_of(answer) == [(["school"], code)]


@pytest.mark.parametrize(
    "body",
    [
        listing("/v3.1/users", [], next="https://elsewhere.example/v3.1/users?starting_after=" + STUDENTS[0]),
        listing("/v3.1/users", [], next="//[::1"),
        {"data": None},
        {"data": {}},
        {"resources": []},
        {},
    ],
)
async def test_a_list_of_another_shape_or_that_leads_away_is_an_invalid_response(
    faulty: Faulty, ask: Ask, body: Any
) -> None:
    faulty.always("/users", says(body))
    answer = await ask("{ users { nodes { cleverId } } schools { nodes { name } } }")
    assert answer.body["data"] == {"users": None, "schools": {"nodes": [{"name": "North"}, {"name": "South"}]}}
    assert errors_of(answer) == [(["users"], "UPSTREAM_INVALID_RESPONSE")]


async def test_a_rate_limit_beyond_the_deadline_says_when_to_come_back(faulty: Faulty, ask: Ask) -> None:
    faulty.on(f"/schools/{NORTH}", status(429, x_ratelimit_reset=f"1, {time.time() + 40}"))
    answer = await ask("query ($id: ID!) { school(id: $id) { name } }", id=NORTH)
    assert answer.body["data"] == {"school": None}
    assert answer.error["extensions"]["code"] == "UPSTREAM_RATE_LIMITED"
    assert 38 <= answer.error["extensions"]["retryAfter"] <= 41
    again = await ask("{ courses { nodes { name } } }")
    assert again.codes == ["UPSTREAM_RATE_LIMITED"]
    other = await ask("{ courses { nodes { name } } }", token="another")
    assert other.data == {"courses": {"nodes": [{"name": "Algebra"}]}}


async def test_a_token_that_clever_refuses_is_unauthenticated_in_every_field(faulty: Faulty, ask: Ask) -> None:
    faulty.always(upstream.ANY, status(401))
    answer = await ask("{ schools { nodes { name } totalCount } district { name } }")
    assert answer.body["data"] == {"schools": None, "district": None}
    assert answer.codes == ["UNAUTHENTICATED"] * 2


async def test_a_record_that_is_not_shown_is_null_without_an_error(faulty: Faulty, ask: Ask) -> None:
    faulty.always(f"/schools/{NORTH}", html(404))
    assert (await ask_for_two(ask)).data == {"school": None, "course": {"name": "Algebra"}}


async def test_a_link_that_is_not_shown_is_an_empty_list(faulty: Faulty, ask: Ask) -> None:
    faulty.always(LINK, status(404, b'{"error":"Resource not found"}'))
    answer = await ask(
        "query ($id: ID!) { school(id: $id) { users { nodes { cleverId } totalCount pageInfo { hasNextPage } } } }",
        id=NORTH,
    )
    users = {"nodes": [], "totalCount": 0, "pageInfo": {"hasNextPage": False}}
    assert answer.data == {"school": {"users": users}}


async def test_a_collection_that_is_not_shown_is_forbidden(faulty: Faulty, ask: Ask) -> None:
    faulty.always("/users", html(404))
    answer = await ask("{ users { nodes { cleverId } } schools { nodes { name } } counted: users { totalCount } }")
    assert answer.body["data"]["schools"] == {"nodes": [{"name": "North"}, {"name": "South"}]}
    assert sorted(errors_of(answer)) == [(["counted", "totalCount"], "FORBIDDEN"), (["users"], "FORBIDDEN")]


@pytest.fixture
async def cut_off() -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a gateway whose upstream does not exist."""
    with running(create_app(Settings(cache=False, clever_url="http://127.0.0.1:9", log_level="error"))) as origin:
        headers = {"authorization": "Bearer x"}
        async with httpx.AsyncClient(base_url=origin, timeout=30, headers=headers) as http:
            yield http


async def test_an_upstream_that_is_down_is_unavailable(cut_off: httpx.AsyncClient) -> None:
    answer = (await cut_off.post("/graphql", json={"query": "{ schools { nodes { name } } __typename }"})).json()
    assert answer["data"] == {"schools": None, "__typename": "Query"}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UPSTREAM_UNAVAILABLE"]


# What one request may spend


async def test_the_deadline_costs_the_fields_that_are_not_there_by_then(faulty: Faulty, ask: Ask) -> None:
    # It would come, in the end.
    faulty.always(f"/schools/{NORTH}", slow(5))
    answer = await ask_for_two(ask, "hurried")
    assert answer.body["data"] == {"school": None, "course": {"name": "Algebra"}}
    assert errors_of(answer) == [(["school"], "DEADLINE_EXCEEDED")]


async def test_the_deadline_holds_over_many_levels(faulty: Faulty, ask: Ask) -> None:
    # Each level is well within the deadline by itself, and three of them are well beyond it.
    faulty.always(upstream.ANY, slow(0.6))
    answer = await ask("{ sections { nodes { school { sections { nodes { course { name } } } } } } }", "unhurried")
    assert set(answer.codes) == {"DEADLINE_EXCEEDED"}
    assert len(answer.body["data"]["sections"]["nodes"]) == 2


async def test_fields_beyond_the_calls_of_a_request_are_too_complex(faulty: Faulty, ask: Ask) -> None:
    answer = await ask("query ($ids: [ID!]!) { usersById(ids: $ids) { cleverId } }", "frugal", ids=STUDENTS[:4])
    assert answer.body["data"]["usersById"] == [None] * 4
    assert errors_of(answer) == [(["usersById", position], "QUERY_TOO_COMPLEX") for position in range(4)]
    assert {error["extensions"]["estimate"] for error in answer.body["errors"]} == {4}
    assert {error["extensions"]["limit"] for error in answer.body["errors"]} == {3}
    assert faulty.asked == [], "it is known before the first call"


async def test_a_query_of_more_kinds_than_calls_is_refused_before_the_first_call(faulty: Faulty, ask: Ask) -> None:
    query = "{ sections { nodes { school { name } course { name } students { nodes { email } } } } }"
    answer = await ask(query, "frugal")
    assert "data" not in answer.body
    assert (answer.codes, faulty.asked) == (["QUERY_TOO_COMPLEX"], [])
    assert {name: answer.error["extensions"][name] for name in ("estimate", "limit")} == {"estimate": 4, "limit": 3}


async def test_a_total_beyond_the_calls_of_a_request_is_null_without_an_error(faulty: Faulty, ask: Ask) -> None:
    query = """query ($school: ID!, $course: ID!) {
        school(id: $school) { name } course(id: $course) { name } schools(first: 1) { nodes { name } totalCount }
    }"""
    answer = await ask(query, "frugal", school=NORTH, course=ALGEBRA)
    assert answer.data["schools"] == {"nodes": [{"name": "North"}], "totalCount": None}
    assert len(faulty.asked) == 3


async def test_tries_count_as_calls(faulty: Faulty, ask: Ask) -> None:
    faulty.on(f"/schools/{NORTH}", status(500), status(502))
    query = "query ($id: ID!) { school(id: $id) { name sections { nodes { name } } } }"
    answer = await ask(query, "frugal", id=NORTH)
    assert answer.body["data"] == {"school": {"name": "North", "sections": None}}
    assert errors_of(answer) == [(["school", "sections"], "QUERY_TOO_COMPLEX")]


async def test_a_fault_that_passes_is_not_seen(faulty: Faulty, ask: Ask) -> None:
    faulty.on(f"/schools/{NORTH}", upstream.hung_up, status(503))
    faulty.on(f"/courses/{ALGEBRA}", slow(2), upstream.gzipped)
    assert (await ask_for_two(ask, "impatient")).data == {"school": {"name": "North"}, "course": {"name": "Algebra"}}


async def test_an_edited_page_costs_the_wrong_values_only(faulty: Faulty, ask: Ask) -> None:
    def spoil(body: Any) -> None:
        body["data"][0]["data"]["name"] = ["not", "text"]
        body["data"][1]["data"]["phone"] = 5551234

    faulty.on("/schools", edited(spoil))
    answer = await ask("{ schools { nodes { name phone } } }")
    rows = [{"name": None, "phone": None}, {"name": "South", "phone": "5551234"}]
    assert answer.data == {"schools": {"nodes": rows}}
