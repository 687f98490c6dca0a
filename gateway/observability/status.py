"""What the status page shows, put together from what is watched and what happened lately."""

import os
import time
from collections.abc import Callable, Iterable

from gateway import __version__
from gateway.access.source import Source
from gateway.clever.catalogue import DISTRICTS
from gateway.identity import Tenant
from gateway.observability.gauges import Watched
from gateway.observability.recent import Operation, Recent
from gateway.web.status_page import District, Fault, Held, Operations, Redis, State, Status, Use

_SHOWN_DISTRICTS = 50


class StatusBoard:
    """Answers how things stand."""

    def __init__(self, watched: Watched, recent: Recent, state: Callable[[], State]) -> None:
        self._watched = watched
        self._recent = recent
        self._state = state
        self._began = time.monotonic()

    def __call__(self) -> Status:
        """Return how things stand now."""
        watched, recent, source = self._watched, self._recent, self._watched.source()
        queue, client = watched.queue(), source.client if source else None
        return Status(
            version=__version__,
            process=os.getpid(),
            state=self._state(),
            uptime_s=time.monotonic() - self._began,
            at=time.time(),
            requests=recent.requests.each(),
            errors=recent.errors.total(),
            calls=recent.calls.each(),
            requests_waiting=queue.waiting,
            calls_running=client.under_way.now if client else 0,
            calls_waiting=client.waiting.now if client else 0,
            left_alone=client.left_alone if client else False,
            districts=sorted(_districts(source, watched.calls), key=lambda one: one.left)[:_SHOWN_DISTRICTS],
            memory=_memory(source),
            answers=Held("answers", len(watched.responses), watched.responses.bytes, watched.responses.capacity),
            kinds=sorted(_kinds(source), key=lambda one: one.bytes, reverse=True),
            slowest=[_timed(one) for one in recent.slowest()],
            faults=[Fault(one.at, one.call, one.what, one.attempt) for one in reversed(recent.faults)],
            redis=_redis(recent),
        )


def _districts(source: Source | None, calls: int) -> Iterable[District]:
    for tenant in source.tenants if source else ():
        left = source.client.calls_left(tenant) if source else 0
        if tenant.district is None:
            # Whoever reads the page cannot tell the token by this.
            yield District(f"token {tenant.key.hex()[:6]}", "", left, calls)
        else:
            yield District(_name(source, tenant) or tenant.district, tenant.district, left, calls)


def _name(source: Source | None, tenant: Tenant) -> str | None:
    """Return a district's name, if it has been read."""
    entry = source.roster(tenant).place(DISTRICTS, tenant.district or "") if source else None
    record = entry.rows.open().find(tenant.district or "") if entry else None
    return getattr(record, "name", None)


def _memory(source: Source | None) -> Held:
    shelf = source.shelf if source else None
    return Held("memory", shelf.entries_of.total(), shelf.bytes, shelf.capacity) if shelf else Held("memory", 0, 0, 0)


def _kinds(source: Source | None) -> Iterable[Use]:
    shelf = source.shelf if source else None
    if source is None or shelf is None:
        return
    for kind in sorted(
        {kind for kind, _ in source.reads} | {kind for kind, count in shelf.entries_of.items() if count}
    ):
        hits, stale, misses = (source.reads[kind, outcome] for outcome in ("hit", "stale", "miss"))
        yield Use(kind, shelf.entries_of[kind], shelf.bytes_of[kind], hits, stale, misses)


def _timed(one: Operation) -> Operations:
    name = one.named.name or f"document {one.named.digest}"
    return Operations(name, one.made, one.kept, one.quantile(0.5), one.quantile(0.95))


def _redis(recent: Recent) -> Redis | None:
    if recent.redis_up is None:
        return None
    return Redis(recent.redis_up, recent.redis_hits.total(), recent.redis_misses.total(), recent.redis_failures.total())
