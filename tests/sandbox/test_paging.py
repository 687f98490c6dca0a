"""Pages, cursors and links, by Clever's docs: paging-and-limits."""

from urllib.parse import unquote_plus, urlsplit

import pytest

from .conftest import Served

Links = dict[str, str]


def page(served: Served, path: str) -> tuple[list[str], Links]:
    """Return the ids of a page and its links by rel, whose order must be self, prev, next."""
    body = served.json(path)
    rels = [link["rel"] for link in body["links"]]
    assert rels == [rel for rel in ("self", "prev", "next") if rel in rels]
    return [element["data"]["id"] for element in body["data"]], {link["rel"]: link["uri"] for link in body["links"]}


def walk(served: Served, path: str, rel: str) -> list[list[str]]:
    """Follow `next` or `prev` to its end."""
    pages, following = [], path
    while following:
        ids, links = page(served, following)
        pages.append(ids)
        following = links.get(rel, "")
    return pages


def a_school(served: Served) -> str:
    return next(iter(served.oracle.schools))


@pytest.mark.parametrize("limit", [1, 7, 60, 100])
@pytest.mark.parametrize("path", ["/v3.1/sections", "/v3.0/courses", "/v3.1/schools"])
def test_walking_forward_sees_everything_once_in_order(served: Served, path: str, limit: int) -> None:
    pages = walk(served, f"{path}?limit={limit}", "next")
    collection = path.rsplit("/", 1)[1]
    assert [one for ids in pages for one in ids] == sorted(served.oracle.records[collection])
    assert all(len(ids) == limit for ids in pages[:-1])


@pytest.mark.parametrize("limit", [7, 100])
def test_walking_backward_from_the_last_page_sees_everything_once(served: Served, limit: int) -> None:
    pages = walk(served, f"/v3.1/users?limit={limit}&ending_before=last", "prev")
    assert all(ids == sorted(ids) for ids in pages), "pages before a cursor still ascend"
    assert [one for ids in reversed(pages) for one in ids] == sorted(served.oracle.users)


def test_walks_of_filtered_and_sub_lists_keep_their_filters(served: Served) -> None:
    school = a_school(served)
    for path, expected in (
        ("/v3.1/users?role=contact&limit=50", served.oracle.with_role("contact")),
        (f"/v3.1/schools/{school}/users?limit=9&role=student&primary=true", None),
        (f"/v3.0/schools/{school}/sections?limit=4", served.oracle.sections_by("school", school)),
    ):
        whole = expected or served.oracle.school_users(school, "student", primary=True)
        assert [one for ids in walk(served, path, "next") for one in ids] == whole


def test_a_page_holds_100_unless_told_otherwise(served: Served) -> None:
    assert len(served.ids("/v3.1/users")) == 100
    assert len(served.ids("/v3.1/users?limit=10000")) == len(served.oracle.users)


def test_the_first_page_has_next_but_no_prev(served: Served) -> None:
    ids, links = page(served, "/v3.0/users?limit=25")
    assert links == {
        "self": "/v3.0/users?limit=25",
        "next": f"/v3.0/users?limit=25&starting_after={ids[-1]}",
    }
    assert page(served, "/v3.0/users")[1]["next"].startswith("/v3.0/users?starting_after=")


def test_a_middle_page_has_prev_before_next(served: Served) -> None:
    whole = sorted(served.oracle.users)
    path = f"/v3.0/users?limit=25&starting_after={whole[49]}"
    ids, links = page(served, path)
    assert ids == whole[50:75]
    assert links == {
        "self": path,
        "prev": f"/v3.0/users?limit=25&ending_before={whole[50]}",
        "next": f"/v3.0/users?limit=25&starting_after={whole[74]}",
    }
    assert page(served, links["prev"])[0] == whole[25:50]


def test_the_final_page_has_no_next_even_when_it_is_full(served: Served) -> None:
    whole = sorted(served.oracle.sections)
    ids, links = page(served, f"/v3.1/sections?limit=10&starting_after={whole[-11]}")
    assert ids == whole[-10:]
    assert "next" not in links


def test_prev_is_there_even_when_nothing_precedes_and_leads_to_an_empty_page(served: Served) -> None:
    whole = sorted(served.oracle.schools)
    ids, links = page(served, "/v3.1/schools?starting_after=000000000000000000000000")
    assert ids == whole
    assert links["prev"] == f"/v3.1/schools?ending_before={whole[0]}"
    assert page(served, links["prev"]) == ([], {"self": links["prev"]})


def test_a_page_before_a_cursor_has_a_next_which_may_lead_to_an_empty_page(served: Served) -> None:
    ids, links = page(served, "/v3.1/sections?limit=2&ending_before=last")
    whole = sorted(served.oracle.sections)
    assert ids == whole[-2:]
    assert links["prev"] == f"/v3.1/sections?limit=2&ending_before={whole[-2]}"
    assert links["next"] == f"/v3.1/sections?limit=2&starting_after={whole[-1]}"
    assert page(served, links["next"]) == ([], {"self": links["next"]})


def test_a_page_before_a_cursor_without_predecessors_has_no_prev(served: Served) -> None:
    whole = sorted(served.oracle.sections)
    ids, links = page(served, f"/v3.1/sections?ending_before={whole[3]}")
    assert ids == whole[:3]
    assert "prev" not in links


@pytest.mark.parametrize("cursor", ["0", "6", "zzz", "z%20%27%22", "58da8c58155b940248000007", "%ff", "%zz", "LAST"])
def test_an_unknown_cursor_is_compared_as_text(served: Served, cursor: str) -> None:
    whole = sorted(served.oracle.schools)
    text = unquote_plus(cursor)
    assert served.ids(f"/v3.1/schools?starting_after={cursor}") == [one for one in whole if one > text]
    assert served.ids(f"/v3.1/schools?ending_before={cursor}") == [one for one in whole if one < text]


def test_a_cursor_may_come_from_another_collection(served: Served) -> None:
    section = sorted(served.oracle.sections)[5]
    assert served.ids(f"/v3.1/users?starting_after={section}") == []
    school = sorted(served.oracle.schools)[0]
    assert len(served.ids(f"/v3.1/users?starting_after={school}")) == 100


def test_other_parameters_come_before_the_cursor_as_they_were_sent(served: Served) -> None:
    whole = sorted(served.oracle.with_role("student"))
    path = f"/v3.0/users?starting_after={whole[3]}&role=student&limit=3&x=%C3%A9%20+&count=5"
    ids, links = page(served, path)
    assert ids == whole[4:7]
    assert links["self"] == path
    assert links["next"] == f"/v3.0/users?role=student&limit=3&x=%C3%A9%20+&count=5&starting_after={whole[6]}"
    assert links["prev"] == f"/v3.0/users?role=student&limit=3&x=%C3%A9%20+&count=5&ending_before={whole[4]}"


def test_links_are_relative_and_carry_the_version_asked(served: Served) -> None:
    for version in ("v3.0", "v3.1"):
        for uri in page(served, f"/{version}/users?limit=1")[1].values():
            assert urlsplit(uri).netloc == ""
            assert uri.startswith(f"/{version}/users")


def test_districts_take_a_cursor_too(served: Served) -> None:
    (district,) = served.oracle.records["districts"]
    assert served.ids("/v3.1/districts?starting_after=0") == [district]
    assert served.ids(f"/v3.1/districts?starting_after={district}") == []


def test_a_large_page_asked_twice_is_the_same(served: Served) -> None:
    first, second = (served.get("/v3.0/users?limit=10000") for _ in range(2))
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
