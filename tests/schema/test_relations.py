"""Every edge of the graph, for every parent there is: the rows that the REST data joins to, and the calls they cost.

`Edge.calls` is what the plain way costs, by link or by look-up.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type

from gateway.schema.build import build_schema
from tests.conftest import Gateway, Joins

ALL = "first: 10000"
# Up to so many calls are made as they come; more are weighed against reading whole collections, which are small here:
# the parents, two sizes and two pages, and those few look-ups of people who are not shared.
FEW, MOST_BY_SCAN = 4, 9
TYPES = {
    "districts": "District",
    "schools": "School",
    "sections": "Section",
    "users": "User",
    "courses": "Course",
    "terms": "Term",
    "resources": "Resource",
}

Record = dict[str, Any]
Calls = Callable[[Joins, list[Record]], dict[str, int]]


@dataclass(frozen=True)
class Edge:
    """A field from every record of a collection to other records.

    `selection` is what is asked of the parent, `covers` the field it shows, `expected` the ids in order, and `calls`
    what loading the edge for all parents costs beyond reading the parents.
    """

    collection: str
    selection: str
    covers: str
    expected: Callable[[Joins, Record], list[str]]
    calls: Calls

    @property
    def name(self) -> str:
        return f"{self.collection}.{self.selection.replace(' ', '')}"


def link(template: str, applies: Callable[[Record], Any] = lambda _: True) -> Calls:
    """One call of the relative link for each parent that it makes sense for."""
    return lambda _joins, parents: counted(template, [parent["id"] for parent in parents if applies(parent)])


def look_ups(template: str, keys: Callable[[Record], Iterable[str | None]]) -> Calls:
    """One look-up for each distinct id, those not shared included."""
    return lambda _joins, parents: counted(template, [key for parent in parents for key in keys(parent)])


def counted(template: str, keys: Iterable[str | None]) -> dict[str, int]:
    distinct = {key for key in keys if key}
    return {template: len(distinct)} if distinct else {}


def free(_joins: Joins, _parents: list[Record]) -> dict[str, int]:
    return {}


def shared(joins: Joins, collection: str, *keys: str | None) -> list[str]:
    """Keep those ids that can be seen, in order and without repeats."""
    return [key for key in dict.fromkeys(keys) if key and key in joins.records[collection]]


def holds(*names: str) -> Callable[[Record], bool]:
    return lambda user: bool(user["roles"].keys() & set(names))


def role(user: Record, name: str) -> Record:
    held: Record = user["roles"].get(name, {})
    return held


def related(user: Record) -> list[str]:
    return [tie["student"] for tie in role(user, "contact").get("student_relationships", ())]


def to_one(collection: str, field: str, target: str, key: Callable[[Record], str | None]) -> Edge:
    return Edge(
        collection,
        f"{field} {{ cleverId }}",
        f"{TYPES[collection]}.{field}",
        lambda joins, record: shared(joins, target, key(record)),
        look_ups(f"/{target}/{{id}}", lambda record: [key(record)]),
    )


def to_schools(facet: str, field: str, keys: Callable[[Record], Iterable[str | None]]) -> Edge:
    """Schools by the ids in a role's own record; `field` may lead through a part of it."""
    return Edge(
        "users",
        f"{facet.lower()} {{ {field} }}",
        f"{facet}.{field.split(' ')[0]}" if field.count("{") == 1 else "Enrollment.school",
        lambda joins, user: shared(joins, "schools", *keys(role(user, facet.lower()))),
        look_ups("/schools/{id}", lambda user: keys(role(user, facet.lower()))),
    )


def by_link(
    collection: str, field: str, rel: str, applies: Callable[[Record], Any] = lambda _: True, arguments: str = ALL
) -> Edge:
    """A connection whose rows are those of a relative link."""

    def expected(joins: Joins, record: Record) -> list[str]:
        if "resources" in (collection, rel):
            return joins.listed(f"/{collection}/{record['id']}/{rel}")
        return joins.relation(collection, rel, record["id"])

    return Edge(
        collection,
        f"{field}({arguments}) {{ nodes {{ cleverId }} }}",
        f"{TYPES[collection]}.{field}",
        expected,
        link(f"/{collection}/{{id}}/{rel}", applies),
    )


