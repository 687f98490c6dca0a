"""What an upstream puts into records and errors reaches neither a path, nor a message, nor a log."""

import io
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.clever.values import unrecognized
from gateway.observability.log import configure_logging
from tests.resilience import faulty as upstream
from tests.resilience.conftest import Ask
from tests.resilience.faulty import Fault, Faulty, edited, says, slow, status
from tests.resilience.roster import ALGEBRA, DISTRICT, FALL, MATH, NORTH, STUDENTS, TEACHERS

ODD_IDS = [
    "x&limit=1",
    "../me",
    f"{NORTH}/users",
    f"{NORTH}?limit=1",
    "%2e%2e",
    NORTH + "\n",
    NORTH.upper() + "G",
    "",
    "last",
]
MARK = "MARKED"


@pytest.mark.parametrize("odd", ODD_IDS)
async def test_malformed_ids_of_the_upstream_never_reach_a_path(faulty: Faulty, ask: Ask, odd: str) -> None:
    fields = ("district", "school", "course", "term_id", "teacher")
    faulty.records["sections"][MATH] |= dict.fromkeys(fields, odd) | {"teachers": [odd], "students": [odd]}
    query = """query ($id: ID!) { section(id: $id) {
        district { name } school { name } course { name } term { name } teacher { cleverId } teachers { cleverId }
        students { nodes { cleverId } }
    } }"""
    answer = await ask(query, id=MATH)
    nothing = dict.fromkeys(("district", "school", "course", "term", "teacher"))
    assert answer.data == {"section": {**nothing, "teachers": [], "students": {"nodes": []}}}
    assert faulty.targets == [f"/sections/{MATH}"]


@pytest.mark.parametrize("odd", [*ODD_IDS, None, 7, []])
async def test_rows_with_malformed_ids_are_left_out(faulty: Faulty, ask: Ask, odd: Any) -> None:
    faulty.on("/schools", edited(lambda body: body["data"][0]["data"].update(id=odd)))
    answer = await ask("{ schools { nodes { name sections { nodes { name } } } } }")
    assert [row["name"] for row in answer.data["schools"]["nodes"]] == ["South"]


async def test_rows_out_of_order_and_repeated_come_in_order_and_once(faulty: Faulty, ask: Ask) -> None:
    faulty.on("/users", edited(lambda body: {**body, "data": [*reversed(body["data"]), *body["data"]]}))
    answer = await ask("{ users(role: STUDENT) { nodes { cleverId } pageInfo { hasNextPage } } }")
    assert [row["cleverId"] for row in answer.data["users"]["nodes"]] == STUDENTS
    assert answer.data["users"]["pageInfo"] == {"hasNextPage": False}


async def test_unknown_words_are_unrecognized_and_counted(faulty: Faulty, ask: Ask) -> None:
    before = unrecognized.copy()
    faulty.records["districts"][DISTRICT]["state"] = "dreaming"
    faulty.records["sections"][MATH] |= {"grade": "14", "subject": "alchemy"}
    faulty.records["users"][STUDENTS[0]]["roles"] |= {"mascot": {"school": NORTH}}
    query = """query ($section: ID!, $user: ID!) {
        district { state } section(id: $section) { grade subject } user(id: $user) { roles student { grade } }
    }"""
    answer = await ask(query, section=MATH, user=STUDENTS[0])
    assert answer.data == {
        "district": {"state": "UNRECOGNIZED"},
        "section": {"grade": "UNRECOGNIZED", "subject": "UNRECOGNIZED"},
        "user": {"roles": ["STUDENT"], "student": {"grade": "GRADE_7"}},
    }
    found = unrecognized - before
    assert {"DistrictState", "Grade", "Subject", "role"} <= found.keys()


