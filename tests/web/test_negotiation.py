"""The choice between the two media types, by the header `Accept`."""

import pytest

from gateway.web.negotiation import GRAPHQL_JSON, JSON, choose_media_type
from tests.conftest import Gateway

NEW, OLD = GRAPHQL_JSON, JSON


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, OLD),
        ("", OLD),
        ("  ", OLD),
        ("*/*", OLD),
        ("application/*", OLD),
        (OLD, OLD),
        (NEW, NEW),
        (NEW.upper(), NEW),
        (f"{OLD}, {NEW}", NEW),
        (f"{NEW}, {OLD}", NEW),
        (f"{NEW}, {OLD};q=0.9", NEW),
        (f"{NEW};q=0.5, {OLD}", OLD),
        (f"{NEW};q=0.5, {OLD};q=0.4", NEW),
        (f"{NEW}, */*", NEW),
        (f"{OLD}, */*", OLD),
        (f"{OLD};q=0.1, */*", NEW),
        ("application/*;q=0.1, */*", OLD),
        (f"{OLD};q=0, */*", NEW),
        (f"{NEW};q=0, */*", OLD),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", OLD),
        (f"text/event-stream, {NEW};q=0.3", NEW),
        (f"{NEW}; charset=utf-8", NEW),
        (f'{NEW}; charset="UTF-8" ; q=0.5', NEW),
        (f"{NEW}; charset=iso-8859-1", None),
        (f"{NEW}; charset=iso-8859-1, {OLD}", OLD),
        (f"{OLD};q=1.0", OLD),
        (f"{OLD};q=0", None),
        (f"{OLD};q=0.000, {NEW};q=0.0", None),
        (f"{OLD};q=banana", None),
        (f"{OLD};q=nan", None),
        ("text/html", None),
        ("text/*", None),
        ("application/graphql", None),
        (",,;,", None),
    ],
)
def test_the_best_of_what_is_accepted_is_chosen(accept: str | None, chosen: str | None) -> None:
    assert choose_media_type(accept) == chosen


async def test_a_header_in_several_lines_is_read_whole(gateway: Gateway) -> None:
    headers = [("accept", "text/html"), ("accept", NEW)]
    response = await gateway.http.get("/graphql", params={"query": "{ __typename }"}, headers=headers)

    assert response.headers["content-type"] == f"{NEW}; charset=utf-8"
