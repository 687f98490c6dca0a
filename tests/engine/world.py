"""Loaders over generated records: missing, null and wrong values, records that are not shown, loads that fail."""

import asyncio
import random
import types
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any, get_args, get_origin, get_type_hints

from gateway.access.scoped import Who
from gateway.access.wants import Edge, Rows, Want, cut
from gateway.clever.calls import RecordCall
from gateway.clever.catalogue import ALL, Resource
from gateway.clever.records import Part, Record, Roles
from gateway.errors import Forbidden, GatewayError, UpstreamInvalidResponse, UpstreamUnavailable
from gateway.identity import EVERY_PERMISSION

PER_RESOURCE = 9
# Clever's words, so that enums, dates and flags are met as well as text.
WORDS = (
    "1", "13", "Kindergarten", "Ungraded", "no such grade", "math", "PE and health", "running", "paused", "Y", "N",
    "2026-08-17", "8/7/2012", "2026-08-17T09:30:00.250Z", "2026-08-17 00:00:00", "Ana", 'O"Neill', "Zoë\u2028", "x" * 40,
)  # fmt: skip
WRONG: tuple[Any, ...] = (5, True, 1.5, "", b"bytes", ())
# Plans trust text and flags of records to be what msgspec decoded; lists, objects and what readers return they do not.
TRUSTED = ("str", "str | None", "bool | None")
ROLES = ("student", "teacher", "staff", "contact", "district_admin", "principal")
REFERENCES = {
    "district": "districts", "school": "schools", "course": "courses", "term_id": "terms", "teacher": "users",
    "student": "users", "schools": "schools", "teachers": "users", "students": "users",
}  # fmt: skip


class World:
    """The records of one seed; `wrong` is how often a value is of a type that the record does not declare."""

    def __init__(self, seed: int, *, wrong: float = 0.0, failing: float = 0.0) -> None:
        self.seed = seed
        self._random = random.Random(seed)
        self._wrong = wrong
        self.failing = failing
        self.ids = {
            rows.name: [f"{position:022x}{number:02x}" for number in range(1, PER_RESOURCE + 1)]
            for position, rows in enumerate(ALL, 1)
        }
        self.records: dict[tuple[Resource, str], Record] = {
            (rows, key): self._struct(rows.record, id=key) for rows in ALL for key in self.ids[rows.name]
        }

    def _struct(self, kind: type, **known: Any) -> Any:
        hints = get_type_hints(kind)
        return kind(
            **{name: known.get(name, self._value(name, hint)) for name, hint in hints.items() if name != "id" or known}
        )

    def _value(self, name: str, hint: Any) -> Any:
        pick = self._random
        options = (
            [one for one in get_args(hint) if one is not type(None)] if get_origin(hint) is types.UnionType else [hint]
        )
        if isinstance(hint, type) and issubclass(hint, Roles):
            return self._struct(hint)
        if str(getattr(hint, "__name__", hint)) not in TRUSTED and pick.random() < self._wrong:
            return pick.choice(WRONG)
        if hint is not str and pick.random() < 0.25:
            return None
        return self._of(name, options[0])

    def _of(self, name: str, hint: Any) -> Any:
        pick = self._random
        if get_origin(hint) is tuple:
            return tuple([self._of(name, get_args(hint)[0]) for _ in range(pick.randrange(4))])
        if get_origin(hint) is dict:
            return pick.choice([{}, {"a": 1, "b": [None, {"c": "d"}]}, {"n": 10**20, "x": -0.5}])
        if isinstance(hint, type) and issubclass(hint, Part):
            return self._struct(hint)
        if hint is bool:
            return pick.random() < 0.5
        if name in REFERENCES:
            return pick.choice([*self.ids[REFERENCES[name]], "", "f" * 24])
        return pick.choice(ROLES) if name == "roles" else pick.choice(["", *WORDS])

    def failure(self, what: str) -> GatewayError | None:
        """Return the error that this is always answered with, if any; the same one for both ways to run a query."""
        dice = random.Random(f"{self.seed} {what}")
        if dice.random() >= self.failing:
            return None
        kind = dice.choice([Forbidden, UpstreamUnavailable, UpstreamInvalidResponse])
        return kind(f"failed: {kind.__name__}")

    def record(self, rows: Resource, key: str) -> Record | BaseException | None:
        """Look a record up; rarely it is one of another type."""
        if (error := self.failure(f"record {rows.name} {key}")) is not None:
            return error
        dice = random.Random(f"{self.seed} {key}")
        if dice.random() < self.failing / 4:
            return dice.choice(list(self.records.values()))
        return self.records.get((rows, key))

    def rows(self, one: Want) -> Rows | BaseException:
        """Cut the window out of the list that this world holds."""
        listed = self._listed(one)
        if isinstance(listed, BaseException):
            return listed
        rows = cut(listed, one.window)
        dice = random.Random(f"{self.seed} alien {one.parent_id} {one.relation.name}")
        if rows.records and dice.random() < self.failing / 2:
            alien: Any = dice.choice([None, UpstreamUnavailable("one row"), *self.records.values(), "text"])
            return Rows((*rows.records, alien, *rows.records[:1]), rows.has_next, rows.has_previous)
        return rows

    def _listed(self, one: Want) -> Sequence[Record] | GatewayError:
        what = f"{one.relation.name} {one.parent_id} {one.selection}"
        dice = random.Random(f"{self.seed} {what}")
        keys = sorted(dice.sample(self.ids[one.relation.rows.name], dice.choice([0, 1, 2, 3, 5])))
        return self.failure(what) or [self.records[one.relation.rows, key] for key in keys]

    def total(self, one: Want) -> int | BaseException | None:
        """Count a list; sometimes it is too much to count."""
        listed = self._listed(one)
        if isinstance(listed, BaseException):
            return listed
        return self.failure(f"total {one.list_key}") or (None if len(listed) == 5 else len(listed))


