"""Tokens of districts, of people and of an app without Secure Sync; the pages of OAuth that list them."""

import pytest

from .conftest import Served

DEMO = {
    "ilc_DEMO_STUDENT_TOKEN": "student",
    "ilc_DEMO_TEACHER_TOKEN": "teacher",
    "ilc_DEMO_SCHOOL_ADMIN_TOKEN": "staff",
    "ilc_DEMO_DISTRICT_ADMIN_TOKEN": "district_admin",
}
OURS = ("sandbox-client", "sandbox-secret")


def test_each_district_token_sees_its_own_district_only(served: Served) -> None:
    seen = [served.ids("/v3.1/districts", token) for token in ("TEST_TOKEN", "TEST_TOKEN_2", "TEST_TOKEN_3")]
    assert len({one for ids in seen for one in ids}) == 3
    school = served.ids("/v3.1/schools", "TEST_TOKEN_2")[0]
    assert served.get(f"/v3.1/schools/{school}").status_code == 404
    assert served.get(f"/v3.1/schools/{school}", "TEST_TOKEN_2").status_code == 200
    assert served.get(f"/v3.1/districts/{seen[1][0]}").status_code == 404


def test_ids_are_unique_across_districts_and_types(served: Served) -> None:
    ids = [
        one
        for token in ("TEST_TOKEN", "TEST_TOKEN_2", "TEST_TOKEN_3")
        for records in (served.app.records(token), served.app.unshared(token))
        for collection in records.values()
        for one in collection
    ]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("query", ["?owner_type=district", "", "?foo=bar"])
def test_the_listing_gives_the_same_tokens_wrapped_once(served: Served, query: str) -> None:
    body = served.client.get(f"/oauth/tokens{query}", auth=OURS).json()
    assert list(body) == ["data", "links"]
    assert body["links"] == [{"rel": "self", "uri": f"/oauth/tokens{query}"}]
    assert {row["access_token"]: row["owner"] for row in body["data"]} == {
        info.token: {"type": "district", "id": info.id} for info in served.app.describe()
    }
    assert all(set(row) == {"id", "created", "owner", "access_token", "scopes"} for row in body["data"])
    order = [row["id"] for row in body["data"]]
    assert order not in (sorted(order), sorted(order, reverse=True))


def test_the_listing_can_be_narrowed_to_a_district(served: Served) -> None:
    second = served.app.describe()[1]
    body = served.client.get(f"/oauth/tokens?district={second.id}", auth=OURS).json()
    assert [row["access_token"] for row in body["data"]] == ["TEST_TOKEN_2"]
    assert served.client.get("/oauth/tokens?district=none", auth=OURS).json()["data"] == []


@pytest.mark.parametrize("auth", [None, ("sandbox-client", "wrong"), ("other", "sandbox-secret")])
def test_the_listing_refuses_strangers_in_oauth_s_words(served: Served, auth: tuple[str, str] | None) -> None:
    response = served.client.get("/oauth/tokens?owner_type=district", auth=auth)
    assert response.status_code == 401
    assert set(response.json()) == {"error", "error_description"}


@pytest.mark.parametrize("value", ["Basic", "Basic !!!", "Basic " + "A" * 3, "Bearer TEST_TOKEN"])
def test_malformed_credentials_are_refused_too(served: Served, value: str) -> None:
    assert served.client.get("/oauth/tokens", headers={"authorization": value}).status_code == 401


def test_only_district_tokens_can_be_listed(served: Served) -> None:
    response = served.client.get("/oauth/tokens?owner_type=user", auth=OURS)
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"


def test_tokeninfo_names_client_and_scopes(served: Served) -> None:
    body = served.json("/oauth/tokeninfo")
    assert body["client_id"] == "sandbox-client"
    assert "read:sections" in body["scopes"]
    assert served.json("/oauth/tokeninfo", "ilc_DEMO_STUDENT_TOKEN")["scopes"] == ["read:user_id"]
    assert set(served.get("/oauth/tokeninfo", "x").json()) == {"error", "error_description"}


@pytest.mark.parametrize(("token", "role"), DEMO.items())
def test_demo_people_hold_their_role_alone(served: Served, token: str, role: str) -> None:
    user = served.oracle.users[served.app.user_tokens[token]]
    assert list(user["roles"]) == [role]
    if role in ("student", "teacher"):
        assert served.oracle.user_sections(user["id"])


