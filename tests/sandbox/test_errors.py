"""Errors in Clever's three shapes, and calls no client should make."""

import http.client
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Served, app_of

EXPRESS = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>Cannot {} {}</pre>
</body>
</html>
"""


def raw(served: Served, method: str, target: str, **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Send a target exactly as written, which httpx would tidy up."""
    connection = http.client.HTTPConnection(urlsplit(served.origin).netloc, timeout=10)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        connection.putheader("Authorization", f"Bearer {served.token}")
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/v3.0/students",
        "/v3.1/teachers",
        "/v3.1/contacts",
        "/v3.1/school_admins",
        "/v3.1/district_admins",
        "/v3.0/sections/{section}/students",
        "/v3.0/sections/{section}/teachers",
        "/v3.0/schools/{school}/students",
        "/v3.1/classes",
        "/v3.1/users/x/y/z",
        "/v3.1/districts/x/schools",
        "/v3.1/sections/{section}/Users",
        "/v3.1/users/",
        "/v3.1",
        "/v3.1/",
        "/v2.1/users",
        "/v3.2/users",
        "/users",
        "/",
        "/__sandbox/nothing",
        "/oauth/revoke",
    ],
)
def test_a_route_that_is_not_there_is_express_s_html_404(served: Served, path: str) -> None:
    path = path.format(section=next(iter(served.oracle.sections)), school=next(iter(served.oracle.schools)))
    response = served.get(path + "?limit=5")
    assert response.status_code == 404
    assert response.text == EXPRESS.format("GET", path)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"] == "default-src 'none'"
    assert "etag" not in response.headers


def test_the_html_page_is_as_long_as_the_recorded_one() -> None:
    assert len(EXPRESS.format("GET", "/v3.0/resources")) == 153


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_get_is_a_route(served: Served, method: str) -> None:
    response = served.client.request(
        method,
        "/v3.1/users",
        headers={"authorization": "Bearer TEST_TOKEN"},
        content=b"{}" if method == "POST" else None,
    )
    assert response.status_code == 404
    assert response.text == EXPRESS.format(method, "/v3.1/users")


def test_head_is_not_a_route_and_has_no_body(served: Served) -> None:
    response = served.client.head("/v3.1/users", headers={"authorization": "Bearer TEST_TOKEN"})
    assert (response.status_code, response.content) == (404, b"")


def test_the_path_in_the_html_is_escaped(served: Served) -> None:
    status, body, _ = raw(served, "GET", "/v3.1/<script>alert('1')&\"</script>")
    assert status == 404
    assert b"<script>" not in body
    assert b"Cannot GET /v3.1/&lt;script&gt;alert(&#39;1&#39;)&amp;&quot;&lt;/script&gt;" in body


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Bearer", "Basic VEVTVF9UT0tFTg==", "TEST_TOKEN"])
def test_without_a_known_token_a_route_answers_401(served: Served, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    for path in ("/v3.1/users", "/v3.0/schools/x/users", "/v3.1/me", "/me", "/userinfo"):
        response = served.client.get(path, headers=headers)
        assert response.status_code == 401
        assert response.text == '{"code":101,"error":"Unrecognized token string","data":{}}'


def test_the_word_bearer_is_read_in_any_case(served: Served) -> None:
    assert served.client.get("/v3.1/schools", headers={"authorization": "bearer TEST_TOKEN"}).status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "/v3.1/users/%",
        "/v3.1/users/%zz/sections",
        "/v3.1/users?%=%&limit=%zz",
        "/v3.1/users?&&==&=x&limit",
        "/v3.1/users?limit=1&limit=2&role=a&role=b",
        "/v3.1/users?starting_after=%00%ff%fe",
        "//v3.1//users",
        "/v3.1/../users",
        "/" + "a/" * 5000,
        "/v3.1/users/" + "f" * 30_000,
        "/v3.1/users?" + "a=b&" * 8000,
        "/v3.1/users?x=" + "%41" * 10_000,
        "/oauth/tokens?" + "a=b&" * 500,
        "/%F0%9F%98%80",
        '/v3.1/users?x=\\"<>{}',
    ],
)
def test_odd_targets_get_an_answer_and_never_a_500(served: Served, target: str) -> None:
    status, body, headers = raw(served, "GET", target)
    assert status in {200, 400, 401, 404, 413}
    assert b"Traceback" not in body
    assert headers["x-request-id"] or status == 400


def ask(target: str, method: str = "GET") -> int:
    """Ask an application without a socket, for many odd targets."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": query.encode("utf-8", "surrogatepass"),
        "headers": [(b"authorization", b"Bearer TEST_TOKEN"), (b"if-none-match", b'W/"x", ,')],
    }
    return app_of("tiny").respond(scope)[0]


WORDS = st.sampled_from(
    ["users", "schools", "sections", "%", "%00", "x", "", "mystudents", "resources", "count", "true"]
)
KEYS = st.sampled_from(["limit", "role", "starting_after", "ending_before", "count", "primary", "x", "%", ""])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    parts=st.lists(WORDS | st.text(max_size=5), max_size=5),
    pairs=st.lists(st.tuples(KEYS, WORDS | st.text(max_size=8) | st.integers().map(str)), max_size=5),
)
def test_no_target_breaks_the_sandbox(parts: list[str], pairs: list[tuple[str, str]]) -> None:
    target = "/v3.1/" + "/".join(parts) + "?" + "&".join(f"{key}={value}" for key, value in pairs)
    assert ask(target) in {200, 400, 404, 413}
