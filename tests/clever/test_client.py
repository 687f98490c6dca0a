"""What CleverClient sends, and what it makes of each answer."""

from collections.abc import AsyncIterator

import pytest

from gateway.clever.allowance import Allowance
from gateway.clever.calls import LAST, CountCall, ListCall, RecordCall
from gateway.clever.catalogue import COURSES, DISTRICTS, RESOURCES, SCHOOLS, SECTION_USERS, USERS
from gateway.clever.client import CleverClient
from gateway.clever.events import CallSent
from gateway.errors import (
    GatewayError,
    Unauthenticated,
    UpstreamInvalidResponse,
    UpstreamUnavailable,
)
from gateway.identity import Tenant
from tests.resilience import faulty as upstream
from tests.resilience.faulty import Fault, Faulty, edited, html, listing, says, status
from tests.resilience.fixtures import QUICK, connect
from tests.resilience.roster import ALGEBRA, DISTRICT, LICENCE, MATH, NORTH, SOUTH, STUDENTS, TEACHERS

TENANT = Tenant("a-token")
NOBODY = "0" * 24
SCHOOL = RecordCall(SCHOOLS, NORTH)
SCHOOL_PATH = f"/schools/{NORTH}"
ALL_USERS = ListCall(USERS, "/users")
CLASS = ListCall(USERS, SECTION_USERS.link, MATH)


@pytest.fixture
async def client(faulty: Faulty) -> AsyncIterator[CleverClient]:
    async with connect(faulty) as client:
        yield client


def allowance(calls: int = 100, seconds: float = 10.0) -> Allowance:
    return Allowance(seconds, calls)


# What is sent


async def test_a_call_is_a_get_under_the_version_with_the_token_as_given(faulty: Faulty, client: CleverClient) -> None:
    await client.record(TENANT, SCHOOL, allowance())
    (asked,) = faulty.asked
    assert (asked.method, asked.version, asked.target) == ("GET", "v3.1", SCHOOL_PATH)
    assert asked.header("authorization") == ["Bearer a-token"]
    assert asked.header("accept") == ["application/json"]


async def test_the_older_version_is_asked_for_by_its_prefix(faulty: Faulty) -> None:
    async with connect(faulty, version="v3.0") as client:
        await client.record(TENANT, SCHOOL, allowance())
        page = await client.page(TENANT, ListCall(USERS, "/users", limit=2), allowance())
    assert page is not None
    assert page.onward == STUDENTS[1]
    assert [asked.version for asked in faulty.asked] == ["v3.0", "v3.0"]


async def test_every_try_carries_the_token_once(faulty: Faulty, client: CleverClient) -> None:
    faulty.on(SCHOOL_PATH, status(500), status(503))
    await client.record(TENANT, SCHOOL, allowance())
    assert [asked.header("authorization") for asked in faulty.asked] == [["Bearer a-token"]] * 3


async def test_tenants_are_not_mixed_up_on_shared_connections(faulty: Faulty, client: CleverClient) -> None:
    for name in ("one", "two", "one"):
        await client.record(Tenant(name), SCHOOL, allowance())
    assert [asked.header("authorization") for asked in faulty.asked] == [["Bearer one"], ["Bearer two"], ["Bearer one"]]


async def test_cookies_are_not_kept_from_one_call_to_the_next(faulty: Faulty, client: CleverClient) -> None:
    faulty.on(SCHOOL_PATH, edited_headers(set_cookie="session=of-one; Path=/"))
    await client.record(Tenant("one"), SCHOOL, allowance())
    await client.record(Tenant("two"), SCHOOL, allowance())
    assert [asked.header("cookie") for asked in faulty.asked] == [[], []]


def edited_headers(**headers: str) -> Fault:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda sound: upstream.Reply(sound.status, sound.body, (*sound.headers, *named))


async def test_parameters_are_sent_as_the_call_says(faulty: Faulty, client: CleverClient) -> None:
    call = ListCall(USERS, "/users", limit=2, after=STUDENTS[0])
    await client.page(TENANT, call, allowance())
    await client.page(TENANT, ListCall(USERS, "/users", limit=3, before=LAST), allowance())
    await client.count(TENANT, CountCall(USERS, "student"), allowance())
    assert faulty.targets == [
        f"/users?limit=2&starting_after={STUDENTS[0]}",
        "/users?limit=3&ending_before=last",
        "/users?count=true&role=student",
    ]


# What comes back


async def test_a_record_a_page_and_a_count_are_read(client: CleverClient) -> None:
    record = await client.record(TENANT, RecordCall(COURSES, ALGEBRA), allowance())
    page = await client.page(TENANT, CLASS, allowance())
    assert record is not None
    assert page is not None
    assert record.id == ALGEBRA
    assert [user.id for user in page.records] == [*STUDENTS[:4], *TEACHERS]
    assert page.onward is None
    assert await client.count(TENANT, CountCall(USERS, "teacher"), allowance()) == 2