@pytest.mark.parametrize(("token", "role"), DEMO.items())
@pytest.mark.parametrize("path", ["/me", "/v3.0/me", "/v3.1/me"])
def test_me_of_demo_tokens_is_short_and_names_the_legacy_id(served: Served, token: str, role: str, path: str) -> None:
    user = served.oracle.users[served.app.user_tokens[token]]
    legacy = user["roles"][role].get("legacy_id", user["id"])
    assert (legacy == user["id"]) == (role == "student")
    assert served.json(path, token) == {"data": {"id": legacy, "district": user["district"], "type": role}}


@pytest.mark.parametrize("version", ["v3.0", "v3.1"])
def test_me_of_other_people_is_whole(served: Served, version: str) -> None:
    token = "ilc_SANDBOX_TEACHER_STAFF_TOKEN"
    user = served.oracle.users[served.app.user_tokens[token]]
    assert set(user["roles"]) == {"teacher", "staff"}
    assert served.json(f"/{version}/me", token) == {
        "type": "user",
        "data": {"id": user["id"], "district": user["district"], "type": "user", "authorized_by": "district"},
        "links": [
            {"rel": "self", "uri": "/me"},
            {"rel": "canonical", "uri": f"/{version}/users/{user['id']}"},
            {"rel": "district", "uri": f"/{version}/districts/{user['district']}"},
        ],
    }


def test_userinfo_leads_from_a_token_to_the_v3_id(served: Served) -> None:
    for token, user_id in served.app.user_tokens.items():
        body, user = served.json("/userinfo", token), served.oracle.users[user_id]
        assert body["sub"] == body["multi_role_user_id"] == user_id
        assert body["user_type"] in user["roles"]
        assert body["user_id"] == user["roles"][body["user_type"]].get("legacy_id", user_id)
        assert body["email"] == user.get("email", "")
        assert body["email_verified"] is False
        assert body["district"] == body["district_id"] == user["district"]
        assert body["family_name"] == user["name"]["last"]


@pytest.mark.parametrize("token", DEMO)
def test_a_user_token_reads_its_person_without_links_and_its_district(served: Served, token: str) -> None:
    user = served.oracle.users[served.app.user_tokens[token]]
    assert served.json(f"/v3.1/users/{user['id']}", token) == {"data": user}
    assert served.json(f"/v3.1/districts/{user['district']}", token)["data"]["id"] == user["district"]
    assert served.ids("/v3.0/districts", token) == [user["district"]]


@pytest.mark.parametrize(
    "path",
    [
        "/v3.1/users",
        "/v3.1/users/{other}",
        "/v3.1/users/{own}/sections",
        "/v3.1/users/{own}?limit=1",
        "/v3.1/schools",
        "/v3.0/resources",
        "/v3.1/sections?role=student",
        "/v3.1/districts?limit=1",
        "/v3.1/districts?starting_after=0",
        "/v3.1/districts?%65nding_before=last",
        "/v3.1/districts/{other}",
        "/v3.1/nothing",
    ],
)
def test_a_user_token_gets_an_html_404_elsewhere_and_for_any_paging(served: Served, path: str) -> None:
    own = served.app.user_tokens["ilc_DEMO_TEACHER_TOKEN"]
    other = served.app.user_tokens["ilc_DEMO_STUDENT_TOKEN"]
    target = path.format(own=own, other=other)
    response = served.get(target, "ilc_DEMO_TEACHER_TOKEN")
    assert response.status_code == 404
    assert f"<pre>Cannot GET {target.partition('?')[0]}</pre>" in response.text


def test_an_app_without_secure_sync_reads_the_district_and_nothing_else(served: Served) -> None:
    token = "TEST_TOKEN_NO_SYNC"
    (district,) = served.ids("/v3.1/districts", token)
    assert served.get(f"/v3.1/districts/{district}", token).status_code == 200
    assert served.json("/v3.1/districts?count=true", token)["count"] == 1
    for path in ("/v3.1/users", "/v3.1/schools", "/v3.0/resources", "/v3.1/schools/x/district", "/v3.1/me"):
        response = served.get(path, token)
        assert response.status_code == 404
        assert "Cannot GET" in response.text


@pytest.mark.parametrize("path", ["/me", "/v3.1/me", "/userinfo"])
def test_a_district_token_is_nobody(served: Served, path: str) -> None:
    response = served.get(path)
    assert response.status_code == 404
    assert f"Cannot GET {path}" in response.text
