"""The shelf keeps to its bytes whatever is put on it, keeps tenants apart, and keeps what is used."""

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.cache import shelf as module
from gateway.cache.indexes import IndexBuilder
from gateway.cache.rows import DecodedRows, PackedRows
from gateway.cache.shelf import Entry, Key, Shelf
from gateway.clever.calls import CountCall, ListCall, RecordCall
from gateway.clever.catalogue import COLLECTIONS, COURSES, EVERYTHING, SCHOOL_COURSES
from gateway.clever.records import Course, Section
from gateway.identity import Tenant
from tests.access.scene import settle
from tests.resilience.roster import an_id

CAPACITY = 400_000
MINE, OTHER = Tenant("a-token"), Tenant("another")
WHOLE: Key = (COLLECTIONS[COURSES], None, EVERYTHING)
KEYS: list[Key] = [
    WHOLE,
    CountCall(COURSES),
    *[(SCHOOL_COURSES, an_id(2, number), EVERYTHING) for number in range(4)],
    *[RecordCall(COURSES, an_id(3, number)) for number in range(4)],
    *[ListCall(COURSES, "/courses", after=an_id(3, number)) for number in range(4)],
]


def entry_of(key: Key, rows: int, width: int = 500, owner: str = "") -> Entry:
    """Make an entry of so many rows, each of about so many bytes."""
    if isinstance(key, CountCall):
        return Entry(key, COURSES, 0.0, count=rows)
    numbers = range(1) if isinstance(key, RecordCall) else range(rows)
    records = tuple(Course(id=an_id(3, n), name=f"{owner}{n:x}".ljust(width, "-")) for n in numbers)
    return Entry(key, COURSES, 0.0, DecodedRows(records))


class Shelves(RuleBasedStateMachine):
    """Everything that happens to a shelf, in any order."""

    tenants = st.sampled_from([MINE, OTHER])
    keys = st.sampled_from(KEYS)

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.shelf = Shelf(CAPACITY)
        self.packing = False

    def run(self, work: Any) -> None:
        async def turn() -> None:
            work()

        self.loop.run_until_complete(turn())
        self.packing = True

    def held(self, tenant: Tenant, key: Key) -> Entry | None:
        return self.shelf.roster(tenant).entries.get(key)

    @rule(tenant=tenants, key=keys, rows=st.sampled_from([0, 1, 10, 150, 300, 700]))
    def put(self, tenant: Tenant, key: Key, rows: int) -> None:
        entry = entry_of(key, rows, owner=repr(tenant))
        self.run(lambda: self.shelf.put(tenant, entry))

    @rule(tenant=tenants, key=keys)
    def touch(self, tenant: Tenant, key: Key) -> None:
        entry = self.held(tenant, key) or entry_of(key, 1)
        self.run(lambda: self.shelf.touch(entry))

    @rule(tenant=tenants, key=keys)
    def drop(self, tenant: Tenant, key: Key) -> None:
        self.run(lambda: self.shelf.drop(tenant, key))
        assert self.held(tenant, key) is None

    @rule(tenant=tenants, key=keys, parents=st.sampled_from([1, 100, 500]), relation=st.booleans())
    def grow(self, tenant: Tenant, key: Key, parents: int, relation: bool) -> None:
        entry = self.held(tenant, key)
        of = SCHOOL_COURSES if relation else COLLECTIONS[COURSES]
        if entry is not None and (of, EVERYTHING) not in entry.indexes:
            built = IndexBuilder(SCHOOL_COURSES, EVERYTHING)
            sections = [Section(id=an_id(6, n), school=an_id(2, n), course=an_id(3, n)) for n in range(parents)]
            for _ in built.steps(DecodedRows(tuple(sections))):
                pass
            entry.add_index((of, EVERYTHING), built.index)
            self.run(lambda: self.shelf.resize(entry))

    @rule(tenant=tenants)
    def drop_tenant(self, tenant: Tenant) -> None:
        self.run(lambda: self.shelf.drop_tenant(tenant))
        assert not self.shelf.roster(tenant).entries

    @precondition(lambda self: self.packing)
    @rule()
    def wait(self) -> None:
        self.loop.run_until_complete(settle())
        self.packing = False
        assert self.shelf.bytes <= CAPACITY

    @invariant()
    def sums_are_right(self) -> None:
        shelf = self.shelf
        on_rosters = {entry: tenant for tenant in (MINE, OTHER) for entry in shelf.roster(tenant).entries.values()}
        assert dict(shelf._front) | dict(shelf._back) == on_rosters
        assert len(shelf._front) + len(shelf._back) == len(on_rosters)
        assert shelf.bytes == sum(shelf._sizes.values()) == sum(entry.bytes for entry in on_rosters)
        assert shelf._back_bytes == sum(shelf._sizes[entry] for entry in shelf._back) <= 0.8 * CAPACITY
        assert all(roster.entries for roster in shelf._rosters.values())

    @invariant()
    def tenants_see_their_own(self) -> None:
        for tenant in (MINE, OTHER):
            roster = self.shelf.roster(tenant)
            assert all(entry.key == key for key, entry in roster.entries.items())
            for number in range(4):
                place = roster.place(COURSES, an_id(3, number))
                if place is not None:
                    assert roster.entries[place.key] is place
                    record = place.rows.open().find(an_id(3, number))
                    assert isinstance(record, Course)
                    assert (record.name or "").startswith(repr(tenant))

    def teardown(self) -> None:
        self.loop.run_until_complete(settle())
        self.loop.run_until_complete(self.shelf.aclose())
        self.loop.close()


