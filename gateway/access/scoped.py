"""Scoped access: the wants of one request on behalf of a viewer, who is shown what `policy.py` grants and no more.

It stands where `Access` does, under the loaders, so that there is one gate on every road to a record: look-ups,
references, relations, whole collections, counts and cursors, whether a plan runs or graphql-core. What is wanted is cut
down to what the viewer may see before it is read wherever ids tell, and every record that leaves has passed the gate.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway.access.circles import EVERY_ROLE, WHOLE, Seen
from gateway.access.executor import Access
from gateway.access.sight import Sight
from gateway.access.wants import Rows, Want, cut
from gateway.access.windows import holds
from gateway.clever import catalogue
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import Relation, Resource, Selection
from gateway.clever.records import Record, User
from gateway.errors import FieldForbidden, GatewayError, QueryTooComplex
from gateway.identity import EXPLAIN
from gateway.policy import Group

V = TypeVar("V")

# The roles that the people of a relation may hold, where its name does not say it.
_ROLES_OF_ROWS = {
    catalogue.SECTION_USERS: frozenset({catalogue.STUDENT, catalogue.TEACHER}),
    catalogue.SCHOOL_USERS: frozenset(catalogue.SCHOOL_ROLES),
}
# What leads on from the viewer is theirs: Clever's own link tells it in one call.
_OF_MYSELF = (catalogue.USER_SECTIONS, catalogue.USER_STUDENTS, catalogue.USER_TEACHERS)


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks: their own record as it is, and what they are permitted; no record where a token or a program asks."""

    user: User | None
    permissions: Set[str]


@dataclass(frozen=True, slots=True)
class _Way:
    """How the visible rows of a want are found: `records` at hand, the rows of other wants, look-ups.

    `through`: the want as it is; all its rows are for the viewer.
    """

    records: Sequence[Record] = ()
    wants: Sequence[Want] = ()
    calls: Sequence[RecordCall] = ()
    through: bool = False


# The ids of all that is seen of the rows of a relation; None where only records tell.
_Ids = dict[tuple[Relation, Selection], frozenset[str] | None]

_NOTHING, _THROUGH = _Way(), _Way(through=True)