@pytest.mark.parametrize("fault", [status(404, b'{"error":"Resource not found"}'), html(404), status(404)])
async def test_404_of_any_form_is_none(faulty: Faulty, client: CleverClient, fault: Fault) -> None:
    faulty.always(upstream.ANY, fault)
    assert await client.record(TENANT, SCHOOL, allowance()) is None
    assert await client.page(TENANT, ALL_USERS, allowance()) is None
    assert await client.count(TENANT, CountCall(USERS), allowance()) is None
    assert len(faulty.asked) == 3


REFUSALS: list[tuple[Fault, type[GatewayError]]] = [
    (status(400, b'{"error":"x"}'), UpstreamInvalidResponse),
    (status(401, b'{"code":101,"error":"Unrecognized token string","data":{}}'), Unauthenticated),
    (status(401), Unauthenticated),
    (status(403), UpstreamInvalidResponse),
    (status(413), UpstreamInvalidResponse),
    (status(501), UpstreamUnavailable),
]


@pytest.mark.parametrize(("fault", "error"), REFUSALS)
async def test_what_another_try_cannot_better_is_tried_once(
    faulty: Faulty, client: CleverClient, fault: Fault, error: type[GatewayError]
) -> None:
    faulty.always(SCHOOL_PATH, fault)
    spent = allowance()
    with pytest.raises(error):
        await client.record(TENANT, SCHOOL, spent)
    assert faulty.targets == [SCHOOL_PATH]
    assert spent.used == 1


MAY_PASS: list[tuple[Fault, type[GatewayError]]] = [
    (status(500), UpstreamUnavailable),
    (status(502), UpstreamUnavailable),
    (html(503), UpstreamUnavailable),
    (upstream.hung_up, UpstreamUnavailable),
    (status(204), UpstreamInvalidResponse),
    (html(200), UpstreamInvalidResponse),
    (upstream.truncated, UpstreamInvalidResponse),
    (upstream.half_gzipped, UpstreamInvalidResponse),
    (upstream.not_gzipped, UpstreamInvalidResponse),
    (upstream.elsewhere, UpstreamInvalidResponse),
    (says(None), UpstreamInvalidResponse),
    (says([]), UpstreamInvalidResponse),
    (says({"data": None}), UpstreamInvalidResponse),
    (says({"data": []}), UpstreamInvalidResponse),
    (says({"data": {"id": SOUTH}}), UpstreamInvalidResponse),
    (upstream.sends(b'{"data":{"id":"\xff"}}'), UpstreamInvalidResponse),
]


@pytest.mark.parametrize(("fault", "error"), MAY_PASS)
async def test_what_may_pass_is_tried_again(
    faulty: Faulty, client: CleverClient, fault: Fault, error: type[GatewayError]
) -> None:
    faulty.on(SCHOOL_PATH, fault, fault)
    assert await client.record(TENANT, SCHOOL, allowance()) is not None
    faulty.always(SCHOOL_PATH, fault)
    with pytest.raises(error):
        await client.record(TENANT, SCHOOL, allowance())
    assert len(faulty.asked) == 2 * QUICK.tries


async def test_a_redirect_is_never_followed_and_never_taken_for_an_answer(faulty: Faulty, client: CleverClient) -> None:
    target = f"{faulty.origin}/v3.1/schools/{SOUTH}"
    faulty.on(SCHOOL_PATH, status(302, location=target), status(307, location=target), status(301, location=target))
    with pytest.raises(UpstreamInvalidResponse):
        await client.record(TENANT, SCHOOL, allowance())
    assert faulty.targets == [SCHOOL_PATH] * 3


async def test_a_client_opens_connections_of_its_own(faulty: Faulty) -> None:
    async with CleverClient(f"{faulty.origin}/", "v3.1") as client:
        assert await client.record(TENANT, SCHOOL, allowance()) is not None
    assert faulty.targets == [SCHOOL_PATH]


async def test_nobody_listening_is_unavailable() -> None:
    nowhere = Faulty()
    nowhere.origin = "http://127.0.0.1:9"
    async with connect(nowhere) as client:
        with pytest.raises(UpstreamUnavailable, match="GATEWAY_CLEVER_URL"):
            await client.record(TENANT, SCHOOL, allowance())


async def test_a_compressed_answer_is_read(faulty: Faulty, client: CleverClient) -> None:
    faulty.always(SCHOOL_PATH, upstream.gzipped)
    assert await client.record(TENANT, SCHOOL, allowance()) is not None


@pytest.mark.parametrize("packed", [upstream.sound, upstream.gzipped])
async def test_an_answer_beyond_the_size_is_refused_and_asked_for_only_once_again(
    faulty: Faulty, packed: Fault
) -> None:
    faulty.always("/users", lambda sound: packed(upstream.sends(sound.body + b" " * 200_000)(sound)))
    async with connect(faulty, max_bytes=100_000) as client:
        with pytest.raises(UpstreamInvalidResponse, match="GATEWAY_UPSTREAM_MAX_BYTES"):
            await client.page(TENANT, ALL_USERS, allowance())
        assert await client.record(TENANT, SCHOOL, allowance()) is not None
    assert faulty.targets == ["/users", "/users", SCHOOL_PATH]


