"""Large pages are read a while at a time, with the same outcome as small ones, odd elements and all."""

import time
from typing import Any

import msgspec
import pytest

from gateway.clever.catalogue import USERS
from gateway.clever.decode import LargePage, NotClever, Page, decode_page
from tests.resilience.roster import an_id

PATH = "/v3.1/users"
CURSOR = an_id(7, 900)


def person(number: int, **more: Any) -> Any:
    return {"data": {"id": an_id(7, number), "name": {"first": f"N{number}"}, **more}, "uri": f"{PATH}/{number}"}


def body(*elements: Any) -> bytes:
    link = {"rel": "next", "uri": f"{PATH}?starting_after={CURSOR}"}
    return msgspec.json.encode({"data": elements, "links": [link]})


def read(page: LargePage) -> Page:
    for _ in page.read(0.001):
        pass
    return page.page()


ODD: dict[str, list[Any]] = {
    "sound": [person(number) for number in range(300)],
    "nothing": [],
    "nulls": [None, person(1), {"data": None}, 7, "x", [], {}, person(2)],
    "repeats": [person(2), person(1), person(2), person(1)],
    "wrong types": [person(1, name=7, roles="student", email=["x"]), person(2, created=5)],
    "no ids": [{"data": {}}, {"data": {"id": 7}}, {"data": {"id": "x"}}, person(3)],
}


@pytest.mark.parametrize("elements", ODD.values(), ids=ODD)
def test_a_large_page_is_read_as_a_small_one_is(elements: list[Any]) -> None:
    small = decode_page(USERS, body(*elements), PATH)
    assert read(LargePage(USERS, body(*elements), PATH)) == small
    assert small.onward == CURSOR


@pytest.mark.parametrize(
    "broken",
    [
        b"<html>",
        b'{"data":null}',
        b'{"data":{}}',
        b'{"data":[],"links":[null]}',
        body(person(1))[:-3],
        b"[" * 100_000,
    ],
)
def test_an_envelope_that_is_not_clevers_is_refused_at_once(broken: bytes) -> None:
    with pytest.raises(NotClever):
        LargePage(USERS, broken, PATH)


@pytest.mark.parametrize("inner", [b'"\xff"', b"[" * 3_000 + b"]" * 3_000], ids=["bad UTF-8", "deep"])
def test_a_record_that_cannot_be_read_is_refused_by_its_time(inner: bytes) -> None:
    sound = body(*(person(number) for number in range(200)), person(200, email="HERE"))
    with pytest.raises(NotClever):
        read(LargePage(USERS, sound.replace(b'"HERE"', inner), PATH))


def test_it_is_put_off_again_and_again_however_odd_the_records_are() -> None:
    elements = [None, *(person(number, name=7, roles="x", email=[], created={}) for number in range(3_000))]
    page = LargePage(USERS, body(*elements), PATH)
    steps: list[float] = []
    began = time.thread_time()
    for _ in page.read(0.005):
        steps.append(time.thread_time() - began)
        began = time.thread_time()
    assert len(steps) > 3
    # One may be the garbage collector's.
    assert sorted(steps)[-2] < 0.1
    assert len(page.page().records) == 3_000