class ScopedAccess:
    """Answers the wants of one request of one viewer; `permissions` are those that do not come from the roster."""

    def __init__(self, access: Access, sight: Sight, permissions: Set[str] = frozenset()) -> None:
        self._access = access
        self.sight = sight
        self._permissions = permissions

    async def who(self) -> Who:
        """Return who asks. Raises why it could not be read."""
        return Who(await self.sight.me(), self.permits)

    @property
    def permits(self) -> Set[str]:
        """Return everything that the viewer is permitted, as far as it is known who that is."""
        return self._permissions | self.sight.permissions()

    async def records(self, calls: Sequence[RecordCall]) -> Mapping[RecordCall, Record | Exception | None]:
        """Look records up by id; None for one that the viewer does not see."""
        if await self.sight.everything():
            return await self._access.records(calls)
        found: dict[RecordCall, Record | Exception | None] = {}
        kinds = {(call.rows, call.role) for call in calls}
        ids = {kind: await self._ids_of(*kind) for kind in kinds}
        asked: list[RecordCall] = []
        for call in calls:
            known = ids[call.rows, call.role]
            if isinstance(known, GatewayError):
                found[call] = self._told(known)
            elif known is None or call.id in known:
                asked.append(call)
            else:
                found[call] = None
        for call, outcome in (await self._access.records(asked)).items():
            if isinstance(outcome, Exception):
                found[call] = self._told(outcome)
            elif outcome is None:
                found[call] = None
            else:
                found[call] = await self._shown(outcome, call.rows, ids[call.rows, call.role])
        for call, told in found.items():
            if not isinstance(told, Exception):
                self._access.note_decision(call.rows, "hidden" if told is None else "shown")
        return found

    async def _ids_of(self, rows: Resource, role: str | None) -> frozenset[str] | GatewayError | None:
        """Return the ids of what is seen as `Sight.ids` does, or what hinders knowing them."""
        try:
            return await self.sight.ids(rows, frozenset({role}) if role else EVERY_ROLE)
        except GatewayError as error:
            return error

    async def _shown(self, record: Record, rows: Resource, ids: frozenset[str] | GatewayError | None) -> Record | None:
        """Return a record that was asked for by id as the viewer may see it; `ids` are those of all that is seen."""
        if isinstance(ids, frozenset) and record.id in ids and not self.sight.withholds:
            return record
        circles = await self.sight.seen(rows)
        return self.sight.shown(record, circles) if await self._is_vouched_for(record, circles) else None

    async def _is_vouched_for(self, record: Record, circles: Sequence[Seen]) -> bool:
        """Say whether a record that was asked for by id is in a circle for certain."""
        calls: list[RecordCall] = []
        for circle in circles:
            if circle.has(record):
                if circle.vouch is None:
                    return True
                calls += circle.vouch(record)
        return any(isinstance(one, Record) for one in (await self._access.records(calls)).values())

    async def rows(self, wants: Sequence[Want]) -> Mapping[Want, Rows | Exception]:
        """Load the windows of a batch of wants, of what the viewer sees."""
        if await self.sight.everything():
            return await self._access.rows(wants)
        ways, failed, ids = await self._ways(wants)
        found: dict[Want, Rows | Exception] = {**failed}
        lists, rows = await self._both(ways, self._access.rows)
        for one, outcome in rows.items():
            if isinstance(outcome, Exception):
                found[one] = self._told(outcome)
            elif self._are_plain(outcome, ids[one.relation, one.selection]):
                found[one] = outcome
            else:
                found[one] = await self._sifted(one, outcome)
        for one, records in lists.items():
            found[one] = records if isinstance(records, Exception) else cut(records, one.window)
        shown: defaultdict[Resource, int] = defaultdict(int)
        for one, told in found.items():
            if isinstance(told, Rows):
                shown[one.relation.rows] += len(told.records)
            elif isinstance(told, FieldForbidden):
                self._access.note_decision(one.relation.rows, "refused")
        for kind, count in shown.items():
            self._access.note_decision(kind, "shown", count)
        return found

    async def totals(self, wants: Sequence[Want]) -> Mapping[Want, int | Exception | None]:
        """Count the rows of whole lists that the viewer sees."""
        if await self.sight.everything():
            return await self._access.totals(wants)
        ways, failed, _ = await self._ways(wants)
        lists, totals = await self._both(ways, self._access.totals)
        counted = {one: records if isinstance(records, Exception) else len(records) for one, records in lists.items()}
        return {**failed, **totals, **counted}

    async def withhold(self, groups: Set[Group]) -> bool:
        """Withhold, of these groups, what the viewer is not granted; say whether that may concern anybody seen."""
        return await self.sight.withhold(groups)

    def check_calls(self, kinds: Set[Resource]) -> None:
        """Raise QueryTooComplex as Access does."""
        self._access.check_calls(kinds)

    async def _ways(self, wants: Sequence[Want]) -> tuple[dict[Want, _Way], dict[Want, Exception], _Ids]:
        """Return how wants are answered, why some are not, and the ids of all that is seen of what they are for."""
        ways: dict[Want, _Way] = {}
        failed: dict[Want, Exception] = {}
        known: _Ids = {}
        for one in wants:
            try:
                kind = one.relation, one.selection
                if kind not in known:
                    known[kind] = await self.sight.ids(one.relation.rows, _roles_of_rows(one))
                ids = known[kind]
                ways[one] = self._named(one, ids) or await self._way(one, ids)
            except GatewayError as error:
                failed[one] = self._told(error)
        return ways, failed, known

    def _named(self, one: Want, ids: frozenset[str] | None) -> _Way | None:
        """Return the way of a want whose rows its parent names, and all of them are to be seen."""
        if ids is None or one.parent is None or isinstance(one.parent, User):
            return None
        references = one.relation.references(one.parent, one.selection)
        return _THROUGH if references is not None and ids.issuperset(filter(None, references)) else None

    async def _both(
        self, ways: Mapping[Want, _Way], load: Callable[[Sequence[Want]], Awaitable[Mapping[Want, V]]]
    ) -> tuple[Mapping[Want, list[Record] | Exception], Mapping[Want, V]]:
        """Return the lists of what is seen, and what `load` returns of the wants that go through as they are."""
        through = [one for one, way in ways.items() if way.through]
        rest = {one: way for one, way in ways.items() if not way.through}
        if not rest:
            return {}, await load(through)
        if not through:
            return await self._lists(rest), {}
        return await asyncio.gather(self._lists(rest), load(through))

    async def _way(self, one: Want, ids: frozenset[str] | None) -> _Way:
        """Choose how the rows of a want are found.

        Raises FieldForbidden, and what hinders reading the viewer's circles.
        """
        relation, rows = one.relation, one.relation.rows
        if isinstance(one.parent, User):
            await self._check_parent(one, one.parent)
        if ids is not None and not ids:
            return _NOTHING
        if not relation.of_parent:
            return _Way(records=await self.sight.listed(rows, one.selection.role))
        me = await self.sight.me()
        if me is not None and one.parent_id == me.id and relation in _OF_MYSELF:
            return _THROUGH
        references = relation.references(one.parent, one.selection)
        named = None if references is None else {key for key in references if key}
        if named is not None and ids is not None:
            if named <= ids:
                return _THROUGH
            return _Way(calls=_calls(rows, named & ids, one.selection.role or relation.role_of_rows))
        if named is None and relation.scan is not None and relation.scan.of is catalogue.SECTIONS and one.parent_id:
            return await self._by_sections(one, ids)
        return _Way(wants=(replace(one, window=WHOLE, whole=True),))

    async def _by_sections(self, one: Want, ids: frozenset[str] | None) -> _Way:
        """Follow a relation that leads through sections by those alone that the viewer sees."""
        relation, rows = one.relation, one.relation.rows
        if not relation.applies(one.parent, one.selection):
            return _NOTHING
        sections = await self.sight.sections_of(relation, one.parent_id or "")
        if rows is catalogue.SECTIONS:
            return _Way(records=sections)
        if rows is catalogue.USERS:
            selection = Selection(relation.role_of_rows)
            return _Way(
                wants=[Want(catalogue.SECTION_USERS, s.id, selection, WHOLE, whole=True, parent=s) for s in sections]
            )
        leads_to = relation.scan.to if relation.scan else lambda _section: ()
        named = {key for section in sections for key in leads_to(section) if key}
        return _Way(calls=_calls(rows, named if ids is None else named & ids, None))

    async def _check_parent(self, one: Want, parent: User) -> None:
        """Raise FieldForbidden where the viewer may not follow this relation from this person."""
        needed = Group.CONTACTS if one.relation is catalogue.USER_CONTACTS else Group.DETAILS
        if self.sight.may_withhold(needed) and one.relation.applies(parent, one.selection):
            granted = self.sight.grants(parent, await self.sight.seen(catalogue.USERS)) or ()
            if needed not in granted:
                raise FieldForbidden

    async def _lists(self, ways: Mapping[Want, _Way]) -> dict[Want, list[Record] | Exception]:
        """Return the whole lists of what the viewer sees, ascending."""
        wants = list(dict.fromkeys(asked for way in ways.values() for asked in way.wants))
        calls = list(dict.fromkeys(call for way in ways.values() for call in way.calls))
        rows: Mapping[Want, Rows | Exception] = {}
        records: Mapping[RecordCall, Record | Exception | None] = {}
        if wants or calls:
            rows, records = await asyncio.gather(self._access.rows(wants), self._access.records(calls))
        lists: dict[Want, list[Record] | Exception] = {}
        for one, way in ways.items():
            outcomes = [*[rows[asked] for asked in way.wants], *[records[call] for call in way.calls]]
            failed = next((outcome for outcome in outcomes if isinstance(outcome, Exception)), None)
            if failed is not None:
                lists[one] = self._told(failed)
                continue
            found: list[Record] = []
            for outcome in outcomes:
                if isinstance(outcome, Rows):
                    found += outcome.records
                elif isinstance(outcome, Record):
                    found.append(outcome)
            each = {record.id: record for record in found}
            ascending = way.records or [each[key] for key in sorted(each)]
            lists[one] = await self._visible(one, ascending, are_seen=bool(way.records))
        return lists

    async def _visible(self, one: Want, records: Iterable[Record], *, are_seen: bool) -> list[Record]:
        """Return what may be seen of records, in their order; of all that are seen something may be withheld."""
        role = one.selection.role or one.relation.role_of_rows
        held = [record for record in records if holds(record, role)]
        if are_seen and not self.sight.withholds:
            return held
        circles = await self.sight.seen(one.relation.rows)
        return [shown for record in held if (shown := self.sight.shown(record, circles)) is not None]

    def _are_plain(self, rows: Rows, ids: frozenset[str] | None) -> bool:
        """Say whether all rows are to be seen as they are, where the ids of what is seen tell."""
        return ids is not None and not self.sight.withholds and ids.issuperset([record.id for record in rows.records])

    async def _sifted(self, one: Want, rows: Rows) -> Rows:
        circles = await self.sight.seen(one.relation.rows)
        shown = [self.sight.shown(record, circles) for record in rows.records]
        return Rows(tuple([record for record in shown if record is not None]), rows.has_next, rows.has_previous)

    def _told(self, outcome: Exception) -> Exception:
        """Return an error as the viewer may hear it: how much there is to read tells of what is hidden."""
        if isinstance(outcome, QueryTooComplex) and EXPLAIN not in self.permits:
            return QueryTooComplex(
                "Answering this takes more calls to Clever than one request may make. Ask for fewer rows or levels."
            )
        return outcome


def _roles_of_rows(one: Want) -> frozenset[str]:
    role = one.selection.role or one.relation.role_of_rows
    return frozenset({role}) if role else _ROLES_OF_ROWS.get(one.relation, EVERY_ROLE)


def _calls(rows: Resource, ids: Iterable[str], role: str | None) -> list[RecordCall]:
    return [RecordCall(rows, key, role) for key in sorted(ids)]
