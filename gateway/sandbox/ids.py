"""Record ids and their birth times: Mongo ObjectIDs that sort by creation, unique over districts and types.

A legacy id (the id an account had before API v3) comes from a series of its own and never collides.
"""

from datetime import UTC, datetime
from functools import lru_cache
from random import Random

FIRST_SYNC = 1_627_920_000  # 2021-08-02: when the first district's records begin
DISTRICT_GAP = 90 * 86_400
LATEST_SYNC = 1_772_600_400_000  # 2026-03-04: the last sync that any record has seen, in milliseconds


def timestamp(milliseconds: int) -> str:
    """Write a moment as Clever does: `2023-04-23T16:07:28.860Z`."""
    days, rest = divmod(milliseconds, 86_400_000)
    seconds, rest = divmod(rest, 1000)
    return f"{_date(days)}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}Z"


@lru_cache(maxsize=4096)
def _date(days: int) -> str:
    return f"{datetime.fromtimestamp(days * 86_400, UTC):%Y-%m-%d}"


def born(record_id: str) -> int:
    """Read the second of creation out of an id, in milliseconds."""
    return int(record_id[:8], 16) * 1000


class Ids:
    """One district's mint: every id is greater than the one before it."""

    def __init__(self, index: int, rng: Random) -> None:
        self._rng = rng
        self._milliseconds = (FIRST_SYNC + index * DISTRICT_GAP) * 1000
        # The first byte keeps districts and the two series apart whatever the random bytes say.
        self._origin = f"{index & 0x7F:02x}{rng.getrandbits(32):08x}"
        self._legacy_origin = f"{0x80 | index & 0x7F:02x}{rng.getrandbits(32):08x}"
        self._count = 0

    def mint(self) -> str:
        """Return the next id: 8 hex of unix seconds, 10 of origin, 6 of counter."""
        self._milliseconds += self._rng.randrange(1, 90)
        self._count += 1
        return f"{self._milliseconds // 1000:08x}{self._origin}{self._count:06x}"

    def legacy(self) -> str:
        """Return an id of the series used before v3, four years older."""
        self._count += 1
        return f"{self._milliseconds // 1000 - 126_230_400:08x}{self._legacy_origin}{self._count:06x}"
