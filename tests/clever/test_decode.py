"""From bytes to records: strict about the envelope, tolerant of single wrong values."""

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clever import catalogue
from gateway.clever.catalogue import ALL, RESOURCES, SCHOOLS, SECTIONS, USERS, Resource
from gateway.clever.decode import decode_count, decode_page, decode_record, tolerant
from gateway.clever.records import NO_ROLES, Record, Roles
from gateway.clever.values import unrecognized
from gateway.errors import UpstreamInvalidResponse
from tests.sandbox.conftest import app_of

ID, OTHER, THIRD = (f"58da8c58155b94024800000{digit}" for digit in "123")
PATH = "/v3.1/users"
# The first example generates a district.
UNTIMED = settings(deadline=None)
FOREIGN = [
    "https://elsewhere.example/v3.1/users?starting_after=" + OTHER,
    "//elsewhere.example/v3.1/users?starting_after=" + OTHER,
    "/v3.0/users?starting_after=" + OTHER,
    "/v3.1/schools?starting_after=" + OTHER,
    "/v3.1/users/../me?starting_after=" + OTHER,
    "/v3.1/users?starting_after=",
    "/v3.1/users",
    "/v3.1/users?ending_before=" + OTHER,
    "/v3.1/users?starting_after=x%26limit=1",
    "/v3.1/users?starting_after=last",
    "//[::1",
    "//\u2100/",
    "",
]


@cache
def sandbox_records() -> dict[str, list[Any]]:
    """Return the records of a generated district by collection."""
    return {name: list(records.values()) for name, records in app_of("tiny").records("TEST_TOKEN").items()}


def page(*records: Any, **links: str) -> bytes:
    body = {
        "data": [{"data": record, "uri": "/v3.1/x"} for record in records],
        "links": [{"rel": rel, "uri": uri} for rel, uri in links.items()],
    }
    return msgspec.json.encode(body)


def read(rows: Resource, *records: Any) -> tuple[Any, ...]:
    return decode_page(rows, page(*records), f"/v3.1{rows.path}").records


def ids(records: tuple[Record, ...]) -> list[str]:
    return [record.id for record in records]


# Sound data


@pytest.mark.parametrize("rows", ALL, ids=lambda rows: rows.name)
def test_the_fast_and_the_tolerant_path_read_the_same(rows: Resource) -> None:
    raw = sandbox_records()[rows.name]
    slowly = [tolerant(rows.record, record) for record in raw]
    assert list(read(rows, *raw)) == slowly
    assert [decode_record(rows, msgspec.json.encode({"data": record})) for record in raw] == slowly


@pytest.mark.parametrize("rows", ALL, ids=lambda rows: rows.name)
def test_nothing_of_a_sound_record_is_lost(rows: Resource) -> None:
    raw = sandbox_records()[rows.name]
    for sent, got in zip(raw, read(rows, *raw), strict=True):
        assert _without_nothing(msgspec.to_builtins(got)) == _without_nothing(sent)


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items() if item is not None}
    return [_without_nothing(item) for item in value] if isinstance(value, list | tuple) else value


def test_sound_data_counts_nothing_as_unrecognized() -> None:
    before = dict(unrecognized)
    for name, raw in sandbox_records().items():
        read(next(rows for rows in ALL if rows.name == name), *raw)
    assert dict(unrecognized) == before


def test_unknown_keys_are_ignored_at_every_depth() -> None:
    sent = {"id": ID, "new": {"deep": [1]}, "name": {"first": "A", "nick": 1}, "roles": {"student": {"x": None}}}
    (user,) = read(USERS, sent)
    assert user.name.first == "A"
    assert user.roles.student is not None


def test_null_absent_and_empty_lists_keep_their_meaning() -> None:
    absent, null, empty = read(
        SECTIONS, {"id": ID}, {"id": OTHER, "students": None, "name": None}, {"id": THIRD, "students": [], "name": ""}
    )
    assert (absent.students, absent.name) == (null.students, null.name) == (None, None)
    assert (empty.students, empty.name) == ((), "")


# Wrong values

WRONG = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
Step = str | int


