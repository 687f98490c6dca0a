"""An index tells of every parent what a look at each row would, and is worked out in short steps."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.indexes import Ids, Index, IndexBuilder
from gateway.cache.rows import BLOCK, DecodedRows, OpenRows, packed
from gateway.clever.catalogue import COURSE_SCHOOLS, EVERYTHING, RELATIONS, SECTIONS, Relation, Scan, Selection
from gateway.clever.decode import ascending, tolerant
from gateway.clever.records import Record, Section
from gateway.clever.values import is_id
from gateway.sandbox import create_app
from tests.resilience.roster import an_id

SCANNED = [relation for relation in RELATIONS if relation.scan]


@cache
def rows_of(relation: Relation) -> DecodedRows:
    """Return the collection of a generated district over which a relation is indexed, odd records and all."""
    assert relation.scan is not None
    of = relation.scan.of
    found = create_app("tiny", 3, districts=1, rate_limit=None).records("TEST_TOKEN")[of.name].values()
    return DecodedRows(ascending([tolerant(of.record, record) for record in found]))


def built(rows: OpenRows, relation: Relation, selection: Selection = EVERYTHING) -> Index:
    builder = IndexBuilder(relation, selection)
    for _ in builder.steps(rows):
        pass
    return builder.index


def naive(rows: Iterable[Record], relation: Relation, selection: Selection) -> dict[str, list[str]]:
    """Return the same by a look at each row."""
    scan = relation.scan
    assert scan is not None
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        for parent in scan.by(row, selection):
            if parent:
                found[parent].update(key for key in scan.to(row) if key and is_id(key))
    return {parent: sorted(keys) for parent, keys in found.items()}


@pytest.mark.parametrize("selection", [EVERYTHING, Selection("student"), Selection("teacher", primary=True)], ids=str)
@pytest.mark.parametrize("relation", SCANNED, ids=lambda relation: relation.name)
def test_an_index_tells_what_the_rows_do(relation: Relation, selection: Selection) -> None:
    rows = rows_of(relation)
    expected = naive(rows.records, relation, selection)
    assert selection.role or expected
    for held in (rows, packed(type(rows.records[0]), rows).open()):
        index = built(held, relation, selection)
        assert {parent: list(index.ids(parent)) for parent in expected} == expected
        assert list(index.ids("nobody")) == []
        assert index.bytes >= 12 * sum(map(len, expected.values()))


def test_what_is_no_id_leads_nowhere_and_nobody_is_listed_twice() -> None:
    math, physics, north, south = an_id(3, 1), an_id(3, 2), an_id(2, 1), an_id(2, 2)
    schools = [south, "", None, "South", north.upper().replace("2", "E"), south, north]
    sections = [Section(id=an_id(6, n), course=math, school=school) for n, school in enumerate(schools)]
    sections += [Section(id=an_id(6, 90), course=None, school=south), Section(id=an_id(6, 91), course=physics)]
    index = built(DecodedRows(tuple(sections)), COURSE_SCHOOLS)
    assert list(index.ids(math)) == [north, south]
    assert list(index.ids(physics)) == list(index.ids("")) == []


@pytest.mark.parametrize("of_rows", [True, False])
def test_no_step_looks_at_more_rows_than_are_in_a_block(of_rows: bool) -> None:
    looked_at = 0

    def by(section: Section, _selection: Selection) -> Sequence[str | None]:
        nonlocal looked_at
        looked_at += 1
        return (section.school,)

    rows = DecodedRows(tuple([Section(id=an_id(6, n), school=an_id(2, n % 700)) for n in range(5 * BLOCK + 1)]))
    kind = SECTIONS if of_rows else COURSE_SCHOOLS.rows
    relation = Relation("its.sections", kind, "/its/{id}/sections", scan=Scan(SECTIONS, by))
    for held in (rows, packed(Section, rows).open()):
        looked_at = 0
        steps: list[int] = []
        builder = IndexBuilder(relation, EVERYTHING)
        for _ in builder.steps(held):
            steps.append(looked_at - sum(steps))
        assert sum(steps) == len(rows)
        assert max(steps) <= BLOCK
        # What is put in order is put in order parent by parent.
        assert len(steps) == 6 + 700


NUMBERS = st.integers(0, 40)
PLACES = st.none() | st.integers(-45, 45)


@given(
    st.sets(NUMBERS).map(sorted),
    PLACES,
    PLACES,
    st.sampled_from([None, 1, -1, 2, -3]),
    NUMBERS,
)
def test_ids_are_a_sequence(
    numbers: list[int], start: int | None, stop: int | None, step: int | None, other: int
) -> None:
    keys = [an_id(7, number) for number in numbers]
    ids = Ids(b"".join(map(bytes.fromhex, keys)))
    assert list(ids) == keys
    assert len(ids) == len(keys)
    assert bool(ids) == bool(keys)
    assert list(ids[start:stop:step]) == keys[start:stop:step]
    assert list(ids[start:stop][::-1]) == keys[start:stop][::-1]
    assert [ids[place] for place in range(-len(keys), len(keys))] == keys * 2
    with pytest.raises(IndexError):
        ids[len(keys)]
    key = an_id(7, other)
    assert (key in ids) == (key in keys)
    assert bisect_left(ids, key) == bisect_left(keys, key)