def of_school(field: str, name: str | None, arguments: str = "", *, primary: bool = False) -> Edge:
    none = name == "staff" and primary
    return Edge(
        "schools",
        f"{field}({ALL}{arguments}) {{ nodes {{ cleverId }} }}",
        f"School.{field}",
        lambda joins, school: [] if none else joins.school_users(school["id"], name, primary),
        free if none else link("/schools/{id}/users"),
    )


def of_section(field: str, name: str | None, calls: Calls, arguments: str = "") -> Edge:
    return Edge(
        "sections",
        f"{field}({ALL}{arguments}) {{ nodes {{ cleverId }} }}",
        f"Section.{field}",
        lambda joins, section: joins.section_users(section["id"], name),
        calls,
    )


def of_district(field: str, collection: str, arguments: str = "", name: str | None = None) -> Edge:
    return Edge(
        "districts",
        f"{field}({ALL}{arguments}) {{ nodes {{ cleverId }} }}",
        f"District.{field}",
        lambda joins, _district: joins.with_role(name) if name else sorted(joins.records[collection]),
        lambda _joins, _parents: {f"/{collection}": 1},
    )


STUDENT, STUDIES_OR_TEACHES = holds("student"), holds("student", "teacher")

EDGES = [
    of_district("schools", "schools"),
    of_district("sections", "sections"),
    of_district("courses", "courses"),
    of_district("terms", "terms"),
    of_district("resources", "resources"),
    of_district("users", "users"),
    of_district("users", "users", ", role: STAFF", "staff"),
    of_district("students", "users", name="student"),
    of_district("teachers", "users", name="teacher"),
    of_district("staff", "users", name="staff"),
    of_district("districtAdmins", "users", name="district_admin"),
    of_district("contacts", "users", name="contact"),
    Edge(
        "districts",
        "districtContact { district { cleverId } }",
        "DistrictContact.district",
        lambda _joins, district: [district["district_contact"]["district"]],
        free,
    ),
    *(
        to_one(name, "district", "districts", lambda record: record["district"])
        for name in ("schools", "sections", "users", "courses", "terms", "resources")
    ),
    by_link("schools", "sections", "sections"),
    by_link("schools", "terms", "terms"),
    by_link("schools", "courses", "courses"),
    of_school("users", None),
    of_school("users", None, ", primary: true", primary=True),
    of_school("users", "student", ", role: STUDENT"),
    of_school("users", "staff", ", role: STAFF"),
    of_school("users", "teacher", ", role: TEACHER, primary: true", primary=True),
    of_school("users", "staff", ", role: STAFF, primary: true", primary=True),
    of_school("students", "student"),
    of_school("students", "student", ", primary: true", primary=True),
    of_school("teachers", "teacher"),
    of_school("teachers", "teacher", ", primary: true", primary=True),
    of_school("staff", "staff"),
    to_one("sections", "school", "schools", lambda section: section["school"]),
    to_one("sections", "course", "courses", lambda section: section.get("course")),
    to_one("sections", "term", "terms", lambda section: section.get("term_id")),
    to_one("sections", "teacher", "users", lambda section: section.get("teacher")),
    Edge(
        "sections",
        "teachers { cleverId }",
        "Section.teachers",
        lambda joins, section: shared(joins, "users", *section.get("teachers", ())),
        look_ups("/users/{id}", lambda section: section.get("teachers", ())),
    ),
    of_section("students", "student", link("/sections/{id}/users", lambda section: section["students"])),
    of_section("users", None, link("/sections/{id}/users")),
    of_section(
        "users", "student", link("/sections/{id}/users", lambda section: section["students"]), ", role: STUDENT"
    ),
    of_section(
        "users", "teacher", look_ups("/users/{id}", lambda section: section.get("teachers", ())), ", role: TEACHER"
    ),
    by_link("sections", "resources", "resources"),
    Edge(
        "users",
        f"schools({ALL}) {{ nodes {{ cleverId }} }}",
        "User.schools",
        lambda joins, user: joins.user_schools(user["id"]),
        look_ups("/schools/{id}", lambda user: [key for held in user["roles"].values() for key in schools_of(held)]),
    ),
    Edge(
        "users",
        f"schools({ALL}, primary: true) {{ nodes {{ cleverId }} }}",
        "User.schools",
        lambda joins, user: joins.user_schools(user["id"], primary=True),
        look_ups("/schools/{id}", lambda user: [held.get("school") for held in user["roles"].values()]),
    ),
    by_link("users", "sections", "sections", STUDIES_OR_TEACHES),
    Edge(
        "users",
        f"students({ALL}) {{ nodes {{ cleverId }} }}",
        "User.students",
        lambda joins, user: joins.my_students(user["id"]) if holds("teacher", "contact")(user) else [],
        link("/users/{id}/mystudents", holds("teacher")),
    ),
    by_link("users", "teachers", "myteachers", STUDENT),
    by_link("users", "contacts", "mycontacts", STUDENT),
    by_link("users", "resources", "resources"),
    to_schools("Student", "school { cleverId }", lambda held: [held.get("school")]),
    to_schools("Student", "schools { cleverId }", lambda held: held.get("schools", ())),
    to_schools(
        "Student",
        "enrollments { school { cleverId } }",
        lambda held: [enrollment["school"] for enrollment in held.get("enrollments", ())],
    ),
    to_schools("Teacher", "school { cleverId }", lambda held: [held.get("school")]),
    to_schools("Teacher", "schools { cleverId }", lambda held: held.get("schools", ())),
    to_schools("Staff", "schools { cleverId }", lambda held: held.get("schools", ())),
    Edge(
        "users",
        "contact { relationships { student { cleverId } } }",
        "StudentRelationship.student",
        lambda joins, user: [key for key in related(user) if key in joins.users],
        free,
    ),
    by_link("courses", "sections", "sections"),
    by_link("courses", "schools", "schools"),
    by_link("courses", "resources", "resources"),
    by_link("terms", "sections", "sections"),
    by_link("terms", "schools", "schools"),
    by_link("resources", "courses", "courses"),
    by_link("resources", "sections", "sections"),
    by_link("resources", "users", "users"),
]


