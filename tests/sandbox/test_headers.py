"""Headers of answers, and answers that have not changed."""

import re
import uuid

import pytest

from .conftest import Served


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v3.1/schools", 200),
        ("/v3.1/schools/x", 404),
        ("/v3.1/nothing", 404),
        ("/v3.1/users?limit=0", 400),
        ("/v3.1/users?limit=10001", 413),
        ("/v3.1/resources", 200),
    ],
)
def test_every_answer_is_numbered_and_not_to_be_stored(served: Served, path: str, status: int) -> None:
    first, second = served.get(path), served.get(path)
    assert first.status_code == status
    assert first.headers["cache-control"] == "no-store"
    assert uuid.UUID(first.headers["x-request-id"]) != uuid.UUID(second.headers["x-request-id"])


def test_express_s_answers_say_so_and_have_a_weak_etag(served: Served) -> None:
    headers = served.get("/v3.1/schools").headers
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["x-powered-by"] == "Express"
    assert re.fullmatch(r'W/"[0-9a-f]+-[A-Za-z0-9+/]{27}"', headers["etag"])


def test_the_resources_backend_is_not_express(served: Served) -> None:
    own = served.json("/v3.1/resources")["data"][0]["uri"]
    for path in ("/v3.1/resources", own):
        headers = served.get(path).headers
        assert headers["content-type"] == "application/json"
        assert uuid.UUID(headers["clever-request-id"])
        assert "etag" not in headers
        assert "x-powered-by" not in headers
    assert "etag" in served.get(f"{own}/courses").headers


def test_the_etag_belongs_to_the_body(served: Served) -> None:
    tags = [served.get(path).headers["etag"] for path in ("/v3.1/schools", "/v3.1/schools", "/v3.0/schools")]
    assert tags[0] == tags[1] != tags[2]


@pytest.mark.parametrize("path", ["/v3.1/schools", "/v3.1/users?limit=10000"])
@pytest.mark.parametrize("condition", ["{}", '"other", {}', "*", "x,{},y"])
def test_what_the_caller_holds_is_a_304_without_a_body(served: Served, path: str, condition: str) -> None:
    etag = served.get(path).headers["etag"]
    response = served.get(path, if_none_match=condition.format(etag))
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == etag
    assert "content-type" not in response.headers
    assert "content-length" not in response.headers


def test_a_strong_form_of_the_same_etag_matches(served: Served) -> None:
    etag = served.get("/v3.1/schools").headers["etag"]
    assert served.get("/v3.1/schools", if_none_match=etag.removeprefix("W/")).status_code == 304


def test_another_etag_or_no_cache_gets_the_whole_answer(served: Served) -> None:
    etag = served.get("/v3.1/schools").headers["etag"]
    assert served.get("/v3.1/schools", if_none_match='W/"other"').status_code == 200
    assert served.get("/v3.1/schools", if_none_match=etag, cache_control="no-cache").status_code == 200
    missing = served.get("/v3.1/schools/x")
    assert served.get("/v3.1/schools/x", if_none_match=missing.headers["etag"]).status_code == 404


def test_without_a_limit_there_are_no_rate_headers(served: Served) -> None:
    assert not [name for name in served.get("/v3.1/schools").headers if name.startswith("x-ratelimit")]
