"""Connections: windows over Clever's order, forward and backward, and what is refused."""

from typing import Any

import pytest

from tests.conftest import Gateway, Joins

PAGE = "{ nodes { cleverId } edges { cursor node { cleverId } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"
SCHOOL_PAGE = f"query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {{ school(id: $id) {{ page: students(first: $first, after: $after, last: $last, before: $before) {PAGE} }} }}"
ROOT_PAGE = f"query($first: Int, $after: String, $last: Int, $before: String) {{ page: users(first: $first, after: $after, last: $last, before: $before) {PAGE} }}"


def ids(page: Any) -> list[str]:
    return [node["cleverId"] for node in page["nodes"]]


async def walk(gateway: Gateway, size: int, *, backward: bool, school: str | None) -> tuple[list[list[str]], list[Any]]:
    """Follow the cursors to the end; return each page's ids and its pageInfo."""
    pages, infos, cursor = [], [], None
    while True:
        paging: dict[str, Any] = {"last": size, "before": cursor} if backward else {"first": size, "after": cursor}
        answer = await gateway.query(SCHOOL_PAGE if school else ROOT_PAGE, paging | ({"id": school} if school else {}))
        page = (answer.data["school"] if school else answer.data)["page"]
        assert sum(count for path, count in answer.calls.items() if path.endswith("users")) == 1
        pages.append(ids(page))
        infos.append(page["pageInfo"])
        assert [edge["node"]["cleverId"] for edge in page["edges"]] == ids(page)
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        if not page["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"]:
            return pages, infos
        cursor = page["pageInfo"]["startCursor" if backward else "endCursor"]


@pytest.mark.parametrize("size", [97, 10_000])
@pytest.mark.parametrize("backward", [False, True])
async def test_pages_of_a_collection_make_up_the_whole_with_one_call_each(
    gateway: Gateway, joins: Joins, size: int, backward: bool
) -> None:
    pages, infos = await walk(gateway, size, backward=backward, school=None)

    whole = [key for page in (reversed(pages) if backward else pages) for key in page]
    assert whole == sorted(joins.users)
    assert all(len(page) == size for page in pages[:-1])
    assert infos[0]["hasPreviousPage" if not backward else "hasNextPage"] is False


@pytest.mark.parametrize("backward", [False, True])
async def test_pages_of_a_schools_students_make_up_the_whole(gateway: Gateway, joins: Joins, backward: bool) -> None:
    school = min(joins.schools)
    pages, _ = await walk(gateway, 25, backward=backward, school=school)

    whole = [key for page in (reversed(pages) if backward else pages) for key in page]
    assert whole == joins.school_users(school, "student")


async def test_without_arguments_a_connection_gives_the_first_hundred(gateway: Gateway, joins: Joins) -> None:
    answer = await gateway.query("{ users { nodes { cleverId } } }")

    assert ids(answer.data["users"]) == sorted(joins.users)[:100]


async def test_null_arguments_are_the_same_as_none(gateway: Gateway, joins: Joins) -> None:
    answer = await gateway.query("{ users(first: null, after: null, last: null, role: null) { nodes { cleverId } } }")

    assert ids(answer.data["users"]) == sorted(joins.users)[:100]


async def test_the_total_costs_a_count_and_no_rows_are_read_for_it(gateway: Gateway, joins: Joins) -> None:
    answer = await gateway.query("{ all: users { totalCount } staff: users(role: STAFF) { totalCount } }")

    assert answer.data == {
        "all": {"totalCount": len(joins.users)},
        "staff": {"totalCount": len(joins.with_role("staff"))},
    }
    assert answer.calls == {"/users": 2}


async def test_the_total_of_a_relation_comes_with_its_rows_in_one_call(gateway: Gateway, joins: Joins) -> None:
    answer = await gateway.query(
        "{ schools { nodes { cleverId students(first: 2) { totalCount nodes { cleverId } } } } }"
    )

    for school in answer.data["schools"]["nodes"]:
        everyone = joins.school_users(school["cleverId"], "student")
        assert school["students"]["totalCount"] == len(everyone)
        assert ids(school["students"]) == everyone[:2]
    # Every school asks, so that one page of all students is less than a list of each school.
    assert answer.calls == {"/schools": 1, "/users": 1}