TestShelves = Shelves.TestCase
TestShelves.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


async def test_a_scan_does_not_flush_what_is_used() -> None:
    shelf = Shelf(CAPACITY)
    used = [entry_of((SCHOOL_COURSES, an_id(2, number), EVERYTHING), 20) for number in range(5)]
    for entry in used:
        shelf.put(MINE, entry)
        shelf.touch(entry)
    for number in range(2_000):
        shelf.put(OTHER, entry_of(RecordCall(COURSES, an_id(3, number)), 1))
    shelf.put(OTHER, entry_of(WHOLE, 2_000, 4_000))
    await settle()
    assert list(shelf.roster(MINE).entries.values()) == used
    assert shelf.bytes <= CAPACITY
    assert shelf.evicted > 1_000


async def test_what_replaces_something_used_is_as_used_as_that_was() -> None:
    shelf = Shelf(CAPACITY)
    key: Key = (SCHOOL_COURSES, an_id(2, 1), EVERYTHING)
    shelf.put(MINE, entry_of(key, 20))
    shelf.touch(shelf.roster(MINE).entries[key])
    newer = entry_of(key, 30)
    shelf.put(MINE, newer)
    for number in range(1_000):
        shelf.put(MINE, entry_of(RecordCall(COURSES, an_id(9, number)), 1))
    assert shelf.roster(MINE).entries[key] is newer


@pytest.mark.parametrize("rows", [150, 200])
async def test_large_lists_are_packed_before_anything_is_given_up(rows: int) -> None:
    shelf = Shelf(CAPACITY)
    keys: list[Key] = [(SCHOOL_COURSES, an_id(2, number), EVERYTHING) for number in range(8)]
    expected = entry_of(keys[0], rows).rows.open().records
    for key in keys:
        shelf.put(MINE, entry_of(key, rows))
        await settle()
    entries = shelf.roster(MINE).entries
    assert list(entries) == keys
    assert shelf.evicted == 0
    assert isinstance(entries[keys[0]].rows, PackedRows)
    assert all(entry.rows.open().records == expected for entry in entries.values())


async def test_what_is_too_large_in_any_form_is_not_kept() -> None:
    shelf = Shelf(2_000)
    shelf.put(MINE, entry_of(WHOLE, 2_000))
    await settle()
    assert shelf.bytes == 0
    assert shelf.roster(MINE).entries == {}


async def test_what_cannot_be_packed_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_kind: Any, _rows: Any) -> PackedRows:
        raise ValueError("no way")

    monkeypatch.setattr(module, "packed", broken)
    heard: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    shelf = Shelf(100_000)
    shelf.put(MINE, entry_of(WHOLE, 700))
    await settle()
    assert shelf.bytes == 0


async def test_whoever_looks_at_an_empty_roster_sees_what_comes_later() -> None:
    shelf = Shelf(CAPACITY)
    looking = shelf.roster(MINE)
    assert shelf.roster(OTHER) is not looking
    entry = entry_of(WHOLE, 1)
    shelf.put(MINE, entry)
    assert looking.entries == {WHOLE: entry}
    shelf.drop(MINE, WHOLE)
    shelf.put(MINE, entry)
    assert looking.entries == {WHOLE: entry}
    shelf.drop_tenant(MINE)
    assert looking.entries == {}


async def test_nothing_is_kept_of_tenants_that_nobody_looks_at() -> None:
    shelf = Shelf(CAPACITY)
    for number in range(100):
        shelf.roster(Tenant(f"stranger-{number}"))
        shelf.put(Tenant(f"guest-{number}"), entry_of(WHOLE, 1))
        shelf.drop_tenant(Tenant(f"guest-{number}"))
    assert len(shelf._rosters) == len(shelf._in_use) == 0
    assert shelf.bytes == 0
