"""Global ids and cursors of many records at once are those of each."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.schema.ids import TYPES, decode_cursor, decode_id, encode_cursor, encode_cursors, encode_id, encode_ids

HEX = st.text("0123456789abcdef", min_size=24, max_size=24)
ODD = st.text(max_size=30) | st.text("0Pz8/\x0f?", max_size=30) | st.text("~?>\x7f", min_size=24, max_size=24)


@settings(deadline=None)
@given(st.sampled_from(sorted(TYPES)), st.lists(HEX | ODD, max_size=6))
def test_many_at_once_are_as_each(name: str, keys: list[str]) -> None:
    records = [TYPES[name].record(id=key) for key in keys if key.isprintable()]

    assert encode_ids(records) == [encode_id(record) for record in records]
    assert encode_cursors(records) == [encode_cursor(record) for record in records]


@settings(deadline=None)
@given(st.sampled_from(sorted(TYPES)), st.lists(HEX, min_size=1, max_size=6))
def test_they_lead_back(name: str, keys: list[str]) -> None:
    records = [TYPES[name].record(id=key) for key in keys]

    assert [decode_id("id", one) for one in encode_ids(records)] == [(name, key) for key in keys]
    assert [decode_cursor("after", one, name) for one in encode_cursors(records)] == keys
