"""`count`, `role`, `primary` and parameters that are wrong."""

import pytest

from .conftest import Served


@pytest.mark.parametrize("collection", ["districts", "schools", "sections", "users", "courses", "terms"])
def test_count_says_how_many_and_nothing_else(served: Served, collection: str) -> None:
    path = f"/v3.1/{collection}?count=true"
    count = len(served.oracle.records[collection])
    assert served.get(path).text == f'{{"count":{count},"links":[{{"rel":"self","uri":"{path}"}}]}}'


def test_count_counts_what_the_role_selects_and_ignores_the_limit(served: Served) -> None:
    body = served.json("/v3.1/users?limit=1&role=teacher&count=true")
    assert body["count"] == len(served.oracle.with_role("teacher"))


@pytest.mark.parametrize("value", ["", "false", "undefined", "5", "TRUE", "true&count=true"])
def test_any_other_count_is_ignored(served: Served, value: str) -> None:
    body = served.json(f"/v3.1/schools?count={value}")
    assert len(body["data"]) == len(served.oracle.schools)
    assert body["links"][0]["uri"] == f"/v3.1/schools?count={value}"


def test_count_is_unknown_to_sub_lists_and_resources(served: Served) -> None:
    school = next(iter(served.oracle.schools))
    assert "data" in served.json(f"/v3.1/schools/{school}/sections?count=true")
    assert "data" in served.json("/v3.1/resources?count=true")


@pytest.mark.parametrize("limit", ["0", "-1", "ten", "", "1.5", "1e3", "+5", "%20", "5&limit=5", "%D9%A3", "0x10"])
def test_a_bad_limit_is_a_400_with_a_sentence(served: Served, limit: str) -> None:
    for path in ("/v3.1/users", "/v3.1/resources", "/v3.1/districts"):
        response = served.get(f"{path}?limit={limit}")
        assert response.status_code == 400
        assert set(response.json()) == {"error"}


@pytest.mark.parametrize("limit", ["10001", "99999999", "9" * 6000])
def test_a_limit_above_10000_is_a_413(served: Served, limit: str) -> None:
    response = served.get(f"/v3.0/sections?limit={limit}")
    assert response.status_code == 413
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize(
    "query",
    ["starting_after=a&ending_before=b", "starting_after=a&starting_after=b", "ending_before=a&ending_before=b"],
)
def test_two_cursors_are_a_400(served: Served, query: str) -> None:
    response = served.get(f"/v3.1/users?{query}")
    assert response.status_code == 400
    assert "error" in response.json()


def test_an_empty_cursor_is_no_cursor(served: Served) -> None:
    body = served.json("/v3.1/users?limit=2&starting_after=&ending_before=")
    assert [element["data"]["id"] for element in body["data"]] == sorted(served.oracle.users)[:2]
    assert [link["rel"] for link in body["links"]] == ["self", "next"]


@pytest.mark.parametrize("role", ["Student", "principal", "", "student,teacher", "student&role=teacher"])
def test_an_unknown_role_is_a_400(served: Served, role: str) -> None:
    response = served.get(f"/v3.1/users?role={role}")
    assert response.status_code == 400
    assert "error" in response.json()


@pytest.mark.parametrize(
    ("path", "role"),
    [("schools", "contact"), ("schools", "district_admin"), ("sections", "staff"), ("resources", "staff")],
)
def test_a_role_the_route_does_not_take_is_a_400(served: Served, path: str, role: str) -> None:
    record_id = next(iter(served.oracle.records[path]))
    assert served.get(f"/v3.1/{path}/{record_id}/users?role={role}").status_code == 400


def test_a_role_is_junk_where_no_role_is_known(served: Served) -> None:
    assert len(served.ids("/v3.1/schools?role=nobody")) == len(served.oracle.schools)


def test_primary_means_something_only_when_true(served: Served) -> None:
    school = next(iter(served.oracle.schools))
    for value in ("", "false", "1", "True"):
        assert served.ids(f"/v3.1/schools/{school}/users?limit=10000&primary={value}") == served.oracle.school_users(
            school
        )


def test_primary_is_unknown_to_classes(served: Served) -> None:
    section = next(s for s in served.oracle.sections if served.oracle.section_users(s))
    assert served.ids(f"/v3.1/sections/{section}/users?primary=true") == served.oracle.section_users(section)
