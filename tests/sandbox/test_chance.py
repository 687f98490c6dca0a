"""The written-out draws are those of Python's own generator, so that a seed means the same district for ever."""

from random import Random

import pytest

from gateway.sandbox.chance import Chance


@pytest.mark.parametrize("seed", range(5))
def test_it_draws_what_random_draws(seed: int) -> None:
    ours, python_s = Chance(f"{seed}/x"), Random(f"{seed}/x")
    school = ours.chooser("abcdef", (1.0, 2.0, 1.4, 1.0, 0.9, 0.0))
    for size in range(1, 200):
        assert ours.choice(range(size)) == python_s.choice(range(size))
        assert ours.randrange(size * 7) == python_s.randrange(size * 7)
        assert ours.randrange(-3, size) == python_s.randrange(-3, size)
        assert ours.randrange(0, size, 3) == python_s.randrange(0, size, 3)
        assert school() == python_s.choices("abcdef", (1.0, 2.0, 1.4, 1.0, 0.9, 0.0))[0]
        assert ours.sample(range(size), size // 2) == python_s.sample(range(size), size // 2)


def test_there_must_be_something_to_choose_from() -> None:
    with pytest.raises(ValueError, match="empty range"):
        Chance(1).randrange(4, 4)
