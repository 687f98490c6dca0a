"""How Clever writes dates, times and flags, read into Python. What cannot be read is None, never an error."""

import re
from collections import Counter
from datetime import UTC, date, datetime

ID = re.compile(r"[0-9a-f]{24}")
_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")

# What Clever sent and this version does not know (an enum value, a role, a wrong type), counted by kind and
# never by value. Kinds are few and named in the code, so the table cannot grow.
unrecognized: Counter[str] = Counter()


def is_id(text: str) -> bool:
    """Say whether `text` is a Clever id: exactly 24 lower-case hex digits."""
    return ID.fullmatch(text) is not None


def read_date(text: str | None) -> date | None:
    """Read `2026-08-17`, `2026-08-17T00:00:00.000Z`, `2026-08-17 00:00:00` or the unpadded `8/17/2026`.

    Terms come in the first three, by route; a student's dob in the last.
    """
    if not text:
        return None
    try:
        if match := _US_DATE.fullmatch(text):
            month, day, year = match.groups()
            return date(int(year), int(month), int(day))
        if len(text) > 10 and text[10] not in "T ":
            return None
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def read_timestamp(text: str | None) -> datetime | None:
    """Read an ISO 8601 timestamp into UTC; one without a zone is taken as UTC."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_flag(text: str | None) -> bool | None:
    """Read Clever's `"Y"` and `"N"`; everything else is unknown."""
    return {"Y": True, "N": False}.get(text or "")
