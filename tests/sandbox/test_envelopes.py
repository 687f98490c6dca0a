"""Wrappers and links around records, byte for byte where Clever's order is known."""

import json
from typing import Any

import pytest

from .conftest import Served

SCHOOL_RELS = ["self", "district", "sections", "users", "terms", "courses"]
RELS = {
    "districts": ["self"],
    "schools": SCHOOL_RELS,
    "sections": ["self", "district", "school", "term", "course", "users"],
    "courses": ["self", "district", "sections", "schools"],
    "terms": ["self", "district", "sections", "schools"],
}
USER_RELS = {
    ("student",): ["self", "district", "sections", "myContacts", "myTeachers", "schools"],
    ("teacher",): ["self", "district", "sections", "myStudents", "schools"],
    ("staff",): ["self", "district", "schools"],
    ("district_admin",): ["self", "district"],
    ("contact",): ["self", "district", "myStudents"],
    ("staff", "teacher"): ["self", "district", "sections", "myStudents", "schools"],
    ("district_admin", "teacher"): ["self", "district", "sections", "myStudents", "schools"],
    ("district_admin", "staff"): ["self", "district", "schools"],
}


def keys_in_order(text: str) -> list[str]:
    """Return the top-level keys as they are written."""
    pairs: list[tuple[str, Any]] = json.JSONDecoder(object_pairs_hook=list).decode(text)
    return [key for key, _ in pairs]


@pytest.mark.parametrize("version", ["v3.0", "v3.1"])
@pytest.mark.parametrize("collection", ["districts", "schools", "sections", "users", "courses", "terms", "resources"])
def test_list_elements_are_wrapped_twice_and_carry_their_uri(served: Served, version: str, collection: str) -> None:
    for element in served.json(f"/{version}/{collection}")["data"]:
        assert list(element) == ["data", "uri"]
        assert element["uri"] == f"/{version}/{collection}/{element['data']['id']}"


@pytest.mark.parametrize("collection", ["districts", "schools", "courses", "terms", "resources"])
def test_these_top_level_lists_write_data_first(served: Served, collection: str) -> None:
    assert keys_in_order(served.get(f"/v3.0/{collection}").text) == ["data", "links"]


@pytest.mark.parametrize("path", ["users", "sections", "schools/{school}/courses", "schools/{school}/users"])
def test_users_sections_and_sub_lists_write_links_first(served: Served, path: str) -> None:
    school = next(iter(served.oracle.schools))
    assert keys_in_order(served.get("/v3.0/" + path.format(school=school)).text) == ["links", "data"]


@pytest.mark.parametrize("collection", RELS)
def test_one_record_has_the_links_of_its_kind_in_order(served: Served, collection: str) -> None:
    record_id = next(iter(served.oracle.records[collection]))
    body = served.json(f"/v3.1/{collection}/{record_id}")
    assert list(body) == ["data", "links"]
    assert [link["rel"] for link in body["links"]] == RELS[collection]
    own = f"/v3.1/{collection}/{record_id}"
    assert [link["uri"] for link in body["links"]] == [own, *(f"{own}/{rel}" for rel in RELS[collection][1:])]


@pytest.mark.parametrize("roles", USER_RELS)
def test_a_user_has_the_links_of_the_roles_held(served: Served, roles: tuple[str, ...]) -> None:
    user = next(u for u in served.oracle.users.values() if tuple(sorted(u["roles"])) == roles)
    own = f"/v3.0/users/{user['id']}"
    links = served.json(own)["links"]
    assert [link["rel"] for link in links] == USER_RELS[roles]
    assert [link["uri"] for link in links] == [own, *(f"{own}/{rel}" for rel in USER_RELS[roles][1:])]


def test_links_of_records_can_be_followed(served: Served) -> None:
    student = next(u for u in served.oracle.with_role("student") if served.oracle.my_teachers(u))
    for link in served.json(f"/v3.1/users/{student}")["links"]:
        assert served.get(link["uri"]).status_code == 200, link


