"""How many calls a token may still make: each call takes a place before it is sent.

Clever allows 1,200 calls a minute and token, in a fixed window that starts with the token's first call, and tells with
every answer what is left of it (https://dev.clever.com/reference/responses-errors). Others may use the same token.
"""

import asyncio
import heapq
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.clever.allowance import Allowance, out_of_time
from gateway.clever.retry import WINDOW_S, latest_reset, least_remaining
from gateway.clever.shares import Share, Shares
from gateway.clever.turns import Turns
from gateway.errors import UpstreamRateLimited
from gateway.identity import Tenant

CALLS_PER_MINUTE = 1200
# A timer may ring a little early; it is not set again for less.
_SHORTEST_WAIT_S = 0.001


class Place(Protocol):
    """The right to send one call. Whoever has acquired it ends it, whether the call was sent or not."""

    @property
    def stands(self) -> bool:
        """Say whether the call may still be sent: the window may have closed since the place was given."""

    def sent(self) -> None:
        """Count the call as sent: from now on the place cannot be given back."""

    def report(self, headers: Mapping[str, str]) -> None:
        """Take in what an answer says of the calls left."""

    def refused(self, seconds: float) -> None:
        """Give no more places for so many seconds: Clever answered 429."""

    def end(self) -> None:
        """Give back the place of a call that was not sent; let the one of a call that was sent run out."""


class Budget(Protocol):
    """Gives places to calls; the calls of one request wait in line, requests take turns."""

    async def acquire(self, tenant: Tenant, allowance: Allowance) -> Place:
        """Return a place within the request's time; an `Allowance` stands for its request.

        Raises UpstreamRateLimited as soon as it is known that no place comes free in that time, DeadlineExceeded if
        the request's own calls under way took it all.
        """

    def left(self, tenant: Tenant) -> int:
        """Return how many calls a token has left at this moment, never below zero."""


@dataclass(frozen=True, slots=True)
class _Rules:
    limit: int
    at_once: int
    seconds: float
    clock: Callable[[], float]
    wall: Callable[[], float]
    pick: Callable[[float, float], float]


