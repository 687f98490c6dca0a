"""Spent: names that must not pass again, such as those of sessions that were ended, in this process and in others."""

import heapq
import time
from collections.abc import Callable, Iterable
from typing import Protocol


class Others(Protocol):
    """The other processes of a deployment, which tell each other of names that are spent; `until` is in unix seconds.

    Where they cannot be reached each process goes by what it knows.
    """

    def spelled(self, name: str) -> str:
        """Return what a name is known by among processes, which tells nothing of it."""

    def hear(self, on_spent: Callable[[str, float], object], known: Callable[[], Iterable[tuple[str, float]]]) -> None:
        """Set who hears of names that others have spent, and who knows all that are spent."""

    def tell(self, spelled: str, until: float) -> None:
        """Tell the others of a name, beside requests."""

    async def take(self, spelled: str, until: float) -> bool:
        """Say whether none of the others has taken a name yet, and take it."""


class Spent:
    """Names, each until a time; of more than `most` those go first that would go soonest."""

    def __init__(
        self, most: int = 100_000, clock: Callable[[], float] = time.time, others: Others | None = None
    ) -> None:
        self._most = most
        self._clock = clock
        self._others = others
        self._names: set[str] = set()
        self._by_time: list[tuple[float, str]] = []
        if others is not None:
            others.hear(self._add, self._known)

    def __contains__(self, spelled: str) -> bool:
        return spelled in self._names

    def __len__(self) -> int:
        return len(self._names)

    def spelled(self, name: str) -> str:
        """Return what a name is known by here."""
        return name if self._others is None else self._others.spelled(name)

    def add(self, spelled: str, until: float) -> None:
        """Note a name, here at once and elsewhere soon."""
        if self._add(spelled, until) and self._others is not None:
            self._others.tell(spelled, until)

    async def take(self, name: str, until: float) -> bool:
        """Note a name; say whether it is new, here and as far as can be told elsewhere."""
        spelled = self.spelled(name)
        return self._add(spelled, until) and (self._others is None or await self._others.take(spelled, until))

    def _add(self, spelled: str, until: float) -> bool:
        now = self._clock()
        while self._by_time and (self._by_time[0][0] <= now or len(self._by_time) >= self._most):
            self._names.discard(heapq.heappop(self._by_time)[1])
        if spelled in self._names or until <= now:
            return False
        self._names.add(spelled)
        heapq.heappush(self._by_time, (until, spelled))
        return True

    def _known(self) -> Iterable[tuple[str, float]]:
        return [(spelled, until) for until, spelled in self._by_time]