async def test_the_resources_backends_empty_answer_is_an_empty_page(faulty: Faulty, client: CleverClient) -> None:
    faulty.on("/resources", says({"resources": []}))
    empty = await client.page(TENANT, ListCall(RESOURCES, "/resources"), allowance())
    full = await client.page(TENANT, ListCall(RESOURCES, "/resources"), allowance())
    assert empty is not None
    assert full is not None
    assert (empty.records, [record.id for record in full.records]) == ((), [LICENCE])


async def test_a_collection_without_pages_is_read(client: CleverClient) -> None:
    page = await client.page(TENANT, ListCall(DISTRICTS, "/districts"), allowance())
    assert page is not None
    assert [record.id for record in page.records] == [DISTRICT]


@pytest.mark.parametrize("body", [{"count": "7"}, {"count": -1}, {"data": []}, [], {"count": None}])
async def test_a_count_of_another_shape_is_refused(faulty: Faulty, client: CleverClient, body: object) -> None:
    faulty.always("/users", says(body))
    with pytest.raises(UpstreamInvalidResponse):
        await client.count(TENANT, CountCall(USERS), allowance())


# Links


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:9/v3.1/users?starting_after=" + STUDENTS[0],
        "//127.0.0.1:9/v3.1/users?starting_after=" + STUDENTS[0],
        "/v3.1/schools?starting_after=" + STUDENTS[0],
        "/v3.1/users?starting_after=x%26limit=1",
        "//[::1",
        "/",
    ],
)
async def test_a_foreign_or_broken_link_is_refused(faulty: Faulty, client: CleverClient, uri: str) -> None:
    faulty.always("/users", says(listing("/v3.1/users", [], next=uri)))
    with pytest.raises(UpstreamInvalidResponse):
        await client.page(TENANT, ALL_USERS, allowance())


@pytest.mark.parametrize("cursor", [STUDENTS[1], STUDENTS[0]])
async def test_a_link_back_to_where_the_page_started_is_refused(
    faulty: Faulty, client: CleverClient, cursor: str
) -> None:
    faulty.always("/users", says(listing("/v3.1/users", [], next=cursor)))
    with pytest.raises(UpstreamInvalidResponse, match="earlier page"):
        await client.page(TENANT, ListCall(USERS, "/users", after=STUDENTS[1]), allowance())


@pytest.mark.parametrize("cursor", [STUDENTS[1], STUDENTS[2]])
async def test_a_link_forward_on_the_way_back_is_refused(faulty: Faulty, client: CleverClient, cursor: str) -> None:
    faulty.always("/users", says(listing("/v3.1/users", [], prev=cursor)))
    with pytest.raises(UpstreamInvalidResponse, match="earlier page"):
        await client.page(TENANT, ListCall(USERS, "/users", before=STUDENTS[1]), allowance())


async def test_the_link_of_the_other_direction_is_not_judged(faulty: Faulty, client: CleverClient) -> None:
    odd = listing("/v3.1/users", [], prev="/v3.1/users?ending_before=undefined")
    faulty.on("/users", says(odd))
    page = await client.page(TENANT, ListCall(USERS, "/users", after=STUDENTS[1]), allowance())
    assert page is not None
    assert page.onward is None


# What subscribers hear


async def test_subscribers_hear_templates_and_never_ids(faulty: Faulty) -> None:
    heard: list[CallSent] = []
    async with connect(faulty, heard=heard) as client:
        faulty.on(SCHOOL_PATH, status(500), upstream.hung_up)
        await client.record(TENANT, SCHOOL, allowance())
        await client.record(TENANT, RecordCall(USERS, NOBODY), allowance())
        await client.page(TENANT, ListCall(USERS, SECTION_USERS.link, MATH, after=STUDENTS[0]), allowance())
        await client.count(TENANT, CountCall(USERS), allowance())
    assert [(sent.template, sent.status, sent.attempt) for sent in heard] == [
        ("/schools/{id}", 500, 1),
        ("/schools/{id}", None, 2),
        ("/schools/{id}", 200, 3),
        ("/users/{id}", 404, 1),
        ("/sections/{id}/users", 200, 1),
        ("/users", 200, 1),
    ]
    assert all(sent.seconds >= 0 for sent in heard)
    assert [sent.bytes > 0 for sent in heard] == [False, False, True, True, True, True]
    assert not any(key in repr(heard) for key in (NORTH, NOBODY, MATH, STUDENTS[0], "a-token"))


async def test_an_edited_record_is_read_value_by_value(faulty: Faulty, client: CleverClient) -> None:
    faulty.on(SCHOOL_PATH, edited(lambda body: body["data"].update(name=7, phone=None, low_grade={"x": 1})))
    school = await client.record(TENANT, SCHOOL, allowance())
    assert (getattr(school, "name", ""), getattr(school, "phone", ""), getattr(school, "low_grade", "")) == (
        "7",
        None,
        None,
    )
