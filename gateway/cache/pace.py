"""Pace: long work is done a while at a time, so that nothing else waits for all of it."""

import asyncio
import time

SLICE_S = 0.01


class Pace:
    """The clock of work that goes on for long: where a rest is `due`, others have their turn.

    Those who share `turns` go on one after another: side by side, their slices would add up.
    """

    __slots__ = ("_seconds", "_turns", "_until")

    def __init__(self, turns: asyncio.Lock, seconds: float) -> None:
        self._turns = turns
        self._seconds = seconds
        self._until = time.perf_counter() + seconds

    @property
    def due(self) -> bool:
        """Say whether it has gone on long enough at a stretch."""
        return time.perf_counter() > self._until

    async def rest(self) -> None:
        """Let others have their turn."""
        async with self._turns:
            await asyncio.sleep(0)
        self._until = time.perf_counter() + self._seconds
