"""The sandbox's own pages: what was asked of it and what is in it."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.sandbox import PRESETS, create_app

from .conftest import Served, app_of


@pytest.fixture
def fresh(served: Served) -> Iterator[Served]:
    assert served.client.post("/__sandbox/reset").json() == {"reset": True}
    yield served


def stats(served: Served) -> Any:
    return served.client.get("/__sandbox/stats").json()


def test_calls_are_counted_by_template_without_version(fresh: Served) -> None:
    section = next(iter(fresh.oracle.sections))
    for path in ("/v3.1/users", "/v3.0/users?limit=1", "/v3.1/users?role=student"):
        fresh.get(path)
    for version in ("v3.0", "v3.1"):
        fresh.get(f"/{version}/sections/{section}/users")
    fresh.get("/v3.1/users/x/myStudents")
    fresh.get("/v3.1/users/x/mystudents")
    assert stats(fresh) == {
        "calls": {"/sections/{id}/users": 2, "/users": 3, "/users/{id}/mystudents": 2},
        "limited": 0,
    }


def test_refused_calls_on_known_routes_count_and_all_else_does_not(fresh: Served) -> None:
    fresh.get("/v3.1/schools", token="nobody")
    fresh.get("/v3.1/schools/x")
    fresh.get("/v3.1/schools?limit=0")
    fresh.get("/v3.1/schools", token="ilc_DEMO_STUDENT_TOKEN")
    fresh.get("/v3.1/students")
    fresh.get("/oauth/tokeninfo")
    fresh.get("/__sandbox/districts")
    fresh.client.post("/v3.1/schools")
    assert stats(fresh) == {"calls": {"/schools": 3, "/schools/{id}": 1}, "limited": 0}


def test_the_pages_need_no_token_and_only_their_own_method(served: Served) -> None:
    assert served.client.get("/__sandbox/reset").status_code == 404
    assert served.client.post("/__sandbox/stats").status_code == 404
    assert served.client.get("/__sandbox/districts").status_code == 200


def test_districts_are_listed_with_their_counts_and_people(served: Served) -> None:
    body = served.client.get("/__sandbox/districts").json()
    assert [(row["token"], row["preset"]) for row in body["districts"]] == [
        ("TEST_TOKEN", "tiny"),
        ("TEST_TOKEN_2", "tiny"),
        ("TEST_TOKEN_3", "tiny"),
    ]
    for row in body["districts"]:
        records = served.app.records(row["token"])
        assert row["name"] == records["districts"][row["id"]]["name"]
        for collection, found in records.items():
            assert row["counts"][collection] == len(found)
        for role in ("student", "teacher", "staff", "district_admin", "contact"):
            held = [user for user in records["users"].values() if role in user["roles"]]
            assert row["counts"][f"role:{role}"] == len(held)
    assert body["user_tokens"] == served.app.user_tokens
    assert set(body["user_tokens"].values()) <= served.oracle.users.keys()


def test_only_the_first_district_has_the_chosen_size() -> None:
    assert [info.preset for info in app_of("sandbox").describe()] == ["sandbox", "tiny", "tiny"]
    assert len({info.id for info in app_of("sandbox").describe()}) == 3
    assert len(create_app("tiny", districts=5, rate_limit=None).describe()) == 5


def test_presets_are_named_and_others_refused() -> None:
    assert PRESETS == ("tiny", "sandbox", "median", "large", "top100")
    with pytest.raises(ValueError, match="tiny, sandbox, median, large, top100"):
        create_app("enormous")
    with pytest.raises(ValueError, match="districts"):
        create_app("tiny", districts=0)


def test_progress_is_told_in_sentences_and_rises_to_one() -> None:
    heard: list[tuple[str, float]] = []
    create_app("tiny", districts=2, on_progress=lambda sentence, share: heard.append((sentence, share)))
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert all(" " in sentence for sentence, _ in heard)
