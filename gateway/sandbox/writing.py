"""How a record is put on paper: keys left out, left blank or filled, in no dependable order, never `null`."""

from random import Random
from typing import Any

from .ids import LATEST_SYNC, born, timestamp

Record = dict[str, Any]


class Pen:
    """Writes one district's records; every chance it takes comes from the district's own generator."""

    def __init__(self, rng: Random, district: str) -> None:
        self.rng = rng
        self.district = district
        self._turn = 0

    def maybe(self, record: Record, key: str, value: Any, absent: float = 0.1, blank: float = 0.1) -> None:
        """Set a key, or leave it out, or set it to `""`: Clever's data has all three for the same field."""
        chance = self.rng.random()
        if chance >= absent:
            record[key] = "" if chance < absent + blank else value

    def dates(self, record_id: str) -> Record:
        """Return `created` and `last_modified`; a re-import resets `created`, so it may be younger than the id."""
        created = born(record_id) + self.rng.randrange(1000)
        if self.rng.random() < 0.1:
            created += self.rng.randrange(400 * 86_400_000)
        modified = created + self.rng.randrange(max(1, LATEST_SYNC - created))
        return {"created": timestamp(created), "last_modified": timestamp(modified)}

    def turned(self, record: Record) -> Record:
        """Return the record with its keys rotated, a different way each time: their order means nothing."""
        self._turn += 1
        items = list(record.items())
        cut = self._turn % len(items)
        return dict(items[cut:] + items[:cut])

    def own_field(self, record: Record, chance: float, key: str, values: tuple[str, ...]) -> None:
        """Add an `ext` map of the district's own to some records."""
        if self.rng.random() < chance:
            record["ext"] = {key: self.rng.choice(values)}
