"""Sight: what one viewer may see of the roster, worked out from the roster, and no more of it than is asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence, Set
from itertools import chain
from typing import Generic, TypeVar, cast

from gateway.access.circles import BLUEPRINTS, Seen, look_up, schools_of, whole_lists
from gateway.access.executor import Access
from gateway.access.masks import FIELDS, masked
from gateway.access.wants import Want, Window
from gateway.access.windows import holds
from gateway.clever import catalogue
from gateway.clever.calls import MAX_LIMIT, RecordCall
from gateway.clever.catalogue import EVERYTHING, Relation, Resource, Selection
from gateway.clever.records import Record, Section, StudentRole, User
from gateway.identity import Viewer
from gateway.policy import EVERY_GROUP, Circle, Group, Rules, rules_of

V = TypeVar("V")


class Once(Generic[V]):
    """A value that is worked out when it is first asked for; what hinders it is raised to each who asks."""

    def __init__(self, work: Callable[[], Awaitable[V]]) -> None:
        self._work = work
        self._lock = asyncio.Lock()
        self._found: list[V] = []

    async def value(self) -> V:
        """Return the value."""
        if not self._found:
            async with self._lock:
                if not self._found:
                    self._found.append(await self._work())
        return self._found[0]


class _Point:
    """One role of the viewer, from which circles are seen."""

    def __init__(self, access: Access, me: User, role: str, rules: Rules) -> None:
        self.access = access
        self.me = me
        self.role = role
        self.rules = rules
        self._sections = Once(self._read_sections)
        self._students = Once(self._read_students)
        self._student_ids: frozenset[str] | None = None

    async def sections(self) -> Sequence[Section]:
        """Return the sections that the role leads to."""
        return await self._sections.value()

    async def students(self) -> Sequence[User]:
        """Return the students of these sections."""
        return await self._students.value()

    async def student_ids(self) -> frozenset[str]:
        """Return the ids of the students that these sections name."""
        if self._student_ids is None:
            named = [section.students or () for section in await self.sections()]
            self._student_ids = frozenset(filter(None, chain.from_iterable(named)))
        return self._student_ids

    async def _read_sections(self) -> Sequence[Section]:
        relation, parents = catalogue.USER_SECTIONS, cast(list[Record], [self.me])
        if Circle.SCHOOL_SECTIONS in self.rules.circles:
            schools = schools_of(self.me, self.role)
            relation, parents = catalogue.SCHOOL_SECTIONS, await look_up(self.access, catalogue.SCHOOLS, schools)
        elif Circle.STUDENT_SECTIONS in self.rules.circles:
            ids = [key for key in catalogue.related_students(self.me, EVERYTHING) if key]
            parents = await look_up(self.access, catalogue.USERS, ids, catalogue.STUDENT)
        return cast(list[Section], await whole_lists(self.access, relation, parents))

    async def _read_students(self) -> Sequence[User]:
        found = await whole_lists(
            self.access, catalogue.SECTION_USERS, await self.sections(), Selection(catalogue.STUDENT)
        )
        return cast(list[User], found)


class Sight:
    """What a viewer sees: `me` is their record, from which all else follows; None where Clever shows none.

    `classmates`: students see the names of those they study with. Lives for one request.
    """

    def __init__(self, access: Access, viewer: Viewer, *, classmates: bool = False) -> None:
        self._access = access
        self._viewer = viewer
        self._classmates = classmates
        self._me = Once(self._read_me)
        self._points: list[_Point] = []
        self._everything: bool | None = None
        self._seen: dict[Resource, Once[tuple[Seen, ...]]] = {}
        self._lists: dict[tuple[Resource, str | None], Once[Sequence[Record]]] = {}
        self._ids: dict[tuple[Resource, frozenset[str]], frozenset[str] | None] = {}
        self._index: dict[Relation, dict[str, list[Section]]] = {}
        self._withheld: Set[Group] = frozenset()
        self._ungranted: dict[Group, bool] = {}
        # Masked records by id, with what they were made of: the copy of a record stays the same object.
        self._masked: dict[str, tuple[User, User]] = {}

    async def me(self) -> User | None:
        """Return the viewer's own record. Raises why it could not be read."""
        return await self._me.value()

    def permissions(self) -> frozenset[str]:
        """Return what the viewer's roles permit, and which sensitive fields they may read of somebody.

        To be asked once it is known who the viewer is.
        """
        found: set[str] = set()
        for point in self._points:
            found |= point.rules.permissions
            granted = EVERY_GROUP if point.rules.everything else frozenset().union(*point.rules.circles.values())
            found |= {f"read:{group}" for group in granted if group is not Group.DETAILS}
        return frozenset(found)

    async def everything(self) -> bool:
        """Say whether the viewer sees the whole district."""
        if self._everything is None:
            await self.me()
            self._everything = any(point.rules.everything for point in self._points)
        return self._everything

    async def seen(self, rows: Resource) -> tuple[Seen, ...]:
        """Return the circles of records of a kind."""
        if rows not in self._seen:
            self._seen[rows] = Once(lambda: self._circles(rows))
        return await self._seen[rows].value()

    async def ids(self, rows: Resource, roles: frozenset[str]) -> frozenset[str] | None:
        """Return the ids of all that is seen of a kind, of people in these roles; None where only records tell."""
        key = rows, roles
        if key not in self._ids:
            circles = [circle for circle in await self.seen(rows) if not circle.roles.isdisjoint(roles)]
            known = [circle.ids for circle in circles if circle.ids is not None]
            everything = len(known) == len(circles)
            # Most often there is just one, and a union is a copy of every id.
            self._ids[key] = (known[0] if len(known) == 1 else frozenset().union(*known)) if everything else None
        return self._ids[key]

    async def listed(self, rows: Resource, role: str | None) -> Sequence[Record]:
        """Return everything that the viewer sees of a kind, of people those of a role; ascending, before masks."""
        key = rows, role
        if key not in self._lists:
            self._lists[key] = Once(lambda: self._list(rows, role))
        return await self._lists[key].value()

    async def sections_of(self, relation: Relation, parent_id: str) -> Sequence[Section]:
        """Return the sections, of those the viewer sees, by which a relation leads on from a parent."""
        index = self._index.get(relation)
        if index is None:
            assert relation.scan is not None  # noqa: S101 - for the type checker: it leads through sections
            by = relation.scan.by
            index = {}
            for section in cast(Sequence[Section], await self.listed(catalogue.SECTIONS, None)):
                for key in {key for key in by(section, EVERYTHING) if key}:
                    index.setdefault(key, []).append(section)
            self._index[relation] = index
        return index.get(parent_id, ())

    async def withhold(self, groups: Set[Group]) -> bool:
        """Withhold, of these groups, what the viewer is not granted; say whether that may concern anybody seen."""
        if await self.everything():
            return False
        self._withheld = {group for group in groups if self.may_withhold(group)}
        return bool(self._withheld)

    def may_withhold(self, group: Group) -> bool:
        """Say whether there may be people in sight of whom a group is not granted."""
        if group not in self._ungranted:
            self._ungranted[group] = self._is_ungranted(group)
        return self._ungranted[group]

    def _is_ungranted(self, group: Group) -> bool:
        for point in self._points:
            for circle, grants in point.rules.circles.items():
                blueprint = BLUEPRINTS[circle]
                if blueprint.rows is catalogue.USERS and group not in grants:
                    roles = {other.role for other in self._points} if blueprint.roles is None else blueprint.roles
                    # Most groups are fields that students alone have.
                    if catalogue.STUDENT in roles or not _is_of_students(group):
                        return True
        return False

    @property
    def withholds(self) -> bool:
        """Say whether something is withheld of somebody in this request."""
        return bool(self._withheld)

    def grants(self, record: Record, circles: Iterable[Seen]) -> Set[Group] | None:
        """Return what is granted of a record; None where the viewer does not see it."""
        if self._masked and (original := self._masked.get(record.id)) is not None:
            record = original[0]
        granted: Set[Group] | None = None
        for circle in circles:
            if circle.has(record):
                granted = circle.grants if granted is None else granted | circle.grants
        return granted

    def shown(self, record: Record, circles: Iterable[Seen]) -> Record | None:
        """Return a record as the viewer may see it."""
        if not self._withheld or not isinstance(record, User):
            for circle in circles:
                if circle.has(record):
                    return record
            return None
        granted = self.grants(record, circles)
        if granted is None:
            return None
        hidden = self._withheld - granted
        if not hidden:
            return record
        known = self._masked.get(record.id)
        if known is None:
            known = self._masked[record.id] = record, masked(record, hidden)
        return known[1]

    async def _read_me(self) -> User | None:
        call = RecordCall(catalogue.USERS, self._viewer.user_id)
        found = (await self._access.records([call]))[call]
        if isinstance(found, Exception):
            raise found
        if not isinstance(found, User):
            return None
        self._points = [
            _Point(self._access, found, role, rules_of(role, classmates=self._classmates))
            for role in catalogue.ROLES
            if getattr(found.roles, role) is not None
        ]
        return found

    async def _circles(self, rows: Resource) -> tuple[Seen, ...]:
        if await self.me() is None:
            return ()
        if rows is catalogue.DISTRICTS:
            return (Seen(rows, EVERY_GROUP, self._districts, lambda _record: True),)
        circles = []
        for point in self._points:
            for circle, grants in point.rules.circles.items():
                if BLUEPRINTS[circle].rows is rows:
                    circles.append(await BLUEPRINTS[circle].build(point, grants))
        return tuple(circles)

    async def _districts(self, _role: str | None) -> Sequence[Record]:
        asked = Want(catalogue.DISTRICT_LIST, None, EVERYTHING, Window(MAX_LIMIT))
        found = (await self._access.rows([asked]))[asked]
        if isinstance(found, Exception):
            raise found
        return found.records

    async def _list(self, rows: Resource, role: str | None) -> Sequence[Record]:
        circles = await self.seen(rows)
        loads = [circle.load(role) for circle in circles if role is None or role in circle.roles]
        records = {record.id: record for found in await asyncio.gather(*loads) for record in found}
        found = [records[key] for key in sorted(records) if holds(records[key], role)]
        ids: frozenset[str] = frozenset().union(*[circle.ids for circle in circles if circle.ids is not None])
        rest = [circle for circle in circles if circle.ids is None]
        return [record for record in found if record.id in ids or any(circle.holds(record) for circle in rest)]


def _is_of_students(group: Group) -> bool:
    return group in FIELDS[StudentRole] and sum(group in groups for groups in FIELDS.values()) == 1