async def test_a_collection_read_to_its_end_needs_no_count(gateway: Gateway, joins: Joins) -> None:
    answer = await gateway.query("{ terms { totalCount nodes { cleverId } } }")

    assert answer.data["terms"]["totalCount"] == len(joins.terms)
    assert answer.calls == {"/terms": 1}


async def test_first_zero_gives_no_rows_for_no_call(gateway: Gateway, joins: Joins) -> None:
    bare = await gateway.query("{ users(first: 0) { nodes { cleverId } } }")
    told = await gateway.query("{ users(first: 0) { nodes { cleverId } totalCount pageInfo { hasNextPage } } }")

    assert (bare.data["users"], bare.calls) == ({"nodes": []}, {})
    assert told.data["users"] == {"nodes": [], "totalCount": len(joins.users), "pageInfo": {"hasNextPage": True}}


async def test_an_empty_page_has_no_cursors(gateway: Gateway, joins: Joins) -> None:
    last = await gateway.query(f"{{ page: users(last: 1) {PAGE} }}")
    beyond = await gateway.query(
        f"query($c: String) {{ page: users(after: $c) {PAGE} }}", {"c": last.data["page"]["pageInfo"]["endCursor"]}
    )

    assert ids(last.data["page"]) == [max(joins.users)]
    assert beyond.data["page"]["nodes"] == []
    assert beyond.data["page"]["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": True,
        "startCursor": None,
        "endCursor": None,
    }


async def test_a_cursor_holds_its_place_when_its_row_is_gone_from_the_list(gateway: Gateway, joins: Joins) -> None:
    """A cursor taken in one list of people stands in every other: Clever compares ids."""
    everyone = await gateway.query("{ users(first: 50) { pageInfo { endCursor } } }")
    cursor = everyone.data["users"]["pageInfo"]["endCursor"]
    answer = await gateway.query(
        "query($c: String) { users(role: STAFF, after: $c) { nodes { cleverId } } }", {"c": cursor}
    )

    behind = sorted(joins.users)[49]
    assert ids(answer.data["users"]) == [key for key in joins.with_role("staff") if key > behind]


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ("first: -1", "first"),
        ("first: 10001", "first"),
        ("last: -1", "last"),
        ("last: 10001", "last"),
        ("first: 1, last: 1", "last"),
        ('first: 1, before: "x"', "before"),
        ('last: 1, after: "x"', "after"),
        ('after: "x", before: "x"', "before"),
        ('after: ""', "after"),
        ('after: "x"', "after"),
        ('before: "YWZ0ZXI6VXNlcjp4"', "before"),
        ('after: "x&limit=1"', "after"),
        ('after: "' + "A" * 5000 + '"', "after"),
    ],
)
async def test_a_page_that_cannot_be_is_refused_by_name(gateway: Gateway, arguments: str, argument: str) -> None:
    answer = await gateway.query(
        f"{{ users({arguments}) {{ nodes {{ cleverId }} }} schools {{ nodes {{ cleverId }} }} }}"
    )

    assert answer.error["extensions"] == {"code": "BAD_USER_INPUT", "argument": argument}
    assert f"`{argument}`" in answer.error["message"]
    assert answer.error["path"] == ["users"]
    assert answer.body["data"]["users"] is None
    assert answer.body["data"]["schools"]["nodes"]
    assert answer.calls == {"/schools": 1}


async def test_a_cursor_of_another_types_list_is_refused(gateway: Gateway) -> None:
    school = await gateway.query("{ schools(first: 1) { pageInfo { endCursor } } }")
    cursor = school.data["schools"]["pageInfo"]["endCursor"]
    answer = await gateway.query("query($c: String) { users(after: $c) { nodes { cleverId } } }", {"c": cursor})

    assert answer.error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "School" in answer.error["message"]
    assert answer.calls == {}