class WindowBudget:
    """A budget of this process: at most `limit` calls of a token in any `seconds`, `at_once` of them under way.

    Where several processes use the same tokens, `shares` makes this process's share of each token's calls.

    A call reaches Clever somewhere between its sending and its answer, so it counts from the first until `seconds`
    after the second: Clever then sees no more than `limit` in any such time, however long calls are on their way.
    """

    def __init__(
        self,
        limit: int = CALLS_PER_MINUTE,
        *,
        at_once: int = 32,
        seconds: float = WINDOW_S,
        most_tenants: int = 4096,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        pick: Callable[[float, float], float] = random.uniform,
        shares: Shares | None = None,
    ) -> None:
        self._shares = shares
        self._rules = _Rules(limit, at_once, seconds, clock, wall, pick)
        self._most_tenants = most_tenants
        # By credential: Clever counts by token, and one that takes another's place has a window of its own.
        self._windows: dict[bytes, _Window] = {}
        self._sweep_at = clock() + seconds

    @property
    def tenants(self) -> int:
        """Return of how many tokens something is remembered."""
        return len(self._windows)

    async def acquire(self, tenant: Tenant, allowance: Allowance) -> Place:
        """Return a place at once where the window is open, else in turn; raises as `Budget` says."""
        now = self._rules.clock()
        if now >= self._sweep_at:
            self._sweep(now)
        window = self._windows.get(tenant.credential)
        if window is None:
            if len(self._windows) >= self._most_tenants:
                self._make_room(now)
            window = self._windows[tenant.credential] = _Window(self._rules)
            if self._shares is not None:
                window.share = self._shares(tenant, window)
        if not window.turns and window.free(now) > 0:
            return window.take()
        return await window.queue(allowance, now)

    def left(self, tenant: Tenant) -> int:
        """Return how many calls a token has left at this moment, by our count and by what Clever told."""
        window = self._windows.get(tenant.credential)
        return self._rules.limit if window is None else window.left(self._rules.clock())

    def _sweep(self, now: float) -> None:
        """Forget tokens of which nothing is known that still counts."""
        for token in [token for token, window in self._windows.items() if window.empty(now)]:
            del self._windows[token]
        self._sweep_at = now + self._rules.seconds

    def _make_room(self, now: float) -> None:
        """Forget an eighth of the tokens if none is empty: those with the fewest calls, whose loss is least."""
        self._sweep(now)
        if len(self._windows) >= self._most_tenants:
            idle = [token for token, window in self._windows.items() if not window.busy]
            for token in heapq.nsmallest(1 + self._most_tenants // 8, idle, lambda one: self._windows[one].calls):
                del self._windows[token]


class _Window:
    """What is known of one token: its calls under way and past, what Clever says is left, and who waits."""

    __slots__ = (
        "_closed_until",
        "_rules",
        "_timer",
        "_told",
        "_told_left",
        "_told_until",
        "past",
        "share",
        "turns",
        "under_way",
    )

    def __init__(self, rules: _Rules) -> None:
        self._rules = rules
        self.share: Share | None = None
        self.turns: Turns[Place] = Turns()
        self.under_way = 0
        # The moments at which calls that have ended cease to count.
        self.past: deque[float] = deque()
        self._closed_until = 0.0
        # Clever's own window: its reset as Clever wrote it, ours of the same moment, and the calls left until then.
        self._told = 0.0
        self._told_until = 0.0
        self._told_left = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        return self.under_way > 0 or bool(self.turns)

    @property
    def calls(self) -> int:
        return self.under_way + len(self.past)

    def now(self) -> float:
        return self._rules.clock()

    def empty(self, now: float) -> bool:
        self._forget(now)
        return not (self.busy or self.past or now < self._closed_until or now < self._told_until)

    def _forget(self, now: float) -> None:
        past = self.past
        while past and past[0] <= now:
            past.popleft()

    def free(self, now: float) -> int:
        """Return how many places can be given now."""
        room = self._room(now)
        return room if self.share is None or room <= 0 else min(room, self.share.free(now))

    def _room(self, now: float) -> int:
        """Return the places that this process alone has; what is under way may be missing in what Clever told."""
        self._forget(now)
        if now < self._closed_until:
            return 0
        left = min(self._rules.limit - len(self.past), self._rules.at_once)
        if now < self._told_until:
            left = min(left, self._told_left)
        return left - self.under_way

    def left(self, now: float) -> int:
        """Return how many calls are left, those under way taken off."""
        # Asked for every answer: comparisons take a fraction of what `min` and `max` do.
        if now < self._closed_until:
            return 0
        if self.past:
            self._forget(now)
        left = self._rules.limit - len(self.past)
        if now < self._told_until and self._told_left < left:
            left = self._told_left
        left -= self.under_way
        if self.share is not None:
            left = min(left, self.share.left(now))
        return left if left > 0 else 0

    def told(self, now: float) -> tuple[float, int] | None:
        return (self._told, self._told_left) if now < self._told_until else None

    def closed_for(self, now: float) -> float:
        return max(0.0, self._closed_until - now)

    def stands(self, now: float) -> bool:
        """Say whether a place given earlier, one of those under way, may still be used."""
        return now >= self._closed_until and (now >= self._told_until or self._told_left >= self.under_way)

    def wait(self, now: float, places: int = 1) -> float:
        """Return the seconds that must pass before so many places can have come free, 0 where it may be at once."""
        until = self._closed_until
        if now < self._told_until and places > self._told_left:
            until = max(until, self._told_until)
        missing = places - (self._rules.limit - self.calls)
        if missing > len(self.past):
            until = max(until, now + self._rules.seconds)
        elif missing > 0:
            until = max(until, self.past[missing - 1])
        if self.share is not None:
            until = max(until, now + self.share.wait(now, places))
        return max(0.0, until - now)

    def take(self) -> "_WindowPlace":
        self.under_way += 1
        if self.share is not None:
            self.share.take()
        return _WindowPlace(self)

    async def queue(self, allowance: Allowance, now: float) -> Place:
        """Wait for a place, within the request's time and only as long as one can come free in it."""
        line, seconds = allowance.line, allowance.seconds_left
        wait = self.wait(now, self.turns.ahead_of(line) + 1)
        if wait > 0 and wait >= seconds:
            raise UpstreamRateLimited(wait)
        waiter: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self.turns.join(line, waiter)
        self.serve()
        place: Place | None = None
        try:
            async with asyncio.timeout(seconds):
                place = await waiter
        except TimeoutError:
            now = self._rules.clock()
            wait = self.wait(now, max(1, self.turns.ahead_of(line)))
            raise UpstreamRateLimited(wait) if wait > 0 else out_of_time() from None
        finally:
            if place is None:
                self._leave(line, waiter)
        return place

    def _leave(self, line: Allowance, waiter: asyncio.Future[Place]) -> None:
        self.turns.leave(line, waiter)
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            waiter.result().end()

    def serve(self) -> None:
        """Give the free places to those who wait, refuse those who would wait in vain, and come back in time."""
        now = self._rules.clock()
        free = self.free(now)
        while free > 0 and self.turns:
            waiter = self.turns.next()
            if not waiter.done():
                waiter.set_result(self.take())
                free -= 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.turns and (wait := self.wait(now)) > 0:
            for request in [request for request in self.turns if request.seconds_left <= wait]:
                for waiter in self.turns.dismiss(request):
                    if not waiter.done():
                        waiter.set_exception(UpstreamRateLimited(wait))
        if self.turns and wait > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(wait, _SHORTEST_WAIT_S), self.serve)
        elif self.turns and self.share is not None and (room := self._room(now)) > 0:
            self.share.ask(min(len(self.turns), room))

    def tell(self, headers: Mapping[str, str]) -> bool:
        """Believe what an answer says is left until the reset it names; False where it says nothing readable.

        Answers come out of order: within one window of Clever's the least counts, and a window that is over is no news.
        """
        left = least_remaining(headers.get("x-ratelimit-remaining", ""))
        reset = latest_reset(headers.get("x-ratelimit-reset", ""))
        if left is None or reset is None:
            return False
        seconds = min(reset - self._rules.wall(), self._rules.seconds)
        if seconds > 0:
            now = self._rules.clock()
            if now < self._told_until and reset <= self._told:
                self._told_left = min(self._told_left, left)
            else:
                self._told, self._told_left = reset, left
                # All who share the token are told the same moment.
                self._told_until = now + seconds + self._rules.pick(0.05, 0.5)
        return True

    def miss(self) -> None:
        """Take a call of which no answer told as one that Clever counted."""
        self._told_left -= 1
        if self.share is not None:
            self.share.miss()

    def close(self, seconds: float) -> None:
        self._closed_until = max(self._closed_until, self._rules.clock() + seconds)
        if self.share is not None:
            self.share.news()
        if self.turns:
            self.serve()

    def end(self, sent: bool) -> None:
        self.under_way -= 1
        if sent:
            self.past.append(self._rules.clock() + self._rules.seconds)
        if self.share is not None:
            self.share.news()
        if self.turns:
            self.serve()


class _WindowPlace:
    __slots__ = ("_ended", "_sent", "_told", "_window")

    def __init__(self, window: _Window) -> None:
        self._window = window
        self._sent = self._told = self._ended = False

    @property
    def stands(self) -> bool:
        return self._window.stands(self._window.now())

    def sent(self) -> None:
        self._sent = True

    def report(self, headers: Mapping[str, str]) -> None:
        self._told = self._window.tell(headers)

    def refused(self, seconds: float) -> None:
        self._told = True
        self._window.close(seconds)

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            if self._sent and not self._told:
                self._window.miss()
            self._window.end(self._sent)