def test_links_of_a_class_without_course_and_term_lead_to_404(served: Served) -> None:
    section = next(s for s in served.oracle.sections.values() if not s.get("course") and not s.get("term_id"))
    links = {link["rel"]: link["uri"] for link in served.json(f"/v3.1/sections/{section['id']}")["links"]}
    assert served.get(links["course"]).status_code == served.get(links["term"]).status_code == 404


@pytest.mark.parametrize("owner", ["schools", "sections", "users", "courses", "terms"])
def test_a_to_one_sub_resource_links_only_to_the_record_itself(served: Served, owner: str) -> None:
    record_id = next(iter(served.oracle.records[owner]))
    body = served.json(f"/v3.0/{owner}/{record_id}/district")
    district = next(iter(served.oracle.records["districts"]))
    assert list(body) == ["data", "links"]
    assert body["data"]["id"] == district
    assert body["links"] == [{"rel": "self", "uri": f"/v3.0/districts/{district}"}]


def test_sub_list_elements_have_their_own_uri_and_self_is_the_path_asked(served: Served) -> None:
    school = next(iter(served.oracle.schools))
    path = f"/v3.1/schools/{school}/users?limit=2&junk=a%20b&junk"
    body = served.json(path)
    assert body["links"][0] == {"rel": "self", "uri": path}
    assert all(element["uri"] == f"/v3.1/users/{element['data']['id']}" for element in body["data"])


def test_key_order_of_records_differs_from_record_to_record(served: Served) -> None:
    users = json.loads(served.get("/v3.1/users").text)["data"]
    assert len({tuple(user["data"]) for user in users}) > 5


def test_school_terms_have_dates_as_timestamps_and_other_routes_plain_dates(served: Served) -> None:
    school = next(s for s in served.oracle.schools if served.oracle.relation("schools", "terms", s))
    for element in served.json(f"/v3.1/schools/{school}/terms")["data"]:
        term = served.oracle.terms[element["data"]["id"]]
        for key in ("start_date", "end_date"):
            if term.get(key):
                assert len(term[key]) == len("2025-08-18")
                assert element["data"][key] == f"{term[key]}T00:00:00.000Z"
            else:
                assert element["data"].get(key) == term.get(key)
        assert served.json(f"/v3.1/terms/{term['id']}")["data"] == term


def test_nothing_shared_has_the_odd_resources_body(served: Served) -> None:
    assert served.get("/v3.1/resources", "TEST_TOKEN_3").text == '{"resources":[]}'
    admin = next(u for u in served.oracle.users.values() if list(u["roles"]) == ["district_admin"])
    response = served.get(f"/v3.1/users/{admin['id']}/resources")
    assert response.text == '{"resources":[]}'
    assert response.headers["content-type"] == "application/json"
    assert served.get("/v3.1/resources?starting_after=z").text == '{"resources":[]}'


def test_resources_reach_courses_classes_and_people_and_back(served: Served) -> None:
    reached: set[str] = set()
    for resource in served.json("/v3.1/resources")["data"]:
        record, own = resource["data"], resource["uri"]
        single = served.json(own)
        assert single == {"data": record, "links": [{"rel": "self", "uri": own}]}
        courses = served.ids(f"{own}/courses")
        sections = [s for c in courses for s in served.oracle.sections_by("course", c)]
        assert served.ids(f"{own}/sections") == sorted(sections)
        expected = {u for s in sections for r in record["roles"] for u in served.oracle.section_users(s, r)}
        assert served.ids(f"{own}/users?limit=10000") == sorted(expected)
        for role in ("student", "teacher"):
            some = served.ids(f"{own}/users?role={role}&limit=10000")
            assert set(some) == {u for u in expected if role in served.oracle.users[u]["roles"]}
        for course in courses:
            assert record["id"] in served.ids(f"/v3.1/courses/{course}/resources")
        for section in sections[:2]:
            assert record["id"] in served.ids(f"/v3.1/sections/{section}/resources")
        for user in sorted(expected)[:3]:
            assert record["id"] in served.ids(f"/v3.1/users/{user}/resources")
        reached.update(courses and ["courses"], sections and ["sections"], expected and ["users"])
    assert reached == {"courses", "sections", "users"}