class StubLoaders:
    """What `Loaders` offers, one by one and in batches, answered from a world without going anywhere.

    `waits` says of each batch in turn whether it waits, as one that is read does, or is at hand.
    """

    def __init__(self, world: World, waits: Sequence[bool] = (True,)) -> None:
        self._world = world
        self._waits = cycle(waits)
        self.record = _One(lambda call: world.record(call.rows, call.id))
        self.rows = _One(world.rows)
        self.total = _One(world.total)
        self.batches: list[str] = []

    def check_calls(self, kinds: Any) -> None:
        """Nothing costs a call here."""

    async def who(self) -> Who:
        """Nobody in particular asks."""
        return Who(None, EVERY_PERMISSION)

    async def withhold(self, groups: Any) -> bool:
        """Everything may be seen."""
        return False

    async def records_of(self, rows: Resource, keys: Iterable[str], role: str | None = None) -> Mapping[str, Any]:
        """Look records up by id."""
        self.batches.append(rows.name)
        await self._wait()
        return {key: self._world.record(rows, key) for key in keys}

    async def rows_of(self, edge: Edge, parents: Sequence[Record | None]) -> Sequence[Any]:
        """Load an edge of every parent."""
        self.batches.append(edge.relation.name)
        await self._wait()
        return [self._world.rows(edge.of(parent)) for parent in parents]

    async def totals_of(self, edge: Edge, parents: Sequence[Record | None]) -> Sequence[Any]:
        """Count an edge of every parent."""
        await self._wait()
        return [self._world.total(edge.of(parent)) for parent in parents]

    async def _wait(self) -> None:
        if next(self._waits):
            await asyncio.sleep(0)


class _One:
    """Answers at once, as a loader does that knows the key already."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def load(self, key: RecordCall | Want) -> Awaitable[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        found = self._answer(key)
        if isinstance(found, BaseException):
            future.set_exception(found)
            future.exception()
        else:
            future.set_result(found)
        return future
