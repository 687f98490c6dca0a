"""How long what Clever said may be used: fresh, then while it is read anew, then only while Clever cannot be asked."""

from dataclasses import dataclass
from enum import IntEnum, auto

from gateway.clever.catalogue import SECTIONS, USERS, Resource


class Age(IntEnum):
    """What may be done with something held, from best to worst."""

    FRESH = auto()
    """Used as it is."""
    USABLE = auto()
    """Used while it is read anew."""
    SPARE = auto()
    """Used only where it cannot be read anew."""
    GONE = auto()
    """Not used."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds that records and lists are fresh; then for as long again usable; spare until `spare_s` old.

    That Clever has no such record to show is believed for `missing_s`, and then for want of anything newer only.
    """

    users_s: float = 300.0
    sections_s: float = 300.0
    others_s: float = 3600.0
    spare_s: float = 86_400.0
    missing_s: float = 60.0

    def fresh_s(self, rows: Resource, *, missing: bool = False) -> float:
        """Return the seconds that rows of this kind are fresh."""
        fresh = self.users_s if rows is USERS else self.sections_s if rows is SECTIONS else self.others_s
        return min(fresh, self.missing_s) if missing else fresh

    def age(self, rows: Resource, seconds: float, *, missing: bool = False) -> Age:
        """Return what may be done with rows that were read so many seconds ago."""
        fresh = self.fresh_s(rows, missing=missing)
        if seconds < fresh:
            return Age.FRESH
        if seconds < 2 * fresh and not missing:
            return Age.USABLE
        return Age.SPARE if seconds < self.spare_s else Age.GONE
