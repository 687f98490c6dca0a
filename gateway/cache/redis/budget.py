"""Shares of a token's calls: one window over all processes, and a safe part of it while Redis cannot be asked.

Calls are given out by Redis, which knows what each process has made of the window (`scripts.CALLS`). A process that
loses Redis cannot know what the others do. It goes on so that all together stay within the limit:

1. At first, others may take what it gives up, so it keeps to the little that Redis leaves to everybody.
2. Once Redis, if it is there, has noticed its silence, it goes on with as many calls as it had in its window.
3. When all calls of before have run out, everybody takes an equal share.

It is the same where Redis comes back and has forgotten: it is asked, and the process keeps to these bounds until
everybody has spoken. One that was not long among the others takes out of what is left over for such.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from weakref import WeakSet

from gateway.cache.redis import scripts
from gateway.cache.redis.link import RedisLink, Unreachable
from gateway.clever.retry import WINDOW_S
from gateway.clever.shares import Use
from gateway.identity import Tenant

# What calls ended is told to the others at latest after this time.
_REPORT_S = 0.2
# Calls given by Redis and not begun after this time are given back.
_KEEP_S = 1.0
# A process that is gone may have had calls under way for so long.
_HOLD_S = 30.0
# What the others have left is asked for so often, at most, while somebody wants to know.
_ASK_LEFT_S = 2.0


@dataclass(frozen=True, slots=True)
class ShareRules:
    """The limit of calls in any `seconds`, and how a process that lost Redis finds its way, in the same proportion."""

    limit: int
    seconds: float = WINDOW_S
    clock: Callable[[], float] = time.monotonic

    @property
    def settled_s(self) -> float:
        """Return after what time no call of before counts, however late somebody noticed."""
        return self.seconds * 7 / 6

    def share(self, replicas: int | None) -> int:
        """Return an equal share: nine tenths of the limit among all; a tenth where their number is not known."""
        return max(1, self.limit // 10 if replicas is None else self.limit * 9 // (10 * replicas))

    def least(self, replicas: int | None) -> int:
        """Return what Redis leaves to everybody; for one who is not known there, a part of what it gives to nobody."""
        return max(1, self.limit // 100 if replicas is None else self.limit // (5 * replicas))


class RedisShares:
    """The shares of one process, by token."""

    def __init__(self, link: RedisLink, rules: ShareRules) -> None:
        self._link = link
        self._rules = rules
        self._tasks: set[asyncio.Task[None]] = set()
        self._shares: WeakSet[RedisShare] = WeakSet()
        link.on_up.append(self._speak_up)

    def _speak_up(self) -> None:
        """Tell Redis, now that it is back, what was done meanwhile."""
        for share in list(self._shares):
            share.start()

    def __call__(self, tenant: Tenant, use: Use) -> "RedisShare":
        """Return this process's share of a token's calls."""
        share = RedisShare(self._link, self._link.names.budget(tenant), use, self._rules, self._tasks)
        self._shares.add(share)
        return share

    async def aclose(self) -> None:
        """Stop asking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@dataclass(slots=True)
class _Loose:
    """Since when a process goes by its own bounds, the calls that counted then, and those that it has begun since."""

    since: float
    counted: int
    member: int | None
    begun: int = 0


