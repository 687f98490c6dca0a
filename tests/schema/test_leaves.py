"""Every leaf of the graph says what the REST record says, in the schema's own terms."""

import re
from datetime import date
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLObjectType, GraphQLScalarType, get_named_type

from gateway.schema.build import build_schema
from tests.conftest import Gateway, Joins

COLLECTIONS = {
    "School": "schools",
    "Section": "sections",
    "User": "users",
    "Course": "courses",
    "Term": "terms",
    "Resource": "resources",
    "District": "districts",
}
# Where Clever keeps a field under another name than ours in snake case.
RENAMED = {
    "Disability.status": "disability_status",
    "Disability.type": "disability_type",
    "Disability.code": "disability_code",
    "Contact.relationships": "student_relationships",
    "DistrictContact.legacyId": "id",
    "Student.section504Status": "section_504_status",
}
FACETS = {"Student", "Teacher", "Staff", "DistrictAdmin", "Contact"}
FLAGS = {"hispanicEthnicity", "ellStatus", "giftedStatus", "section504Status"}


def fields_of(kind: GraphQLObjectType) -> dict[str, Any]:
    """Return the fields that cost no call: leaves, and parts of the record."""
    found = {}
    for name, field in kind.fields.items():
        target = get_named_type(field.type)
        if isinstance(target, GraphQLScalarType | GraphQLEnumType) or (
            isinstance(target, GraphQLObjectType)
            and "Node" not in {interface.name for interface in target.interfaces}
            and not target.name.endswith("Connection")
        ):
            found[name] = field
    return found


def selection(kind: GraphQLObjectType) -> str:
    parts = []
    for name, field in fields_of(kind).items():
        target = get_named_type(field.type)
        parts.append(f"{name} {selection(target)}" if isinstance(target, GraphQLObjectType) else name)
    return "{ " + " ".join(parts) + " }"


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def expected(kind: GraphQLObjectType, record: dict[str, Any], roles: dict[str, Any]) -> dict[str, Any]:
    """Return what the fields of a type must be for a REST record, worked out without the gateway's code."""
    answer: dict[str, Any] = {}
    for name, field in fields_of(kind).items():
        target = get_named_type(field.type)
        source = record.get(RENAMED.get(f"{kind.name}.{name}", snake(name)))
        if isinstance(target, GraphQLObjectType):
            source = roles.get(snake(name)) if target.name in FACETS else source
            if isinstance(source, list) or "[" in str(field.type):
                answer[name] = [expected(target, part, {}) for part in source or ()]
            else:
                answer[name] = None if source is None else expected(target, source, {})
        else:
            answer[name] = leaf(target.name, name, source, field)
    return answer


def leaf(kind: str, name: str, source: Any, field: Any) -> Any:
    if "[" in str(field.type):
        return [enum(kind, word) if kind == "Role" else word for word in source or ()]
    if source in ("", None):
        return None
    if kind == "Date":
        return day(source)
    if kind == "DateTime":
        return re.sub(r"\.000Z$", "Z", source)
    if kind in ("Grade", "Subject", "DistrictState"):
        return enum(kind, source)
    if name in FLAGS or (kind == "Boolean" and source in ("Y", "N")):
        return source == "Y"
    return source


def day(text: str) -> str | None:
    if "/" in text:
        month, number, year = map(int, text.split("/"))
        return date(year, month, number).isoformat()
    return text[:10]


def enum(kind: str, word: str) -> str:
    if kind == "Grade":
        return f"GRADE_{word}" if word.isdecimal() else snake(word).upper()
    return re.sub(r"[^a-z]+", "_", word.lower()).strip("_").upper()


@pytest.mark.parametrize("type_name", COLLECTIONS)
async def test_every_field_of_every_record_is_what_the_rest_api_says(
    gateway: Gateway, joins: Joins, type_name: str
) -> None:
    kind = build_schema()._schema.type_map[type_name]
    assert isinstance(kind, GraphQLObjectType)
    collection = COLLECTIONS[type_name]
    if type_name == "District":
        answer = await gateway.query(f"{{ districts {selection(kind)} }}")
        nodes = answer.data["districts"]
    else:
        answer = await gateway.query(f"{{ {collection}(first: 10000) {{ nodes {selection(kind)} }} }}")
        nodes = answer.data[collection]["nodes"]

    assert answer.calls == {f"/{collection}": 1}
    assert len(nodes) == len(joins.records[collection])
    for node in nodes:
        record = joins.records[collection][node["cleverId"]]
        must = expected(kind, record, record["roles"] if type_name == "User" else {})
        must |= {"id": node["id"], "cleverId": record["id"], "selfLink": f"/v3.1/{collection}/{record['id']}"}
        if type_name == "User":
            must["roles"] = sorted(role.upper() for role in record["roles"])
        assert node == must


async def test_every_kind_of_quirk_is_in_the_data_that_was_compared(joins: Joins) -> None:
    users = joins.users.values()
    students = [user["roles"]["student"] for user in users if "student" in user["roles"]]

    assert any(student.get("grade") == "" for student in students)
    assert any("grade" not in student for student in students)
    assert any(len(user["roles"]) > 1 for user in users)
    assert any(section.get("course") is None for section in joins.sections.values())
    assert any(section.get("term_id") is None for section in joins.sections.values())
    assert any("ext" in user for user in students)


async def test_a_terms_dates_are_the_same_by_every_route(gateway: Gateway, joins: Joins) -> None:
    answer = await gateway.query(
        "{ terms { nodes { cleverId startDate endDate } } schools { nodes { terms { nodes { cleverId startDate endDate } } } } }"
    )

    known = {term["cleverId"]: term for term in answer.data["terms"]["nodes"]}
    nested = [term for school in answer.data["schools"]["nodes"] for term in school["terms"]["nodes"]]
    assert nested
    assert all(term == known[term["cleverId"]] for term in nested)


async def test_version_3_0_leaves_out_what_came_with_3_1(upstream: Any) -> None:
    import httpx

    from gateway.app import create_app
    from gateway.settings import Settings
    from tests.servers import running

    old = Settings(cache=False, clever_url=upstream.origin, clever_version="v3.0", log_level="error")
    query = "{ users(role: STUDENT) { nodes { selfLink student { giftedStatus homeLanguage grade } lmsStatus { syncedInLms } } } }"
    with running(create_app(old)) as origin:
        sent = httpx.post(f"{origin}/graphql", json={"query": query}, headers={"authorization": "Bearer TEST_TOKEN"})

    nodes = sent.json()["data"]["users"]["nodes"]
    assert nodes[0]["selfLink"].startswith("/v3.0/users/")
    assert all(node["student"]["giftedStatus"] is None and node["lmsStatus"] is None for node in nodes)
    assert any(node["student"]["grade"] for node in nodes)
