"""The catalogue's rows and the records' fields, against Clever's own swagger files."""

from typing import Any, get_args

import msgspec
import pytest

from gateway.clever import catalogue, records
from gateway.clever.calls import MAX_LIMIT, Call, CountCall, ListCall, RecordCall, first_page
from gateway.clever.catalogue import ALL, RELATIONS, SUPERSEDED_LINKS, Relation, Resource, Selection
from gateway.clever.records import Part, Record
from tests.sandbox.swagger import swagger

VERSIONS = ("v3.0", "v3.1")
ID = "58da8c58155b940248000007"
ROLES = ("contact", "district_admin", "staff", "student", "teacher")
# The swagger's name of a definition, where it is not the struct's.
DEFINITIONS = {
    "ContactRole": "Contact",
    "DistrictAdminRole": "DistrictAdmin",
    "Enrollment": "SchoolEnrollment",
    "StaffRole": "Staff",
    "StudentRole": "Student",
    "TeacherRole": "Teacher",
}
# Definitions that are the same as another one, and so share its struct.
SAME = {"PreferredName": "Name"}
# What Clever sends though its swagger leaves it out.
UNDECLARED = {"Student": {"email": {"type": "string"}}}
# Envelopes and errors, which are no records.
NO_RECORDS = {"BadRequest", "InternalError", "NotFound", "Link"}
STRUCTS = [
    kind
    for kind in vars(records).values()
    if isinstance(kind, type) and issubclass(kind, Part | Record) and kind not in (Part, Record)
]


def parameters(version: str, path: str) -> dict[str, Any]:
    """Return the query parameters that the swagger declares for a path."""
    declared = swagger(version)["paths"][path]["get"].get("parameters", [])
    return {parameter["name"]: parameter for parameter in declared if parameter["in"] == "query"}


def schema_of(version: str, path: str) -> str:
    """Return the name of the definition that a path answers with."""
    reference: str = swagger(version)["paths"][path]["get"]["responses"]["200"]["schema"]["$ref"]
    return reference.rsplit("/", 1)[1]


def properties(version: str, struct: type) -> dict[str, Any]:
    """Return the declared properties of a struct's definition, none where the version lacks it."""
    name = definition_of(struct)
    declared: dict[str, Any] = swagger(version)["definitions"].get(name, {}).get("properties", {})
    return declared | (UNDECLARED.get(name, {}) if declared else {})


def definition_of(struct: type[Any]) -> str:
    return DEFINITIONS.get(struct.__name__, struct.__name__)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_path_of_the_swagger_is_used_by_a_row_or_superseded(version: str) -> None:
    rows = {path for rows in ALL for path in (rows.path, f"{rows.path}/{{id}}")}
    used = rows | {relation.link for relation in RELATIONS}
    assert used.isdisjoint(SUPERSEDED_LINKS)
    assert used | set(SUPERSEDED_LINKS) == set(swagger(version)["paths"])
    assert len(used | set(SUPERSEDED_LINKS)) == 42


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("rows", ALL, ids=lambda rows: rows.name)
def test_a_resource_answers_with_its_record_and_is_counted_where_declared(rows: Resource, version: str) -> None:
    assert schema_of(version, f"{rows.path}/{{id}}") == f"{rows.record.__name__}Response"
    assert schema_of(version, rows.path) == f"{rows.record.__name__}sResponse"
    assert rows.counts == ("count" in parameters(version, rows.path))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_a_relation_takes_the_parameters_that_its_path_declares(relation: Relation, version: str) -> None:
    declared = parameters(version, relation.link)
    assert relation.takes_role == ("role" in declared)
    assert relation.takes_primary == ("primary" in declared)
    assert relation.paged == ("limit" in declared) == ("starting_after" in declared) == ("ending_before" in declared)
    assert schema_of(version, relation.link) == f"{relation.rows.record.__name__}sResponse"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_roles_of_a_path_are_those_the_catalogue_knows(version: str) -> None:
    expected = {
        catalogue.DISTRICT_USERS: ROLES,
        catalogue.SCHOOL_USERS: catalogue.SCHOOL_ROLES,
        catalogue.SECTION_USERS: ("student", "teacher"),
        catalogue.RESOURCE_USERS: ("student", "teacher"),
    }
    assert {relation for relation in RELATIONS if relation.takes_role} == expected.keys()
    for relation, roles in expected.items():
        assert set(parameters(version, relation.link)["role"]["enum"]) == set(roles), relation.name


