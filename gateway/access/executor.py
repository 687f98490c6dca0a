"""Access: answers the wants of one request from what is known, and runs the calls that are missing.

A failing call is the result of its own want alone. What cannot be read anew and is not too old is answered from
memory, and the answer says so.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeVar

from gateway.access import elsewhere
from gateway.access.costs import Cost, pages
from gateway.access.evidence import Evidence, evidence_of
from gateway.access.offers import Offers
from gateway.access.planner import GroupKey, Path, Plan, choose, choose_look_ups, group_of
from gateway.access.reading import Reading
from gateway.access.source import Source
from gateway.access.trace import Step, Trace
from gateway.access.wants import Rows, Want, counted
from gateway.access.windows import Windows, whole_window
from gateway.cache.shelf import Key, ListKey
from gateway.cache.view import View
from gateway.clever.allowance import Allowance
from gateway.clever.calls import CountCall, RecordCall
from gateway.clever.catalogue import Relation, Resource
from gateway.clever.records import Record
from gateway.clever.values import is_id
from gateway.errors import GatewayError, QueryTooComplex
from gateway.identity import Tenant

_SHARE_FOR_READING_AHEAD = 1 / 3

K = TypeVar("K")
V = TypeVar("V")


class Access:
    """Answers the wants of one request of one tenant. `refresh` asks for data that is not older than seconds."""

    def __init__(
        self,
        source: Source,
        tenant: Tenant,
        allowance: Allowance,
        *,
        planner: Callable[..., Plan] = choose,
        refresh: bool = False,
        trace: Trace | None = None,
    ) -> None:
        self.reading = Reading(source, tenant, allowance, refresh=refresh)
        self.trace = trace or Trace()
        self.used = False
        self._view = self.reading.view
        self._windows = Windows(self.reading)
        self._spare_windows = Windows(self.reading, self.reading.spares)
        self._allowance = allowance
        self._choose = planner
        self._source = source
        self.tenant = tenant

    async def records(self, calls: Sequence[RecordCall]) -> Mapping[RecordCall, Record | Exception | None]:
        """Look records up by id; None for one that Clever has none to show of."""
        await self._begin()
        found, missing = await self._known_records(calls)
        if missing and self.reading.shares and await self.reading.recall(elsewhere.of_calls(missing)):
            more, missing = await self._known_records(missing)
            found |= more
        self._trace_known(f"{call.rows.name} by id" for call in found)
        if missing:
            found |= await self.reading.or_spare(missing, self._look_all_up, self._spare_records)
        return found

    async def rows(self, wants: Sequence[Want]) -> Mapping[Want, Rows | Exception]:
        """Load the windows of a batch of wants."""
        await self._begin()
        found, missing = await self._known_rows(wants)
        if missing and self.reading.shares and await self.reading.recall(elsewhere.of_wants(missing)):
            more, missing = await self._known_rows(missing)
            found |= more
        self._trace_known(one.relation.name for one in found)
        if missing:
            found |= await self.reading.or_spare(missing, self._load_all, self._spare_rows)
        return found

    async def totals(self, wants: Sequence[Want]) -> Mapping[Want, int | Exception | None]:
        """Count the rows of whole lists, whatever the windows; None where the request may not spend so many calls."""
        await self._begin()
        found: dict[Want, int | Exception | None] = {}
        if self.reading.shares and (uncertain := [one for one in wants if not self._counts(one)]):
            await self.reading.recall(elsewhere.of_totals(uncertain))
        countable = [one for one in wants if counted(one.relation)]
        uncounted = [one for one in countable if not self._view.has_list(one.list_key)]
        found |= await self._counted_at_once([one for one in wants if not counted(one.relation)])
        whole = {one: whole_window(one) for one in wants if not counted(one.relation) and one not in found}
        if not whole and not uncounted:
            return found | {one: self._known_size(self._view, one) for one in countable}
        loaded, counts = await asyncio.gather(
            self.rows(list(dict.fromkeys(whole.values()))),
            self.reading.or_spare(uncounted, self._count_all, self._spare_counts),
        )
        found |= counts | {one: self._known_size(self._view, one) for one in countable if one not in counts}
        for one, asked in whole.items():
            outcome = loaded[asked]
            if isinstance(outcome, Exception):
                found[one] = outcome
            else:
                known = self._known_size(self._view, one)
                if known is None and outcome.has_next:
                    known = self._known_size(self.reading.spares, one)
                found[one] = len(outcome.records) if known is None else known
        return {one: None if isinstance(total, QueryTooComplex) else total for one, total in found.items()}

    def evidence(self) -> Evidence | None:
        """Return what the answer was made from, if it is worth giving again: nothing past its time, nothing failed."""
        if self._source.shelf is None or self.reading.stale is not None:
            return None
        return evidence_of(self._view.used(), self._source.lifetimes)

    def check_calls(self, kinds: Set[Resource]) -> None:
        """Raise QueryTooComplex where reading something of each kind takes more calls than the request may make.

        Of a kind of which nothing is known, that is one call at the least.
        """
        if len(kinds) > self._allowance.calls_left:
            unknown = len(kinds - self.reading.view.kinds())
            if unknown > self._allowance.calls_left:
                raise too_many_calls(unknown, self._allowance.limit)

    def note_decision(self, rows: Resource, decision: Literal["shown", "hidden", "refused"], records: int = 1) -> None:
        """Note what became of records, or of a whole want where it is refused, that a viewer asked for."""
        self._source.decisions[rows.name, decision] += records

    def close(self) -> None:
        """Let go of what the request has read; nothing is to be asked of it any more."""
        self.reading.close()

    def report(self) -> dict[str, Any]:
        """Say what the request cost: calls made, reads answered from memory, and the calls that the minute has left.

        `stale` tells of data past its time, `plan` of every step where steps are kept.
        """
        report: dict[str, Any] = {
            "cost": {
                "calls": self._allowance.used,
                "cached": self.reading.cached,
                "remaining": self.reading.calls_left,
            }
        }
        if (stale := self.reading.stale) is not None:
            report["stale"] = stale
        if self.trace.on:
            report["plan"] = [step.as_json() for step in self.trace.steps]
        return report

    async def _begin(self) -> None:
        self.used = True
        await self.reading.check()

    async def _known_records(
        self, calls: Sequence[RecordCall], view: View | None = None
    ) -> tuple[dict[RecordCall, Record | Exception | None], list[RecordCall]]:
        """Return what is known, and the calls that are left."""
        find, pace = (view or self._view).find, self.reading.pace()
        found: dict[RecordCall, Record | Exception | None] = {}
        missing: list[RecordCall] = []
        for call in calls:
            if pace.due:
                await pace.rest()
            known, record = find(call.rows, call.id)
            if known or not is_id(call.id):
                found[call] = record
            else:
                missing.append(call)
        return found, missing

    async def _known_rows(
        self, wants: Sequence[Want], windows: Windows | None = None
    ) -> tuple[dict[Want, Rows | Exception], list[Want]]:
        """Return what is known, and the wants that are left; what is known may have to be indexed first."""
        windows, pace = windows or self._windows, self.reading.pace()
        found: dict[Want, Rows | Exception] = {}
        while True:
            missing: list[Want] = []
            for one in wants:
                if pace.due:
                    await pace.rest()
                rows = await windows.known(one, pace)
                if rows is None:
                    missing.append(one)
                else:
                    found[one] = rows
            if not missing or not await self.reading.index(windows.view):
                return found, missing
            wants = missing

    async def _prepare(self, choose: Callable[..., Plan], batch: Sequence[Any]) -> Plan:
        """Ask for what the planner wants to know and read the lists that it wants read, until it wants no more.

        What cannot be had is remembered as such, and the planner does without.
        """
        while True:
            plan = choose(batch, self._view, self._allowance.calls_left, self._source.statistics(self.tenant))
            if await self.reading.index(self._view):
                continue
            if not plan.sizes and not plan.lists:
                return plan
            # Reading ahead is a convenience: it may not take the time that the plain way needs.
            seconds = self._allowance.seconds_left * _SHARE_FOR_READING_AHEAD
            if plan.sizes:
                await asyncio.gather(*[self._ask_size(rows, role, seconds) for rows, role in plan.sizes])
            else:
                await asyncio.gather(*[self._read_ahead(key, offers, seconds) for key, offers in plan.lists.items()])

    async def _ask_size(self, rows: Resource, role: str | None, seconds: float) -> None:
        step = Step(_named(rows, role), 1, "count", "to weigh reading all of them", Cost(1))
        await self._ahead(CountCall(rows, role), step, seconds)

    async def _read_ahead(self, key: ListKey, offers: Offers, seconds: float) -> None:
        relation, _, selection = key
        statistics = self._source.statistics(self.tenant)
        path, cost = "school list", Cost(1)
        if not relation.of_parent:
            size = statistics.sizes.get((relation.rows, selection.role), 0)
            path, cost = "scan", Cost(pages(size), statistics.bytes_of(relation.rows, size))
        await self._ahead(key, Step(_named(relation.rows, selection.role), 1, path, offers.why, cost), seconds)

    async def _ahead(self, key: Key, step: Step, seconds: float) -> None:
        try:
            with self.trace.step(step, self._allowance) as part:
                async with asyncio.timeout(seconds):
                    entry = await self.reading.entry(key, part)
        except (GatewayError, TimeoutError):
            self._view.refused.add(key)
        else:
            if entry.missing:
                self._view.refused.add(key)

    async def _look_all_up(self, calls: Sequence[RecordCall]) -> dict[RecordCall, Record | Exception | None]:
        plan = await self._prepare(choose_look_ups, calls)
        groups = _grouped(calls, lambda call: (call.rows, call.role))
        outcomes = await asyncio.gather(*[self._look_up(plan, key, group) for key, group in groups.items()])
        return {call: outcome for group in outcomes for call, outcome in group.items()}

    async def _load_all(self, wants: Sequence[Want]) -> dict[Want, Rows | Exception]:
        await self._windows.look_over(wants)
        plan = await self._prepare(self._choose, wants)
        groups = _grouped(wants, group_of)
        outcomes = await asyncio.gather(*[self._load(plan, key, group) for key, group in groups.items()])
        return {one: outcome for group in outcomes for one, outcome in group.items()}

    async def _spare_records(self, calls: Sequence[RecordCall]) -> dict[RecordCall, Record | Exception | None]:
        return (await self._known_records(calls, self.reading.spares))[0]

    async def _spare_rows(self, wants: Sequence[Want]) -> dict[Want, Rows | Exception]:
        return (await self._known_rows(wants, self._spare_windows))[0]

    async def _look_up(
        self, plan: Plan, key: GroupKey, calls: Sequence[RecordCall]
    ) -> dict[RecordCall, Record | Exception | None]:
        if (error := self._too_complex(plan, key)) is not None:
            return dict.fromkeys(calls, error)
        with self._step(plan, key, len(calls), "look-ups") as part:
            return await _each({call: self._windows.record(call, part) for call in calls})

    async def _load(self, plan: Plan, key: GroupKey, wants: Sequence[Want]) -> dict[Want, Rows | Exception]:
        if (error := self._too_complex(plan, key)) is not None:
            return dict.fromkeys(wants, error)
        paths = {plan.paths[one] for one in wants}
        path = "links" if Path.LINK in paths else "look-ups" if Path.REFERENCES in paths else "memory"
        with self._step(plan, key, len(wants), path) as part:
            known, rest = await self._known_rows(wants)
            return known | await _each({one: self._windows.load(one, plan.paths[one], part) for one in rest})

    def _too_complex(self, plan: Plan, key: GroupKey) -> QueryTooComplex | None:
        """Return the error of a group whose cheapest way takes more calls than the request has left."""
        offers, left = plan.groups.get(key), self._allowance.calls_left
        if offers is None or offers.needed <= left:
            return None
        return too_many_calls(offers.needed + self._allowance.used, self._allowance.limit)

    def _counts(self, one: Want) -> bool:
        """Say whether the size of a want's list is at hand."""
        return any(map(self._view.usable, elsewhere.of_totals([one])))

    async def _count_all(self, wants: Sequence[Want]) -> dict[Want, int | Exception | None]:
        return await _each({one: self._count(one) for one in wants})

    async def _spare_counts(self, wants: Sequence[Want]) -> dict[Want, int | Exception | None]:
        sizes = {one: self._known_size(self.reading.spares, one) for one in wants}
        return {one: size for one, size in sizes.items() if size is not None}

    async def _counted_at_once(self, wants: Sequence[Want]) -> dict[Want, int]:
        """Return the sizes of lists that are certain without a look at their rows."""
        view, pace = self._view, self.reading.pace()
        found: dict[Want, int] = {}
        while True:
            for one in wants:
                if pace.due:
                    await pace.rest()
                size = None if view.has_list(one.list_key) else view.count(one.relation, one.parent, one.selection)
                if size is not None:
                    found[one] = size
            if not await self.reading.index(view):
                self._trace_known(one.relation.name for one in found)
                return found

    @staticmethod
    def _known_size(view: View, one: Want) -> int | None:
        whole = view.whole(one.list_key)
        return None if whole is None else len(whole)

    async def _count(self, one: Want) -> int | None:
        """Ask for the size of a whole collection."""
        call = CountCall(one.relation.rows, one.selection.role)
        step = Step(_named(one.relation.rows, one.selection.role), 1, "count", "it was asked for", Cost(1))
        with self.trace.step(step, self._allowance) as part:
            return (await self.reading.entry(call, part)).count

    def _step(self, plan: Plan, key: GroupKey, parents: int, path: str) -> AbstractContextManager[Allowance]:
        offers = plan.groups.get(key)
        if isinstance(key[0], Relation):
            what, why, cost = key[0].name, "a page of the whole collection", Cost(1)
        else:
            what, why, cost = f"{key[0].name} by id", "everything is known", Cost()
        if offers is not None:
            why, cost = offers.why, offers.best.cost
        return self.trace.step(Step(what, parents, path, why, cost), self._allowance)

    def _trace_known(self, names: Iterable[str]) -> None:
        for name, count in Counter(names).items() if self.trace.listens else ():
            with self.trace.step(Step(name, count, "memory", "everything is known", Cost()), self._allowance):
                pass


def too_many_calls(estimate: int, limit: int) -> QueryTooComplex:
    """Build the error for what takes more calls than one request may make, known before they are made."""
    return QueryTooComplex(
        f"Answering this takes about {estimate} calls to Clever; one request may make {limit}. Ask for fewer rows or "
        "fewer levels.",
        estimate=estimate,
        limit=limit,
    )


def _named(rows: Resource, role: str | None) -> str:
    return f"{rows.name} ({role})" if role else rows.name


def _grouped(keys: Iterable[K], group: Callable[[K], GroupKey]) -> dict[GroupKey, list[K]]:
    groups: dict[GroupKey, list[K]] = {}
    for key in keys:
        groups.setdefault(group(key), []).append(key)
    return groups


async def _each(work: Mapping[K, Coroutine[Any, Any, V]]) -> dict[K, V | Exception]:
    """Run everything side by side; a failure is the result of its own key."""
    outcomes = await asyncio.gather(*work.values(), return_exceptions=True)
    return {
        key: outcome if isinstance(outcome, Exception) or not isinstance(outcome, BaseException) else Interrupted()
        for key, outcome in zip(work, outcomes, strict=True)
    }


class Interrupted(Exception):
    """Work was cancelled from outside, as at shutdown, while others waited for it."""