def schools_of(held: Record) -> list[str]:
    return [*held.get("schools", ()), *([held["school"]] if "school" in held else [])]


def ids_below(value: Any) -> Iterator[str]:
    """Return every cleverId in an answer, in the order it is given."""
    if isinstance(value, dict):
        if "cleverId" in value:
            yield value["cleverId"]
        for one in value.values():
            yield from ids_below(one)
    elif isinstance(value, list):
        for one in value:
            yield from ids_below(one)


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.name)
async def test_an_edge_gives_the_rows_of_the_rest_data_at_its_price(gateway: Gateway, joins: Joins, edge: Edge) -> None:
    inner = f"{{ parent: cleverId {edge.selection} }}"
    if edge.collection == "districts":
        answer = await gateway.query(f"{{ districts {inner} }}")
        parents = answer.data["districts"]
    else:
        answer = await gateway.query(f"{{ {edge.collection}({ALL}) {{ nodes {inner} }} }}")
        parents = answer.data[edge.collection]["nodes"]
    records = [joins.records[edge.collection][parent["parent"]] for parent in parents]
    found = {parent["parent"]: list(ids_below(parent)) for parent in parents}

    assert sorted(found) == sorted(joins.records[edge.collection])
    assert found == {record["id"]: edge.expected(joins, record) for record in records}
    plain = {f"/{edge.collection}": 1} | edge.calls(joins, records)
    if "resources" in edge.name:
        assert answer.calls == plain
    elif sum(plain.values()) <= 1 + FEW:
        # Where all parents ask, one page of the whole collection may be less.
        assert answer.calls == plain or sum(answer.calls.values()) < sum(plain.values())
    else:
        assert sum(answer.calls.values()) <= min(sum(plain.values()), MOST_BY_SCAN)


def test_every_edge_of_the_schema_is_among_those_tested() -> None:
    schema = build_schema()._schema
    node = schema.get_type("Node")
    edges = set()
    for name, kind in schema.type_map.items():
        if isinstance(kind, GraphQLObjectType) and name not in ("Query",) and not name.endswith(("Edge", "Connection")):
            for field, definition in kind.fields.items():
                target = get_named_type(definition.type)
                if isinstance(target, GraphQLObjectType) and (
                    node in target.interfaces or target.name.endswith("Connection")
                ):
                    edges.add(f"{name}.{field}")

    # Who asks is no edge of the roster.
    assert edges - {"Viewer.user"} == {edge.covers for edge in EDGES}
