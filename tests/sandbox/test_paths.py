"""Every path of the Data API, under both versions, against joins computed from the records."""

import pytest

from gateway.sandbox.routes import ROUTES

from .conftest import Served, app_of, oracle_of
from .oracle import Oracle
from .swagger import swagger

VERSIONS = ("v3.0", "v3.1")
TEMPLATES = [route.template for route in ROUTES]
TO_MANY = [
    ("schools", "courses"),
    ("schools", "sections"),
    ("schools", "terms"),
    ("schools", "users"),
    ("sections", "users"),
    ("users", "mycontacts"),
    ("users", "mystudents"),
    ("users", "myteachers"),
    ("users", "schools"),
    ("users", "sections"),
    ("courses", "schools"),
    ("courses", "sections"),
    ("terms", "schools"),
    ("terms", "sections"),
]


def an_id(oracle: Oracle, template: str) -> str:
    """Choose a record for a template's `{id}`; a class must have the course, term or school that is asked for."""
    owner = template.split("/")[1]
    if owner == "sections":
        shared = (s for s in oracle.sections.values() if s["school"] in oracle.schools and s.get("term_id"))
        one = next(s for s in shared if s.get("course") in oracle.courses)
        return str(one["id"])
    return next(iter(oracle.records[owner]))


def test_there_are_42_paths() -> None:
    assert len(set(TEMPLATES)) == 42


@pytest.mark.parametrize("version", VERSIONS)
def test_the_paths_are_those_of_the_swagger(version: str) -> None:
    assert set(TEMPLATES) == set(swagger(version)["paths"])


@pytest.mark.parametrize("version", VERSIONS)
def test_roles_and_count_are_those_of_the_swagger(version: str) -> None:
    paths = swagger(version)["paths"]
    for route in ROUTES:
        parameters = {p["name"]: p for p in paths[route.template]["get"].get("parameters", [])}
        assert set(route.roles) == set(parameters.get("role", {}).get("enum", [])), route.template
        assert route.counts == ("count" in parameters), route.template


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_path_answers(served: Served, version: str, template: str) -> None:
    path = f"/{version}{template}"
    if "{id}" in path:
        path = path.replace("{id}", an_id(served.oracle, template))
    body = served.json(path)
    assert "data" in body or body == {"resources": []}


@pytest.mark.parametrize("template", [t for t in TEMPLATES if "{id}" in t])
@pytest.mark.parametrize("record_id", ["58da8c58155b940248000007", "x", "%zz", "..%2f..", "LAST"])
def test_an_unknown_id_is_a_json_404(served: Served, template: str, record_id: str) -> None:
    response = served.get("/v3.1" + template.replace("{id}", record_id))
    assert response.status_code == 404
    assert response.json() == {"error": "Resource not found"}
    assert response.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(("owner", "name"), TO_MANY)
def test_every_relation_of_every_record_is_the_join_of_the_records(served: Served, owner: str, name: str) -> None:
    step = 7 if owner == "users" else 1
    for record_id in list(served.oracle.records[owner])[::step]:
        path = f"/v3.1/{owner}/{record_id}/{name}?limit=10000"
        assert served.ids(path) == served.oracle.relation(owner, name, record_id), path


@pytest.mark.parametrize(("owner", "name"), TO_MANY)
def test_no_relation_is_empty_everywhere(served: Served, owner: str, name: str) -> None:
    assert any(served.oracle.relation(owner, name, record_id) for record_id in served.oracle.records[owner])


@pytest.mark.parametrize("role", ["student", "teacher", "staff", "district_admin", "contact"])
def test_users_by_role_are_all_who_hold_it(served: Served, role: str) -> None:
    body = served.json(f"/v3.1/users?limit=10000&role={role}")
    users = [element["data"] for element in body["data"]]
    assert [user["id"] for user in users] == served.oracle.with_role(role)
    assert users == [served.oracle.users[user["id"]] for user in users], "all roles stay in the object"


