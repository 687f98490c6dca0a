"""How Clever writes dates, times and flags."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clever.values import is_id, read_date, read_flag, read_timestamp

ID = "58da8c58155b940248000007"


def test_an_id_is_24_lower_case_hex_digits() -> None:
    assert is_id(ID)


@pytest.mark.parametrize(
    "text",
    ["", "x", ID[:-1], f"{ID}0", ID.upper(), f"{ID}\n", f" {ID}", "../me", f"{ID[:-3]}/me", "\u0660" * 24, "last"],
)
def test_nothing_else_is_an_id(text: str) -> None:
    assert not is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-17",
        "2026-08-17T00:00:00.000Z",
        "2026-08-17T00:00:00Z",
        "2026-08-17 00:00:00",
        "8/17/2026",
        "08/17/2026",
    ],
)
def test_every_spelling_of_a_day_is_the_same_day(text: str) -> None:
    assert read_date(text) == date(2026, 8, 17)


@pytest.mark.parametrize(
    "text", [None, "", "soon", "2026", "2026-13-01", "2026-02-30", "17/8/2026", "8/17/26", "2026-08-17x", "2/29/2027"]
)
def test_what_is_no_day_is_none(text: str | None) -> None:
    assert read_date(text) is None


def test_a_leap_day_is_read() -> None:
    assert read_date("2/29/2028") == date(2028, 2, 29)


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-17T09:30:00.000Z",
        "2026-08-17T09:30:00Z",
        "2026-08-17T09:30:00",
        "2026-08-17 09:30:00",
        "2026-08-17T11:30:00+02:00",
    ],
)
def test_a_timestamp_is_read_into_utc(text: str) -> None:
    assert read_timestamp(text) == datetime(2026, 8, 17, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, "", "now", "0001-01-01T00:00:00+14:00", "2026-08-17T25:00:00Z"])
def test_what_is_no_timestamp_is_none(text: str | None) -> None:
    assert read_timestamp(text) is None


@pytest.mark.parametrize(("text", "flag"), [("Y", True), ("N", False), ("", None), (None, None), ("yes", None)])
def test_a_flag_is_y_or_n_and_else_unknown(text: str | None, flag: bool | None) -> None:
    assert read_flag(text) is flag


@given(st.text())
def test_no_text_makes_a_reader_fail(text: str) -> None:
    read_date(text)
    read_timestamp(text)
    read_flag(text)
    is_id(text)


@given(st.dates(min_value=date(1000, 1, 1)))
def test_every_day_is_read_back_from_every_spelling(day: date) -> None:
    spellings = [day.isoformat(), f"{day.isoformat()}T00:00:00.000Z", f"{day.month}/{day.day}/{day.year}"]
    assert {read_date(text) for text in spellings} == {day}
