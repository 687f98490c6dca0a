"""Whatever the path, the answer is the same: rows, order and page boundaries, for every relation."""

import asyncio
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.access.executor import Access
from gateway.access.planner import Known, Path, Plan
from gateway.access.source import Source
from gateway.access.statistics import Statistics
from gateway.access.wants import Rows, Want, Window, want
from gateway.cache.rows import DecodedRows, packed
from gateway.cache.shelf import Shelf
from gateway.clever.allowance import Allowance
from gateway.clever.calls import MAX_LIMIT
from gateway.clever.catalogue import ALL, COLLECTIONS, RELATIONS, SCHOOL_USERS, Relation, Resource, Selection
from gateway.clever.client import CleverClient, ClientLimits
from gateway.clever.decode import tolerant
from gateway.clever.events import CallSent
from gateway.clever.records import Record
from gateway.identity import Tenant
from gateway.sandbox import SandboxApp, create_app
from tests.resilience.fixtures import QUICK

TOKEN = "TEST_TOKEN"
EDGES = [relation for relation in RELATIONS if relation.of_parent]
WHOLE = Window(MAX_LIMIT)


@cache
def district(seed: int) -> SandboxApp:
    """Return a generated district, odd records and all."""
    return create_app("tiny", seed, districts=1, rate_limit=None)


@cache
def parents(seed: int, rows: Resource) -> list[Record]:
    return [tolerant(rows.record, record) for record in district(seed).records(TOKEN)[rows.name].values()]


def owner_of(relation: Relation) -> Resource:
    return next(rows for rows in ALL if relation.link.startswith(f"{rows.path}/"))


def links_only(wants: Iterable[Want], _known: Known, _calls_left: int, _statistics: Statistics) -> Plan:
    """Follow the relative link wherever the edge makes sense."""
    applies = {one: one.relation.applies(one.parent, one.selection) for one in wants}
    return Plan(paths={one: Path.LINK if applies[one] else Path.EMPTY for one in applies})


def ids(found: Rows | Exception) -> tuple[list[str], bool, bool]:
    assert isinstance(found, Rows), found
    return [record.id for record in found.records], found.has_next, found.has_previous


@st.composite
def questions(draw: st.DrawFn) -> tuple[int, list[Want]]:
    """A district, and one window over one relation of some of its records."""
    seed = draw(st.integers(1, 6))
    relation = draw(st.sampled_from(EDGES))
    owners = draw(st.lists(st.sampled_from(parents(seed, owner_of(relation))), min_size=1, max_size=6, unique_by=id))
    role = draw(st.sampled_from([None, "student", "teacher"])) if relation.takes_role else None
    if relation is SCHOOL_USERS:
        role = draw(st.sampled_from([role, "staff"]))
    selection = Selection(role, relation.takes_primary and draw(st.booleans()))
    cursor = draw(st.one_of(st.none(), st.sampled_from([record.id for record in parents(seed, relation.rows)])))
    limit, backward, whole = (
        draw(st.sampled_from([0, 1, 2, 5, 30, MAX_LIMIT])),
        draw(st.booleans()),
        draw(st.booleans()),
    )
    window = Window(limit, None if backward else cursor, cursor if backward else None, backward)
    return seed, [want(relation, owner, window, selection, whole=whole) for owner in owners]


def shown_by_collections(one: Want) -> bool:
    """Say whether whole collections tell the rows of a want."""
    relation = one.relation
    by_scan = relation.scan is not None and relation.scan.covers(one.parent)
    return by_scan or relation.references(one.parent, one.selection) is not None


async def answers(seed: int, wants: list[Want]) -> tuple[Any, Any, Any]:
    """Return what links say, what the planner makes of it, and what whole collections say for no call more."""
    calls: list[CallSent] = []
    transport = httpx.ASGITransport(district(seed))
    async with CleverClient("http://sandbox", "v3.1", transport=transport, on_call=calls.append) as client:

        def access(**options: Any) -> Access:
            return Access(Source(client), Tenant(TOKEN), Allowance(30, 10_000), **options)

        by_links = await access(planner=links_only).rows(wants)
        planned = await access().rows(wants)
        scanned = access()
        await scanned.rows([want(relation, None, WHOLE) for relation in COLLECTIONS.values()])
        before = len(calls)
        by_scan = await scanned.rows(wants)
        assert len(calls) == before or not all(map(shown_by_collections, wants))
        return by_links, planned, by_scan


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(questions())
def test_every_path_gives_the_same_rows(question: tuple[int, list[Want]]) -> None:
    seed, wants = question
    by_links, planned, by_scan = asyncio.run(answers(seed, wants))

    for one in wants:
        expected = ids(by_links[one])
        assert ids(planned[one]) == expected
        assert ids(by_scan[one]) == expected


class Fragile(httpx.ASGITransport):
    """A way to an application that may be down."""

    down = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused")
        return await super().handle_async_request(request)


async def remembered(seed: int, wants: list[Want], **options: Any) -> list[Any]:
    """Return what a first request says, a second one from memory, a third one from memory with all packed, and a
    fourth one long after with nobody to ask.
    """
    calls: list[CallSent] = []
    transport = Fragile(district(seed))
    limits = ClientLimits(backoff=QUICK)
    async with CleverClient(
        "http://sandbox", "v3.1", limits=limits, transport=transport, on_call=calls.append
    ) as client:
        shelf = Shelf(100_000_000)
        moments = iter([0.0, 1.0, 2.0, 50_000.0])
        now = 0.0
        source = Source(client, shelf, clock=lambda: now, **options)
        found = []
        for now in moments:
            transport.down = now > 10
            access = Access(source, Tenant(TOKEN), Allowance(30, 10_000))
            before = len(calls)
            rows = await access.rows(wants)
            found.append((rows, await access.totals(wants), len(calls) - before, "stale" in access.report()))
            for entry in shelf.roster(Tenant(TOKEN)).entries.values():
                if len(found) == 2 and isinstance(entry.rows, DecodedRows) and len(entry.rows):
                    entry.rows = packed(entry.resource.record, entry.rows)
        await source.aclose()
        return found


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(questions())
def test_memory_gives_the_same_rows_without_a_call(question: tuple[int, list[Want]]) -> None:
    seed, wants = question
    (first, sizes, calls, _), *later = asyncio.run(remembered(seed, wants))

    for rows, totals, more, stale in later:
        assert stale == (calls > 0 and rows is later[-1][0])
        assert more == 0 or stale
        assert totals == sizes
        assert [ids(rows[one]) for one in wants] == [ids(first[one]) for one in wants]


def test_every_relation_but_those_of_licensed_resources_has_another_way_than_its_link() -> None:
    linked_only = {one.name for one in EDGES if one.scan is None and one.references.__name__ == "_no_references"}

    assert all("resource" in name for name in linked_only)