@pytest.mark.parametrize("role", [None, "student", "teacher", "staff"])
@pytest.mark.parametrize("primary", [False, True])
def test_school_users_follow_the_schools_of_that_very_role(served: Served, role: str | None, primary: bool) -> None:
    for school in served.oracle.schools:
        query = "&".join(["limit=10000", *([f"role={role}"] if role else []), *(["primary=true"] if primary else [])])
        found = served.ids(f"/v3.1/schools/{school}/users?{query}")
        assert found == served.oracle.school_users(school, role, primary)
        held = {r for user in found for r in served.oracle.users[user]["roles"]}
        assert not held & {"contact"}
        if primary and role == "staff":
            assert found == []


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_section_users_by_role(served: Served, role: str) -> None:
    for section in list(served.oracle.sections)[::5]:
        found = served.ids(f"/v3.0/sections/{section}/users?role={role}")
        assert found == served.oracle.section_users(section, role)


def test_primary_school_of_users(served: Served) -> None:
    for user in list(served.oracle.users)[::9]:
        assert served.ids(f"/v3.1/users/{user}/schools?primary=true") == served.oracle.user_schools(user, primary=True)


def test_a_person_with_two_roles_is_under_each_role_only_where_that_role_is(served: Served) -> None:
    both = [u for u in served.oracle.users.values() if {"teacher", "staff"} <= u["roles"].keys()]
    split = next(u for u in both if not set(u["roles"]["teacher"]["schools"]) & set(u["roles"]["staff"]["schools"]))
    desk, room = split["roles"]["staff"]["schools"][0], split["roles"]["teacher"]["schools"][0]
    assert split["id"] in served.ids(f"/v3.1/schools/{desk}/users?role=staff&limit=10000")
    assert split["id"] not in served.ids(f"/v3.1/schools/{desk}/users?role=teacher&limit=10000")
    assert split["id"] in served.ids(f"/v3.1/schools/{room}/users?role=teacher&limit=10000")
    assert split["id"] not in served.ids(f"/v3.1/schools/{room}/users?role=staff&limit=10000")
    assert split["id"] in served.ids(f"/v3.1/schools/{desk}/users?limit=10000")


@pytest.mark.parametrize("name", ["mystudents", "myStudents", "MYSTUDENTS"])
def test_my_routes_are_spelled_in_any_case_and_self_keeps_the_spelling(served: Served, name: str) -> None:
    teacher = next(u for u in served.oracle.with_role("teacher") if served.oracle.my_students(u))
    path = f"/v3.0/users/{teacher}/{name}"
    body = served.json(path)
    assert body["links"][0] == {"rel": "self", "uri": path}
    assert [element["data"]["id"] for element in body["data"]] == served.oracle.my_students(teacher)[:100]


@pytest.mark.parametrize("name", ["myteachers", "mycontacts", "mystudents"])
def test_my_routes_of_the_wrong_role_are_empty_lists(served: Served, name: str) -> None:
    admin = next(u for u in served.oracle.users.values() if list(u["roles"]) == ["district_admin"])
    path = f"/v3.1/users/{admin['id']}/{name}"
    assert served.json(path) == {"links": [{"rel": "self", "uri": path}], "data": []}


@pytest.mark.parametrize("key", ["course", "term_id", "school"])
def test_to_one_targets_of_a_class_answer_or_404(served: Served, key: str) -> None:
    name, collection = {"course": ("course", "courses"), "term_id": ("term", "terms"), "school": ("school", "schools")}[
        key
    ]
    outcomes = set()
    for section in served.oracle.sections.values():
        response = served.get(f"/v3.1/sections/{section['id']}/{name}")
        target = served.oracle.records[collection].get(section.get(key, ""))
        outcomes.add(response.status_code)
        if target is None:
            assert (response.status_code, response.json()) == (404, {"error": "Resource not found"})
        else:
            assert response.json()["data"] == target
    assert outcomes == {200, 404}


def test_a_bigger_district_joins_alike() -> None:
    world = app_of("sandbox")._worlds["TEST_TOKEN"]
    oracle = oracle_of("sandbox")
    for school in oracle.schools:
        at = world.tables["schools"].position[school]
        found = [world.tables["users"].ids[p] for p in world.relations.school_users(at, None, False)]
        assert found == oracle.school_users(school)
