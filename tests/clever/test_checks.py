"""Lists keep to their course and come to an end, and a token is shown one district."""

import pytest

from gateway.clever.calls import LAST, ListCall
from gateway.clever.catalogue import SECTIONS, USERS
from gateway.clever.checks import Districts, Walk, check_link, rows_beyond
from gateway.clever.decode import Page
from gateway.clever.records import District, Record, School, User
from gateway.errors import UpstreamInvalidResponse
from gateway.identity import Tenant
from tests.resilience.roster import an_id

TENANT, OTHER = Tenant("one"), Tenant("two")
HERE, THERE = an_id(1, 1), an_id(1, 2)
ONE, TWO, THREE = (an_id(7, number) for number in (1, 2, 3))


def asked(**options: object) -> ListCall:
    return ListCall(USERS, "/users", **options)  # type: ignore[arg-type]


def rows(*keys: str) -> tuple[Record, ...]:
    return tuple(User(id=key) for key in keys)


def ids(page: Page) -> list[str]:
    return [row.id for row in page.records]


# Links


@pytest.mark.parametrize(
    ("call", "onward"),
    [
        (asked(), ONE),
        (asked(), None),
        (asked(after=ONE), TWO),
        (asked(before=TWO), ONE),
        (asked(before=LAST), THREE),
    ],
)
def test_a_link_that_leads_on_is_followed(call: ListCall, onward: str | None) -> None:
    check_link(call, onward)


@pytest.mark.parametrize(
    ("call", "onward"),
    [(asked(after=TWO), TWO), (asked(after=TWO), ONE), (asked(before=TWO), TWO), (asked(before=TWO), THREE)],
)
def test_a_link_that_leads_back_is_not(call: ListCall, onward: str) -> None:
    with pytest.raises(UpstreamInvalidResponse, match="earlier page"):
        check_link(call, onward)


def test_rows_from_before_the_cursor_are_left_out() -> None:
    everything = Page(rows(ONE, TWO, THREE))
    assert ids(rows_beyond(asked(), everything)) == [ONE, TWO, THREE]
    assert ids(rows_beyond(asked(after=ONE), everything)) == [TWO, THREE]
    assert ids(rows_beyond(asked(before=THREE), everything)) == [ONE, TWO]
    assert ids(rows_beyond(asked(before=LAST), everything)) == [ONE, TWO, THREE]
    assert ids(rows_beyond(asked(after=THREE), Page(()))) == []


@pytest.mark.parametrize("call", [asked(after=THREE), asked(before=ONE)])
def test_a_page_of_nothing_but_such_rows_is_an_earlier_one(call: ListCall) -> None:
    with pytest.raises(UpstreamInvalidResponse, match="earlier page"):
        rows_beyond(call, Page(rows(ONE, TWO, THREE)))


# Ends


def pages_taken(limit: int, pages: int, rows_each: int, *, backward: bool = False) -> int:
    """Return how many pages are taken before they are too many."""
    walk = Walk()
    call = asked(limit=limit, before=LAST if backward else None)
    for number in range(pages):
        start = number * rows_each
        numbers = range(10**6 - start - rows_each, 10**6 - start) if backward else range(start, start + rows_each)
        found = rows(*(an_id(7, one) for one in numbers))
        try:
            walk.take(call, found, an_id(7, 10**6 - start if backward else start + rows_each))
        except UpstreamInvalidResponse:
            return number
    return pages


@pytest.mark.parametrize("backward", [False, True])
def test_full_pages_may_be_many_and_short_ones_few(backward: bool) -> None:
    assert pages_taken(2, 600, 2, backward=backward) == 500
    assert pages_taken(10, 600, 1, backward=backward) == 25
    assert pages_taken(10, 600, 0, backward=backward) == 25
    assert pages_taken(10, 600, 2, backward=backward) == 500
    assert pages_taken(1, 600, 1, backward=backward) == 500


def test_a_page_without_a_limit_is_of_clevers_own_size() -> None:
    walk = Walk()
    for number in range(25):
        walk.take(ListCall(SECTIONS, "/sections"), rows(an_id(7, number)), an_id(7, number))
    with pytest.raises(UpstreamInvalidResponse, match="no end"):
        walk.take(ListCall(SECTIONS, "/sections"), rows(an_id(7, 26)), an_id(7, 26))


def test_pages_that_bring_nothing_new_are_fewer_still() -> None:
    walk = Walk()
    walk.take(asked(limit=1), rows(TWO), ONE)
    for found in (rows(ONE), rows(), rows(TWO), rows(TWO)):
        walk.take(asked(limit=1), found, TWO)
    with pytest.raises(UpstreamInvalidResponse, match="no end"):
        walk.take(asked(limit=1), rows(TWO), THREE)


def test_the_last_page_is_never_too_many() -> None:
    walk = Walk()
    for _ in range(1_000):
        walk.take(asked(limit=10), rows(), None)


# Districts


def school(district: str | None) -> School:
    return School(id=an_id(2, 1), district=district)


def refused(districts: Districts, *records: Record, tenant: Tenant = TENANT) -> bool:
    try:
        districts.check(tenant, records)
    except UpstreamInvalidResponse:
        return True
    return False


def test_records_of_one_district_are_a_tenants() -> None:
    districts = Districts()
    assert not refused(districts, school(HERE), District(id=HERE), User(id=ONE, district=HERE))
    assert not refused(districts, school(None), school(""), school("nonsense"))
    assert refused(districts, school(THERE))
    assert refused(districts, District(id=THERE))
    assert refused(districts, school(HERE), school(THERE))
    assert not refused(districts, school(HERE))


def test_tenants_have_districts_of_their_own() -> None:
    districts = Districts()
    assert not refused(districts, school(HERE))
    assert not refused(districts, school(THERE), tenant=OTHER)
    assert refused(districts, school(HERE), tenant=OTHER)


def test_two_districts_in_the_first_answer_are_none() -> None:
    districts = Districts()
    assert refused(districts, school(HERE), school(THERE))
    assert not refused(districts, school(HERE))


def test_a_district_is_believed_until_nothing_has_agreed_with_it_for_long() -> None:
    now = [0.0]
    districts = Districts(clock=lambda: now[0])
    districts.check(TENANT, [school(HERE)])
    now[0] = 500.0
    districts.check(TENANT, [school(HERE)])
    now[0] = 1_100.0
    assert refused(districts, school(THERE))
    now[0] = 1_101.0
    assert not refused(districts, school(THERE))
    assert refused(districts, school(HERE))
