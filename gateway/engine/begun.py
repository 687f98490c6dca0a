"""Begun: work that has run up to where it waits. Most ends before that, and needs no timer and nobody watching."""

from collections.abc import Awaitable, Generator
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class Begun(Generic[V]):
    """Something awaitable, run as far as it goes without waiting; unless `done`, the task that began it is to await it.

    Raises what it raises up to there.
    """

    __slots__ = ("_steps", "_waits_for", "done", "result")

    result: V

    def __init__(self, work: Awaitable[V]) -> None:
        self._steps = work.__await__()
        try:
            self._waits_for = self._steps.send(None)
        except StopIteration as end:
            self.done, self.result = True, end.value
        else:
            self.done = False

    def __await__(self) -> Generator[Any, None, V]:
        """Go on from where it waits, and return its result."""
        if self.done:
            return self.result
        waits_for = self._waits_for
        while True:
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - whatever comes, a cancellation above all, is for the work
                try:
                    waits_for = self._steps.throw(error)
                except StopIteration as end:
                    ended: V = end.value
                    return ended
            else:
                return (yield from self._steps)