@pytest.mark.parametrize("roles", [None, [], ["student"], "student", 7, {}])
async def test_roles_of_another_shape_are_no_roles(faulty: Faulty, ask: Ask, roles: Any) -> None:
    faulty.records["users"][STUDENTS[0]]["roles"] = roles
    answer = await ask("query ($id: ID!) { user(id: $id) { roles email student { grade } } }", id=STUDENTS[0])
    assert answer.data == {"user": {"roles": [], "email": "student1@north.example.net", "student": None}}


@pytest.mark.parametrize("number", [10**30, -(2**63) - 1, 2**64, 0.5, -0.0])
async def test_extension_fields_may_hold_any_number(faulty: Faulty, ask: Ask, number: float) -> None:
    text = b'{"data":{"id":"%b","ext":{"n":%b}}}' % (NORTH.encode(), str(number).encode())
    faulty.on(f"/schools/{NORTH}", upstream.sends(text))
    answer = await ask("query ($id: ID!) { school(id: $id) { ext } }", id=NORTH)
    assert float(answer.data["school"]["ext"]["n"]) == float(number)


# Secrets


def marked(body: Any) -> None:
    """Put marks into the records of a body, with types that do not fit."""
    data = body.get("data", [])
    for record in [element["data"] for element in data] if isinstance(data, list) else [data]:
        record |= {"name": {MARK: MARK}, "state": MARK, "grade": MARK, "roles": {MARK: {}}, "school": MARK}


SLOW = slow(2)
MARKED_FAULTS: list[Fault] = [
    status(400, MARK.encode()),
    status(401, MARK.encode()),
    status(404, MARK.encode()),
    status(429, MARK.encode(), x_ratelimit_reset=str(time.time() + 1000)),
    status(500, MARK.encode()),
    status(302, location=f"http://127.0.0.1:9/{MARK}"),
    says({"data": {"id": MARK, "name": MARK}}),
    says({"data": MARK}),
    says({MARK: MARK}),
    upstream.sends(MARK.encode()),
    upstream.sends(b'{"data":{"id":"' + MARK.encode() + b"\xff"),
    edited(marked),
    edited(lambda body: {"data": [{"data": body.get("data")}], "links": [{"rel": "next", "uri": f"//{MARK}/"}]}),
    upstream.truncated,
    upstream.hung_up,
    upstream.not_gzipped,
    SLOW,
]
FIELDS = f"""{{
    school(id: "{NORTH}") {{ name users {{ nodes {{ cleverId }} totalCount }} }}
    course(id: "{ALGEBRA}") {{ name }} term(id: "{FALL}") {{ name startDate }} district {{ state }}
    section(id: "{MATH}") {{ grade teachers {{ cleverId }} school {{ name }} }}
    users(first: 1) {{ totalCount }}
}}"""


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Log as a server at debug level does, into a buffer."""
    loggers = [logging.getLogger(name) for name in ("gateway", "uvicorn.error", "httpx", "asyncio")]
    kept = [(logger, logger.handlers, logger.level, logger.propagate) for logger in loggers]
    stream = io.StringIO()
    configure_logging("debug", stream)
    loggers[-1].handlers = [logging.StreamHandler(stream)]
    yield stream
    for logger, handlers, level, propagate in kept:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.mark.parametrize("fault", MARKED_FAULTS)
async def test_no_message_and_no_log_holds_a_token_an_id_a_name_or_a_body(
    faulty: Faulty, ask: Ask, logged: io.StringIO, fault: Fault
) -> None:
    faulty.always(upstream.ANY, fault)
    answer = await ask(FIELDS, "impatient" if fault is SLOW else "plain", token=f"{MARK}-token-{id(fault)}")
    messages = [error["message"] for error in answer.body.get("errors", ())]
    secrets = [MARK, NORTH, ALGEBRA, FALL, MATH, *TEACHERS, "127.0.0.1:9/", "North", "Algebra"]
    log = logged.getvalue()
    assert "upstream call" in log
    assert not any(secret in text for secret in secrets for text in [*messages, log])
    assert "INTERNAL_SERVER_ERROR" not in answer.codes
