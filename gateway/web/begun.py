"""Begun: a coroutine that has run up to where it waits. Most end before that, and need no timer and nobody watching."""

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class Begun(Generic[V]):
    """A coroutine run as far as it goes without waiting; to be awaited, in the task that began it, unless `done`.

    Raises what the coroutine raises up to there.
    """

    __slots__ = ("_coroutine", "_waits_for", "done", "result")

    result: V

    def __init__(self, coroutine: Coroutine[Any, Any, V]) -> None:
        self._coroutine = coroutine
        try:
            self._waits_for = coroutine.send(None)
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
            except BaseException as error:  # noqa: BLE001 - whatever comes, a cancellation above all, is the coroutine's
                try:
                    waits_for = self._coroutine.throw(error)
                except StopIteration as end:
                    ended: V = end.value
                    return ended
            else:
                return (yield from self._coroutine.__await__())