def places(value: Any, path: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    """Return where values stand in a record, but for its id and inside `ext`, which is free."""
    items: list[tuple[Any, Any]] = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, item in items:
        if (path, key) != ((), "id"):
            yield (*path, key)
            if key != "ext":
                yield from places(item, (*path, key))


def put(value: Any, path: tuple[Step, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return changed


@UNTIMED
@given(st.data())
def test_a_wrong_value_costs_itself_and_nothing_else(data: st.DataObject) -> None:
    rows = data.draw(st.sampled_from(ALL), "resource")
    sample = sandbox_records()[rows.name][:40]
    raw = data.draw(st.sampled_from(sample), "record")
    place = data.draw(st.sampled_from(list(places(raw))), "place")
    wrong = data.draw(WRONG, "value")
    neighbours = [record for record in sample if record["id"] != raw["id"]]

    found = {record.id: record for record in read(rows, *neighbours, put(raw, place, wrong))}
    got = found.pop(raw["id"])

    assert found == {record["id"]: tolerant(rows.record, record) for record in neighbours}
    sound = tolerant(rows.record, raw)
    for field in rows.record.__struct_fields__:
        if field != place[0]:
            assert getattr(got, field) == getattr(sound, field)


@UNTIMED
@given(st.data())
def test_a_wrong_value_reads_as_absent_or_as_text(data: st.DataObject) -> None:
    rows = data.draw(st.sampled_from([rows for rows in ALL if rows is not RESOURCES]), "resource")
    raw = data.draw(st.sampled_from(sandbox_records()[rows.name][:40]), "record")
    texts = [place for place in places(raw) if len(place) == 1 and isinstance(raw[place[0]], str)]
    (field,) = data.draw(st.sampled_from(texts), "place")
    wrong = data.draw(WRONG, "value")
    (got,) = read(rows, put(raw, (field,), wrong))
    number = isinstance(wrong, int | float) and not isinstance(wrong, bool)
    expected = wrong if isinstance(wrong, str) else str(wrong) if number else None
    if isinstance(wrong, float):
        assert float(getattr(got, str(field))) == wrong
    else:
        assert getattr(got, str(field)) == expected


@given(WRONG)
def test_roles_of_any_shape_never_make_a_record_fail(wrong: Any) -> None:
    (user,) = read(USERS, {"id": ID, "email": "a@b.example", "roles": wrong})
    assert user.email == "a@b.example"
    assert isinstance(user.roles, Roles)


@pytest.mark.parametrize("roles", [["student", "teacher"], None, "student", 7, [{"student": {}}]])
def test_roles_that_are_no_object_are_no_roles(roles: Any) -> None:
    (user,) = read(USERS, {"id": ID, "roles": roles})
    assert user.roles == NO_ROLES


def test_an_unknown_role_is_counted_and_the_known_ones_stay() -> None:
    before = unrecognized["role"]
    (user,) = read(USERS, {"id": ID, "roles": {"principal": {"school": OTHER}, "teacher": {"title": "T"}}})
    assert user.roles.teacher.title == "T"
    assert unrecognized["role"] == before + 1


def test_numbers_are_kept_as_text() -> None:
    (school,) = read(SCHOOLS, {"id": ID, "school_number": 214, "sis_id": 1.5, "name": True})
    assert (school.school_number, school.sis_id, school.name) == ("214", "1.5", None)


def test_a_wrong_item_of_a_list_is_left_out() -> None:
    (section,) = read(SECTIONS, {"id": ID, "students": [OTHER, None, {"id": THIRD}, 7, [], THIRD]})
    assert section.students == (OTHER, "7", THIRD)


@pytest.mark.parametrize("ext", [["a"], [], "a", 1, True])
def test_extension_fields_that_are_no_object_are_absent(ext: Any) -> None:
    (school,) = read(SCHOOLS, {"id": ID, "ext": ext})
    assert school.ext is None


def test_elements_without_the_double_wrapping_are_left_out_and_counted() -> None:
    before = unrecognized["list element"]
    body = {"data": [{"data": {"id": ID}}, {"id": OTHER}, None, {"data": None}, 7, {"data": []}], "links": []}
    found = decode_page(USERS, msgspec.json.encode(body), PATH)
    assert ids(found.records) == [ID]
    assert unrecognized["list element"] == before + 5


# Ids


@pytest.mark.parametrize("key", [None, "", 7, [], {}, "x&limit=1", "../me", ID.upper(), ID + "/me", "last"])
def test_a_record_without_a_clever_id_is_left_out_and_counted(key: Any) -> None:
    before = unrecognized["record without id"]
    assert ids(read(USERS, {"id": key}, {"id": ID})) == [ID]
    assert unrecognized["record without id"] == before + 1
    with pytest.raises(UpstreamInvalidResponse):
        decode_record(USERS, msgspec.json.encode({"data": {"id": key}}))


def test_rows_are_put_in_order_and_the_first_of_repeats_stays() -> None:
    found = read(USERS, {"id": THIRD}, {"id": ID, "email": "1"}, {"id": OTHER}, {"id": ID, "email": "2"})
    assert ids(found) == [ID, OTHER, THIRD]
    assert found[0].email == "1"


# The envelope

NOT_CLEVER = [
    b"",
    b"null",
    b"[]",
    b"7",
    b"{}",
    b"<!DOCTYPE html><html></html>",
    b'{"data":null}',
    b'{"data":{}}',
    b'{"data":"x"}',
    b'{"data":[],"links":{}}',
    b'{"data":[],"links":[7]}',
    b'{"data":[],"links":[{"rel":"next","uri":7}]}',
    b'{"data":[',
    b'{"error":"x"}',
    b'\xef\xbb\xbf{"data":[]}',
    b'{"data":[{"data":{"id":"' + ID.encode() + b'","email":"\xff"}}]}',
    b'{"data":[{"data":{"id":"' + ID.encode() + b'","new":' + b"[" * 100_000 + b"]" * 100_000 + b"}}]}",
    b'{"data":[{"data":{"id":7,"ext":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001 + b"}]}",
]


@pytest.mark.parametrize("body", NOT_CLEVER, ids=lambda body: str(body[:30]))
def test_a_body_that_is_no_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamInvalidResponse):
        decode_page(USERS, body, PATH)
    with pytest.raises(UpstreamInvalidResponse):
        decode_record(USERS, body.replace(b"[{", b"{").replace(b"}]", b"}"))
    with pytest.raises(UpstreamInvalidResponse):
        decode_count(body)


@given(st.binary())
def test_no_bytes_are_taken_for_records(body: bytes) -> None:
    for decode in (lambda: decode_page(USERS, body, PATH), lambda: decode_record(USERS, body)):
        with pytest.raises(UpstreamInvalidResponse):
            decode()


@UNTIMED
@given(st.data())
def test_every_cut_through_a_page_is_refused(data: st.DataObject) -> None:
    body = page(*sandbox_records()["users"][:3], next=f"{PATH}?starting_after={ID}")
    with pytest.raises(UpstreamInvalidResponse):
        decode_page(USERS, body[: data.draw(st.integers(0, len(body) - 1))], PATH)


def test_the_resources_backends_empty_answer_is_an_empty_list_of_resources() -> None:
    assert decode_page(RESOURCES, b'{"resources":[]}', "/v3.1/resources").records == ()


def test_it_is_no_empty_list_of_anything_else_nor_with_rows_of_an_unknown_shape() -> None:
    with pytest.raises(UpstreamInvalidResponse):
        decode_page(USERS, b'{"resources":[]}', PATH)
    with pytest.raises(UpstreamInvalidResponse):
        decode_page(RESOURCES, b'{"resources":[{"id":1}]}', "/v3.1/resources")


def test_the_order_of_keys_and_further_keys_do_not_matter() -> None:
    body = b'{"links":[{"rel":"zzz","uri":"x","new":1}],"paging":{},"data":[{"uri":"u","data":{"id":"%b"}}]}'
    assert ids(decode_page(USERS, body % ID.encode(), PATH).records) == [ID]


# Links


def test_the_link_onward_is_found_by_rel_and_its_cursor_read() -> None:
    body = page(self=PATH, next=f"{PATH}?limit=1&starting_after={OTHER}", prev=f"{PATH}?ending_before={ID}")
    assert decode_page(USERS, body, PATH).onward == OTHER
    assert decode_page(USERS, body, PATH, "prev").onward == ID


def test_a_page_without_the_link_is_the_last_one_however_full() -> None:
    assert decode_page(USERS, page({"id": ID}, self=PATH), PATH).onward is None
    assert decode_page(USERS, b'{"data":[]}', PATH).onward is None
    assert decode_page(USERS, b'{"data":[],"links":null}', PATH).onward is None


def test_an_empty_page_may_lead_on() -> None:
    assert decode_page(USERS, page(next=f"{PATH}?starting_after={ID}"), PATH).onward == ID


def test_the_spelling_of_the_path_may_differ_in_case() -> None:
    body = page(next=f"/v3.1/users/{ID}/myStudents?starting_after={OTHER}")
    assert decode_page(USERS, body, f"/v3.1/users/{ID}/mystudents").onward == OTHER


@pytest.mark.parametrize("uri", FOREIGN)
def test_a_link_that_leads_away_is_refused(uri: str) -> None:
    with pytest.raises(UpstreamInvalidResponse):
        decode_page(USERS, page({"id": ID}, next=uri), PATH)


@pytest.mark.parametrize("uri", FOREIGN)
def test_a_link_in_the_direction_that_is_not_read_does_not_matter(uri: str) -> None:
    assert ids(decode_page(USERS, page({"id": ID}, next=uri), PATH, "prev").records) == [ID]
    assert ids(decode_page(USERS, page({"id": ID}, prev=uri), PATH, "next").records) == [ID]


# Counts


@pytest.mark.parametrize("count", [0, 1, 1004])
def test_a_count_is_read(count: int) -> None:
    assert decode_count(msgspec.json.encode({"count": count, "links": []})) == count


@pytest.mark.parametrize("count", ["7", 7.5, -1, None, True, [7], {"users": 7}, 2**31, 2**70])
def test_what_is_no_count_is_refused(count: Any) -> None:
    body = b'{"count":%d}' % count if isinstance(count, int) else msgspec.json.encode({"count": count})
    if count is True:
        body = b'{"count":true}'
    with pytest.raises(UpstreamInvalidResponse):
        decode_count(body)


def test_every_collection_of_the_sandbox_is_known_to_the_catalogue() -> None:
    assert sandbox_records().keys() == {rows.name for rows in catalogue.ALL}
