"""Rows are the same rows however they are held: decoded, packed, or packed page by page."""

import tracemalloc
from collections.abc import Iterable, Sequence
from functools import cache
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cache.rows import BLOCK, EMPTY, DecodedRows, HeldRows, PackedRows, RowsBuilder, packed, weight
from gateway.clever.catalogue import ALL, SCHOOLS, USERS, Resource
from gateway.clever.decode import ascending, decode_record, tolerant
from gateway.clever.records import Course, Record, School, Section, User
from gateway.sandbox import create_app
from tests.resilience.roster import an_id

ids = st.integers(0, 60).map(lambda number: an_id(7, number))
pages = st.lists(st.lists(ids, max_size=20), max_size=8)


@cache
def odd_records(rows: Resource) -> tuple[Record, ...]:
    """Return the records of a generated district, quirks and all."""
    records = create_app("tiny", 3, districts=1, rate_limit=None).records("TEST_TOKEN")[rows.name].values()
    return ascending([tolerant(rows.record, record) for record in records])


def courses(keys: Sequence[str]) -> tuple[Record, ...]:
    return tuple(Course(id=key, name=f"Course {key}") for key in keys)


def joined(parts: Iterable[Sequence[Record]]) -> list[Record]:
    return [record for part in parts for record in part]


def same(rows: HeldRows, records: Sequence[Record]) -> None:
    """Whatever is asked of rows, they answer as these records do."""
    assert len(rows) == len(rows.open()) == len(records)
    assert rows.open().records == tuple(records)
    opened = rows.open()
    assert joined(opened.parts()) == list(records)
    assert [opened.find(record.id) for record in records] == list(records)
    assert joined(opened.parts()) == list(records)
    for key in ("", "0" * 24, "f" * 24, "last", *(record.id + "0" for record in records[:3])):
        assert opened.find(key) is None
    assert list(rows.ids()) == [record.id for record in records]
    for at in (None, "", "f" * 24, *(cursor for record in records[::7] for cursor in (record.id, record.id + "0"))):
        upward, downward = list(rows.open().upward(at)), list(rows.open().downward(at))
        assert joined(upward) == [record for record in records if at is None or record.id > at]
        assert joined(reversed(downward)) == [record for record in records if at is None or record.id < at]
        assert max(map(len, (*upward, *downward)), default=0) <= BLOCK


@pytest.mark.parametrize("rows", ALL, ids=lambda rows: rows.name)
def test_packed_records_are_the_same_records(rows: Resource) -> None:
    records = odd_records(rows)
    same(packed(rows.record, DecodedRows(records)), records)
    same(DecodedRows(records), records)


@pytest.mark.parametrize("number", [b"123456789012345678901234567890", b"-9223372036854775809", b"1.5e300", b"0.1"])
def test_numbers_that_no_machine_word_holds_are_packed_as_they_are(number: bytes) -> None:
    school = decode_record(SCHOOLS, b'{"data":{"id":"%s","ext":{"n":[%s]}}}' % (an_id(2, 1).encode(), number))
    same(packed(School, DecodedRows((school,))), (school,))


@pytest.mark.parametrize("count", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_blocks_of_every_filling_are_found(count: int) -> None:
    records = courses([an_id(3, number) for number in range(count)])
    same(packed(Course, DecodedRows(records)), records)


def test_packed_rows_take_a_fraction_of_decoded_ones() -> None:
    records = odd_records(USERS)
    assert packed(User, DecodedRows(records)).bytes * 8 < DecodedRows(records).bytes


def test_what_rows_take_is_weighed_by_their_content() -> None:
    small, large = (tuple(Section(id=an_id(6, n), students=("x" * 24,) * many) for n in range(99)) for many in (1, 50))
    assert EMPTY.bytes == weight(()) == 0
    assert 99 * 100 < weight(small) < weight(large) / 2


@given(pages, st.sampled_from([-1.0, 2_000.0, float("inf")]))
@settings(deadline=None)
def test_pages_that_overlap_or_come_in_no_order_are_one_list(found: list[list[str]], most_decoded: float) -> None:
    keys = sorted({key for page in found for key in page})
    with patch("gateway.cache.rows.BLOCK", 4):
        builder = RowsBuilder(Course, most_decoded)
        for page in found:
            builder.add(courses(page))
        same(builder.build(), courses(keys))


@given(st.integers(0, 100), st.integers(1, 40), st.integers(0, 30))
@settings(deadline=None)
def test_pages_that_repeat_the_end_of_the_last_are_packed_without_repeats(total: int, size: int, repeat: int) -> None:
    keys = [an_id(3, number) for number in range(total)]
    with patch("gateway.cache.rows.BLOCK", 8):
        builder = RowsBuilder(Course, -1)
        for start in range(0, total, size):
            builder.add(courses(keys[max(0, start - repeat) : start + size]))
        rows = builder.build()
        assert isinstance(rows, PackedRows) == (total >= 8)
        same(rows, courses(keys))


def test_packed_rows_take_no_more_memory_than_they_say() -> None:
    records = courses([an_id(3, number) for number in range(40 * BLOCK)])
    tracemalloc.start()
    try:
        rows = packed(Course, DecodedRows(records))
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 1.5 * rows.bytes


@pytest.mark.parametrize("most", [1, BLOCK, BLOCK + 1, 3 * BLOCK])
@pytest.mark.parametrize("middle", [None, 0, 5 * BLOCK - 1, 5 * BLOCK, 5 * BLOCK + 1])
def test_no_more_blocks_are_unpacked_than_a_window_touches(most: int, middle: int | None) -> None:
    records = courses([an_id(3, number) for number in range(10 * BLOCK)])
    cursor = None if middle is None else records[middle].id
    for direction in ("upward", "downward"):
        opened = packed(Course, DecodedRows(records)).open()
        found = 0
        for part in getattr(opened, direction)(cursor):
            found += len(part)
            if found >= most:
                break
        touched = sum(block is not None for block in opened._records)
        assert touched <= most // BLOCK + 2
        assert found < most + BLOCK