def test_no_two_relations_share_a_name() -> None:
    assert len({relation.name for relation in RELATIONS}) == len(RELATIONS)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_the_first_page_sends_nothing_that_its_path_does_not_declare(relation: Relation) -> None:
    call = first_page(relation, ID, Selection("student", primary=True), 20_000)
    path, _, query = call.target.partition("?")
    assert path == relation.link.replace("{id}", ID)
    sent = dict(pair.split("=") for pair in query.split("&") if pair)
    expected = {"role": "student"} if relation.takes_role else {}
    expected |= {"primary": "true"} if relation.takes_primary else {}
    assert sent == expected | ({"limit": str(MAX_LIMIT)} if relation.paged else {})


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_a_struct_has_the_fields_of_its_definition(struct: type) -> None:
    assert {field.encode_name for field in msgspec.structs.fields(struct)} == set(properties("v3.1", struct))
    assert set(properties("v3.0", struct)) <= set(properties("v3.1", struct))


def test_every_definition_has_a_struct() -> None:
    structs = {definition_of(struct) for struct in STRUCTS} | SAME.keys()
    records_of_swagger = {
        name for name in swagger("v3.1")["definitions"] if name not in NO_RECORDS and not name.endswith("Response")
    }
    assert structs == records_of_swagger


@pytest.mark.parametrize("one", SAME)
def test_definitions_that_share_a_struct_are_the_same(one: str) -> None:
    definitions = swagger("v3.1")["definitions"]
    assert definitions[one]["properties"].keys() == definitions[SAME[one]]["properties"].keys()


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_a_field_has_the_type_that_the_swagger_declares(struct: type) -> None:
    declared = properties("v3.1", struct)
    for field in msgspec.structs.fields(struct):
        kinds = [kind for kind in get_args(field.type) if kind is not type(None)] or [field.type]
        assert _kind(kinds[0]) == _declared(declared[field.encode_name]), field.name


def _kind(kind: Any) -> str:
    if kind in (str, bool):
        return "string" if kind is str else "boolean"
    if isinstance(kind, type) and issubclass(kind, Part):
        return definition_of(kind)
    if kind == dict[str, Any]:
        return "object"
    return f"array of {_kind(get_args(kind)[0])}"


def _declared(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name: str = schema["$ref"].rsplit("/", 1)[1]
        return SAME.get(name, name)
    if schema["type"] == "array":
        return f"array of {_declared(schema['items'])}"
    return str(schema["type"])


def test_templates_hold_no_id() -> None:
    calls: list[Call] = [
        RecordCall(catalogue.USERS, ID),
        ListCall(catalogue.USERS, "/sections/{id}/users", ID, after=ID),
        CountCall(catalogue.USERS, "student"),
    ]
    assert [call.template for call in calls] == ["/users/{id}", "/sections/{id}/users", "/users"]
    assert [call.target for call in calls] == [
        f"/users/{ID}",
        f"/sections/{ID}/users?starting_after={ID}",
        "/users?count=true&role=student",
    ]


def _teacher(**role: Any) -> records.User:
    return records.User(id=ID, roles=records.Roles(teacher=records.TeacherRole(**role)))


@pytest.mark.parametrize(
    ("user", "selection", "kept"),
    [
        (_teacher(school="a", schools=("a", "b")), Selection(), True),
        (_teacher(school="b", schools=("a", "b")), Selection(), True),
        (_teacher(school="b", schools=("a", "b")), Selection(primary=True), False),
        (_teacher(school="a", schools=("b",)), Selection(primary=True), True),
        (_teacher(school="a"), Selection(role="student"), False),
        (_teacher(school="b"), Selection(), False),
        (records.User(id=ID), Selection(), False),
        (records.User(roles=records.Roles(staff=records.StaffRole(schools=("a",)))), Selection("staff"), True),
        (records.User(roles=records.Roles(staff=records.StaffRole(schools=("a",)))), Selection(primary=True), False),
        (records.User(roles=records.Roles(contact=records.ContactRole())), Selection(), False),
    ],
)
def test_a_school_keeps_those_whose_own_role_lists_it(user: records.User, selection: Selection, kept: bool) -> None:
    assert catalogue.school_keeps("a", selection, user) is kept


@pytest.mark.parametrize(
    ("relation", "role", "applies"),
    [
        (catalogue.USER_SECTIONS, "contact", False),
        (catalogue.USER_SECTIONS, "student", True),
        (catalogue.USER_SCHOOLS, "staff", True),
        (catalogue.USER_SCHOOLS, "district_admin", False),
        (catalogue.USER_STUDENTS, "contact", True),
        (catalogue.USER_STUDENTS, "student", False),
        (catalogue.USER_TEACHERS, "teacher", False),
        (catalogue.USER_CONTACTS, "student", True),
        (catalogue.USER_RESOURCES, "contact", True),
    ],
)
def test_an_edge_that_makes_no_sense_for_a_role_does_not_apply(relation: Relation, role: str, applies: bool) -> None:
    kinds = {field.name: get_args(field.type)[0] for field in msgspec.structs.fields(records.Roles)}
    user = records.User(id=ID, roles=records.Roles(**{role: kinds[role]()}))
    assert relation.applies(user, Selection()) is applies
