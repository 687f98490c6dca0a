"""Turns: so many requests are worked out at a time, some more wait for a short while, and the rest come again later."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable

from gateway.errors import TryLater

_Line = deque[asyncio.Future[None]]


class Turns:
    """At most `at_once` have a turn, and `most_waiting` others wait for one, each at most `longest_wait_s` seconds.

    Who waits has a line with those of the same `owner`, and lines take turns: a flood of one owner's makes others wait
    for one of it, not for all. Where there is no more room to wait, it is the longest line that gets shorter.
    """

    def __init__(self, at_once: int, most_waiting: int, longest_wait_s: float) -> None:
        self.at_once = at_once
        self._free = at_once
        self._most_waiting = most_waiting
        self._longest_wait_s = longest_wait_s
        self._lines: OrderedDict[Hashable, _Line] = OrderedDict()
        self.waiting = 0

    @property
    def taken(self) -> int:
        """Return how many have a turn."""
        return self.at_once - self._free

    async def take(self, owner: Hashable, seconds: float) -> None:
        """Wait for a turn, at most so many seconds; whoever has got it gives it back. Raises TryLater."""
        if self._free > 0:
            self._free -= 1
            return
        self._make_room(owner)
        line = self._lines.setdefault(owner, deque())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        self.waiting += 1
        try:
            async with asyncio.timeout(min(seconds, self._longest_wait_s)):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # It came too late to be used.
                self.give_back()
            elif turn in line:
                self._leave(owner, line, turn)
            if isinstance(error, TimeoutError):
                raise self._later() from None
            raise

    def give_back(self) -> None:
        """End a turn: the first of the next line gets it."""
        while self._lines:
            owner, line = next(iter(self._lines.items()))
            turn = line[0]
            self._leave(owner, line, turn)
            if line:
                self._lines.move_to_end(owner)
            # One whose time has just ended has not left its line yet.
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _make_room(self, owner: Hashable) -> None:
        """See to it that one more can wait in an owner's line. Raises TryLater where nobody's line is longer."""
        if self.waiting < self._most_waiting:
            return
        longest = max(self._lines, key=lambda one: len(self._lines[one]), default=None)
        if longest is None or len(self._lines[longest]) <= len(self._lines.get(owner, ())) + 1:
            raise self._later()
        line = self._lines[longest]
        last = line[-1]
        self._leave(longest, line, last)
        if not last.done():
            last.set_exception(self._later())

    def _leave(self, owner: Hashable, line: _Line, turn: asyncio.Future[None]) -> None:
        line.remove(turn)
        self.waiting -= 1
        if not line:
            del self._lines[owner]

    def _later(self) -> TryLater:
        return TryLater.overloaded(self._longest_wait_s)
