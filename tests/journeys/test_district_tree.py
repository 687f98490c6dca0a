"""A whole district's classes in one query, against the joins over the REST data."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import create_app as create_sandbox
from gateway.settings import Settings
from tests.conftest import Gateway, Upstream
from tests.servers import running

TREE = """
{ district { name schools(first: 10) { nodes { name sections(first: 50) { nodes {
  name teacher { name { last } } students(first: 100) { nodes { name { first last } student { grade } } }
} } } } } }
"""

GRADES = {str(grade): f"GRADE_{grade}" for grade in range(1, 14)} | {
    "Kindergarten": "KINDERGARTEN",
    "PreKindergarten": "PRE_KINDERGARTEN",
    "TransitionalKindergarten": "TRANSITIONAL_KINDERGARTEN",
    "InfantToddler": "INFANT_TODDLER",
    "Preschool": "PRESCHOOL",
    "PostGraduate": "POST_GRADUATE",
    "Ungraded": "UNGRADED",
    "Other": "OTHER",
}


@pytest.fixture(scope="module")
def big_upstream() -> Iterator[Upstream]:
    """Serve the sandbox preset with Clever's own limit of calls."""
    app = create_sandbox("sandbox")
    with running(app) as origin:
        yield Upstream(origin, app)


@pytest.fixture(scope="module")
def big_origin(big_upstream: Upstream) -> Iterator[str]:
    with running(create_app(Settings(cache=False, clever_url=big_upstream.origin, log_level="error"))) as origin:
        yield origin


@pytest.fixture
async def big(big_upstream: Upstream, big_origin: str) -> AsyncIterator[Gateway]:
    async with httpx.AsyncClient(base_url=big_origin, timeout=60) as http:
        yield Gateway(big_origin, big_upstream, http)


def named(record: dict[str, Any] | None, *parts: str) -> dict[str, Any] | None:
    if record is None:
        return None
    name = record.get("name")
    return name and {part: name.get(part) or None for part in parts}


async def test_every_section_and_student_of_the_district_comes_in_one_query(big: Gateway) -> None:
    joins = big.upstream.oracle()
    answer = await big.query(TREE)

    def student(key: str) -> dict[str, Any]:
        grade = joins.users[key]["roles"]["student"].get("grade")
        return {
            "name": named(joins.users[key], "first", "last"),
            "student": {"grade": GRADES[grade] if grade else None},
        }

    def section(key: str) -> dict[str, Any]:
        record = joins.sections[key]
        teacher = joins.users.get(record.get("teacher", ""))
        return {
            "name": record.get("name") or None,
            "teacher": teacher and {"name": named(teacher, "last")},
            "students": {"nodes": [student(one) for one in joins.section_users(key, "student")]},
        }

    expected = [
        {
            "name": joins.schools[school]["name"],
            "sections": {"nodes": [section(key) for key in joins.relation("schools", "sections", school)[:50]]},
        }
        for school in sorted(joins.schools)
    ]
    assert answer.data["district"]["schools"]["nodes"] == expected
    asked = [key for school in joins.schools for key in joins.relation("schools", "sections", school)[:50]]
    teachers = {joins.sections[key].get("teacher", "") for key in asked}
    assert answer.calls == {
        "/districts": 1,
        "/schools": 1,
        "/sections": 1,  # one page of all: every school asks
        "/users": 4,  # the same for students and for teachers
        "/users/{id}": len(teachers - joins.users.keys() - {""}),  # one who is not shared
    }


async def test_the_same_question_twice_costs_twice_and_stays_inside_the_limit(big: Gateway) -> None:
    """Nothing is kept from one request to the next, so that one caller's data cannot answer another's."""
    first = await big.query("{ schools { nodes { name } } }")
    second = await big.query("{ schools { nodes { name } } }", token="TEST_TOKEN_2")

    assert first.calls == second.calls == {"/schools": 1}
    assert first.data != second.data
