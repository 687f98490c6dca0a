"""The sandbox's own pages: what was asked of it and what is in it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.sandbox import PRESETS, create_app
from tests.servers import running

from .conftest import Served, app_of
from .oracle import Oracle


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


def listed(served: Served, district: str) -> list[tuple[str, str]]:
    """Return when each token of a district was made, and the token, the newest last."""
    response = served.client.get(f"/oauth/tokens?district={district}", auth=("sandbox-client", "sandbox-secret"))
    return sorted((row["created"], row["access_token"]) for row in response.json()["data"])


class TestTokensThatChange:
    @pytest.fixture
    def apart(self) -> Iterator[Served]:
        app = create_app("tiny", districts=2, rate_limit=None)
        with running(app) as origin, httpx.Client(base_url=origin) as client:
            yield Served(app, origin, client, Oracle(app.records("TEST_TOKEN")))

    def change(self, served: Served, action: str, **more: str) -> httpx.Response:
        district = served.app.describe()[1].id
        return served.client.post(f"/__sandbox/{action}", params={"district": district, **more})

    def test_a_rotated_token_is_refused_and_the_new_one_is_listed_and_reads_the_same(self, apart: Served) -> None:
        district = apart.app.describe()[1].id
        new = self.change(apart, "rotate").json()["token"]
        assert [token for _, token in listed(apart, district)] == [new]
        assert apart.get("/v3.1/districts", "TEST_TOKEN_2").status_code == 401
        assert apart.ids("/v3.1/districts", new) == [district]
        assert apart.ids("/v3.1/districts") == [apart.app.describe()[0].id]

    def test_a_token_that_is_kept_beside_the_new_one_is_the_older_of_two(self, apart: Served) -> None:
        district = apart.app.describe()[1].id
        new = [self.change(apart, "rotate", keep="true").json()["token"] for _ in range(2)]
        assert [token for _, token in listed(apart, district)] == ["TEST_TOKEN_2", *new]
        assert apart.ids("/v3.1/districts", "TEST_TOKEN_2") == apart.ids("/v3.1/districts", new[-1]) == [district]

    def test_a_district_goes_and_comes_back(self, apart: Served) -> None:
        district = apart.app.describe()[1].id
        assert self.change(apart, "disconnect").json() == {"tokens": ["TEST_TOKEN_2"]}
        assert listed(apart, district) == []
        assert apart.get("/v3.1/districts", "TEST_TOKEN_2").status_code == 401
        assert self.change(apart, "disconnect").status_code == self.change(apart, "rotate").status_code == 404
        assert self.change(apart, "connect").json() == {"tokens": ["TEST_TOKEN_2"]}
        assert apart.ids("/v3.1/districts", "TEST_TOKEN_2") == [district]