class RedisShare:
    """One process's share of one token's calls."""

    def __init__(self, link: RedisLink, name: str, use: Use, rules: ShareRules, tasks: set[asyncio.Task[None]]) -> None:
        self._link = link
        self._name = name
        self._use = use
        self._rules = rules
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wanted = 0
        self._missed = 0
        # Calls that Redis gave and that have not begun.
        self._given = 0
        self._given_at = 0.0
        # What more could have been had, and when that was.
        self._more: tuple[float, int] | None = None
        self._wait_until = 0.0
        self._loose: _Loose | None = None
        # After an exchange that failed, Redis is as good as lost for a moment.
        self._deaf_until = 0.0

    def free(self, now: float) -> int:
        """Return how many more calls may begin now, without asking Redis."""
        if self._is_deaf(now):
            self._loosen(now)
            return self._room(now)
        return self._given

    def left(self, now: float) -> int:
        """Return how many more calls could begin now, as far as is known."""
        if self._is_deaf(now):
            self._loosen(now)
        if self._loose is not None:
            return self._room(now)
        age = float("inf") if self._more is None else now - self._more[0]
        if age > _ASK_LEFT_S:
            self.news()
        # After a whole window nothing of it is true any more.
        return self._rules.limit if self._more is None or age > self._rules.seconds else self._given + self._more[1]

    def wait(self, now: float, places: int) -> float:
        """Return the seconds that must pass before so many more calls can begin, 0 where it is not known."""
        told = max(0.0, self._wait_until - now) if places > self._given and not self._is_deaf(now) else 0.0
        if self._loose is None or self._room(now) > 0:
            return told
        bounds = (self._loose.since + self._unnoticed_s, self._loose.since + self._rules.settled_s)
        ends = [moment for moment in (*bounds, *islice(self._use.past, 1)) if moment > now]
        if self._link.up:
            # Redis may know more any time.
            ends.append(now + self._link.silent_s / 5)
        return max(told, min(ends, default=now + _KEEP_S) - now)

    def ask(self, places: int) -> None:
        """Ask Redis for so many calls."""
        self._wanted = max(self._wanted, places)
        if not self._is_deaf(self._rules.clock()):
            self.start()

    def take(self) -> None:
        """Count a call as begun."""
        self._given = max(0, self._given - 1)
        if self._loose is not None:
            self._loose.begun += 1

    def miss(self) -> None:
        """Count a call whose answer did not tell what Clever has counted."""
        self._missed += 1

    def news(self) -> None:
        """Tell Redis in a moment what has changed."""
        self._start_in(_REPORT_S)

    def _is_deaf(self, now: float) -> bool:
        return not self._link.up or now < self._deaf_until

    @property
    def _unnoticed_s(self) -> float:
        """Return for how long Redis does not notice that this process is silent."""
        return 1.2 * self._link.silent_s

    def _loosen(self, now: float) -> None:
        """Go by own bounds from now on."""
        if self._loose is None:
            known = self._link.replicas
            member = known is not None and known.member_s >= self._rules.settled_s
            counted = self._use.under_way + len(self._use.past) + self._given
            since = now if self._link.lost_at is None else min(now, self._link.lost_at)
            self._loose = _Loose(since, counted, known.count if known is not None and member else None)
            self._given = 0

    def _room(self, now: float) -> int:
        """Return how many more calls the own bounds allow."""
        loose, rules = self._loose, self._rules
        if loose is None:
            return self._given
        known = self._link.replicas
        share, least = rules.share(known.count if known else None), rules.least(loose.member)
        counted, passed = self._use.under_way + len(self._use.past), now - loose.since
        if passed >= rules.settled_s:
            return max(0, share - counted)
        bound = least if passed < self._unnoticed_s else max(loose.counted, least)
        return max(0, min(bound - counted, share - loose.begun))

    def _start_in(self, seconds: float) -> None:
        if not self._link.up:
            return
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self.start)

    def start(self) -> None:
        """Speak to Redis now; where that is under way, what is new goes with the next time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is None and self._link.up:
            self._task = asyncio.create_task(self._speak())
            self._tasks.add(self._task)
            self._task.add_done_callback(self._spoken)

    def _spoken(self, done: asyncio.Task[None]) -> None:
        self._tasks.discard(done)
        self._task = None
        if not done.cancelled():
            self._use.serve()
            if self._loose is not None:
                # It is asked how things stand until its own bounds hold no more.
                self._start_in(self._link.silent_s / 5)
            elif self._use.under_way + self._given:
                # Given back where it is not used, and said again where it lasts.
                self._start_in(_KEEP_S if self._given else _HOLD_S / 3)

    async def _speak(self) -> None:
        """Tell Redis what has been used, and take what it gives."""
        rules, now = self._rules, self._rules.clock()
        wanted, self._wanted = self._wanted, 0
        if not wanted and now - self._given_at >= _KEEP_S:
            self._given = 0
        if self._loose is not None:
            wanted = max(0, min(wanted, self._room(now) - self._given))
        missed, self._missed = self._missed, 0
        said = self._said(now, wanted, missed)
        keys = [self._name, self._link.names.replicas]
        try:
            given, more, wait_ms, young = await self._link.script("calls", scripts.CALLS, keys, said)
        except Unreachable:
            self._missed += missed
            self._deaf_until = rules.clock() + self._link.silent_s / 5
            self._loosen(now)
            return
        now = rules.clock()
        if young:
            # It was asked without regard to the bounds that hold from now on.
            self._loosen(now)
            given = max(0, min(given, self._room(now) - self._given))
        else:
            self._loose = None
        self._given += given
        self._given_at = now
        self._more = now, more
        self._wait_until = now + wait_ms / 1000 if given < wanted else 0.0

    def _said(self, now: float, wanted: int, missed: int) -> list[str | int]:
        rules, use, link = self._rules, self._use, self._link
        step = rules.seconds / 60
        # A moment is rounded up: no call ceases to count too early.
        past = Counter(int((end - now) / step) + 1 for end in use.past if end > now)
        told = use.told(now)
        reset, left = (0.0, 0) if told is None else told
        return [
            link.replica,
            _ms(rules.seconds),
            rules.limit,
            wanted,
            use.under_way + self._given,
            sum(past.values()),
            _ms(link.silent_s),
            _ms(rules.settled_s),
            _ms(_HOLD_S),
            missed,
            round(reset),
            _ms(max(0.0, min(reset - time.time(), rules.seconds)) + 0.5),
            left,
            _ms(use.closed_for(now)),
            ",".join(f"{_ms(steps * step)}:{count}" for steps, count in sorted(past.items())),
        ]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
