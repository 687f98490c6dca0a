"""Windows over every relation, loaded from the sandbox, against slices of what the records join to."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from gateway.access.executor import Access
from gateway.access.source import Source
from gateway.access.wants import Rows, Window, cut, want
from gateway.clever import catalogue
from gateway.clever.allowance import Allowance
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import ALL, RELATIONS, USERS, Relation, Resource, Selection
from gateway.clever.client import CleverClient
from gateway.clever.decode import tolerant
from gateway.clever.events import CallSent
from gateway.clever.records import Record
from gateway.identity import Tenant
from tests.conftest import TOKEN, Joins, Upstream

HEARD: list[CallSent] = []
BY_REFERENCE = (catalogue.SECTION_USERS, catalogue.USER_SCHOOLS, catalogue.USER_STUDENTS)


@pytest.fixture
async def client(upstream: Upstream) -> AsyncIterator[CleverClient]:
    HEARD.clear()
    async with CleverClient(upstream.origin, "v3.1", on_call=HEARD.append) as client:
        yield client


def access_of(client: CleverClient) -> Access:
    return Access(Source(client), Tenant(TOKEN), Allowance(30, 10_000))


def owner_of(relation: Relation) -> Resource:
    return next(rows for rows in ALL if relation.link.startswith(f"{rows.path}/"))


def parents_of(joins: Joins, relation: Relation) -> list[Record | None]:
    """Choose parents of every kind: for people one of each set of roles, else the first and the last."""
    if not relation.of_parent:
        return [None]
    owner = owner_of(relation)
    raw = list(joins.records[owner.name].values())
    if owner is USERS:
        chosen = list({frozenset(record["roles"]): record for record in raw}.values())
    else:
        chosen = [raw[0], raw[-1]]
    return [tolerant(owner.record, record) for record in chosen]


def selections_of(relation: Relation) -> list[Selection]:
    roles: list[str | None] = [None]
    if relation.takes_role:
        roles += ["student", "teacher"]
    if relation in (catalogue.SCHOOL_USERS, catalogue.DISTRICT_USERS):
        roles += ["staff"]
    return [Selection(role, primary) for role in roles for primary in {False, relation.takes_primary}]


def expected_of(joins: Joins, relation: Relation, parent: Record | None, selection: Selection) -> list[str]:
    """Join the records, or read the REST list for licensed resources."""
    if "resources" in relation.link or parent is None:
        keys = joins.listed(relation.link.replace("{id}", parent.id if parent else ""))
        return [key for key in keys if selection.role is None or selection.role in joins.users[key]["roles"]]
    if relation is catalogue.SCHOOL_USERS:
        return joins.school_users(parent.id, selection.role, selection.primary)
    if relation is catalogue.SECTION_USERS:
        return joins.section_users(parent.id, selection.role)
    if relation is catalogue.USER_SCHOOLS:
        return joins.user_schools(parent.id, selection.primary)
    _, owner, _, name = relation.link.split("/")
    return joins.relation(owner, name, parent.id)


def windows_over(keys: list[str]) -> Iterator[Window]:
    """Return windows at both ends, in between, around cursors that are no rows, and beyond the ends."""
    middle, last = (keys[len(keys) // 2], keys[-1]) if keys else ("7" * 24, "8" * 24)
    for limit, cursor in [(0, None), (3, None), (10_000, None), (1, middle), (3, last), (2, "f" * 24)]:
        yield Window(limit, after=cursor)
        yield Window(limit, before=cursor, backward=True)


def shown(rows: Rows | Exception) -> tuple[list[str], bool, bool]:
    assert isinstance(rows, Rows), rows
    return [record.id for record in rows.records], rows.has_next, rows.has_previous


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
async def test_every_window_is_the_slice_of_the_list(client: CleverClient, joins: Joins, relation: Relation) -> None:
    for parent in parents_of(joins, relation):
        for selection in selections_of(relation):
            keys = expected_of(joins, relation, parent, selection)
            model = [relation.rows.record(id=key) for key in keys]
            for window in windows_over(keys) if relation.paged else [Window(10_000), Window(0)]:
                one = want(relation, parent, window, selection)
                rows = (await access_of(client).rows([one]))[one]
                assert shown(rows) == shown(cut(model, window)), (parent and parent.id, selection, window)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
async def test_a_list_read_whole_has_the_same_windows_and_total(
    client: CleverClient, joins: Joins, relation: Relation
) -> None:
    for parent in parents_of(joins, relation):
        for selection in selections_of(relation):
            keys = expected_of(joins, relation, parent, selection)
            one = want(relation, parent, Window(2), selection, whole=True)
            access = access_of(client)
            rows = (await access.rows([one]))[one]
            assert shown(rows) == (keys[:2], len(keys) > 2, False)
            assert (await access.totals([one]))[one] == len(keys)
            assert (await access_of(client).totals([one]))[one] == len(keys)


def has_references(relation: Relation) -> Callable[[Record], bool]:
    return lambda parent: relation.applies(parent, Selection()) and relation.references(parent, Selection()) is not None


@pytest.mark.parametrize("relation", BY_REFERENCE, ids=lambda relation: relation.name)
async def test_references_and_link_give_the_same_rows(client: CleverClient, joins: Joins, relation: Relation) -> None:
    owner = owner_of(relation)
    every = [tolerant(owner.record, record) for record in joins.records[owner.name].values()]
    parents = [parent for parent in every if has_references(relation)(parent)]
    long = sorted(parents, key=lambda parent: -len(set(relation.references(parent, Selection()) or ())))
    fresh = [want(relation, parent, Window(1)) for parent in long[:4]]
    knowing = access_of(client)
    await know_everything(knowing, joins, relation.rows)
    for one in fresh:
        keys = expected_of(joins, relation, one.parent, one.selection)
        for window in windows_over(keys):
            asked = want(relation, one.parent, window)
            HEARD.clear()
            by_reference = (await knowing.rows([asked]))[asked]
            assert HEARD == []
            by_link = (await access_of(client).rows([asked]))[asked]
            assert shown(by_reference) == shown(by_link)


async def know_everything(access: Access, joins: Joins, rows: Resource) -> None:
    """Let an access know all records of a collection, and which ids are not shared."""
    collection = next(one for one in RELATIONS if one.rows is rows and one.link == rows.path)
    await access.rows([want(collection, None, Window(10_000))])
    await access.records([RecordCall(rows, key) for key in joins.unshared.get(rows.name, {})])


async def test_ids_that_are_not_shared_are_passed_over_and_pages_fill_up(client: CleverClient, joins: Joins) -> None:
    hidden = set(joins.unshared["users"])
    record = next(s for s in joins.sections.values() if hidden & {*s["students"], *s["teachers"]})
    section = tolerant(catalogue.SECTIONS.record, record)
    keys = joins.section_users(record["id"])
    access = access_of(client)
    await know_everything(access, joins, USERS)
    for limit in range(1, len(keys) + 1):
        one = want(catalogue.SECTION_USERS, section, Window(limit))
        assert shown((await access.rows([one]))[one]) == (keys[:limit], limit < len(keys), False)
        one = want(catalogue.SECTION_USERS, section, Window(limit, backward=True))
        assert shown((await access.rows([one]))[one]) == (keys[-limit:], False, limit < len(keys))
