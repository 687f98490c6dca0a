"""Back ends that bring an API key. The gateway has the keys' SHA-256 alone.

A key holds 256 random bits, so that nobody can try them all: a slow hash, as for passwords, would add nothing.
"""

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec

from gateway.clever.outside import Unread, WatchedFile
from gateway.clever.values import is_id
from gateway.errors import Unauthenticated
from gateway.identity import EVERY_PERMISSION, Caller
from gateway.web.jwt import Tenants

PREFIX = "cgk_"
_SHA256 = frozenset("0123456789abcdef")


class ApiKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry of the file: a key's name and SHA-256, the district that it reads, and what it may do beyond reading.

    `expires` is a day, the last one of the key in UTC, or a moment; without it the key stays good.
    """

    name: str
    sha256: str
    district: str
    permissions: list[str] = []
    expires: str | None = None


def new_key() -> str:
    """Return a new random key."""
    return f"{PREFIX}{secrets.token_urlsafe(32)}"


def hashed(key: str) -> str:
    """Return what is kept of a key."""
    return sha256(key.encode()).hexdigest()


def read_entries(body: bytes) -> dict[str, ApiKey]:
    """Return the entries of a file by their hashes. Raises Unread, which names the entry and repeats no hash."""
    try:
        rows = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unread("the file is not JSON") from None
    if not isinstance(rows, list):
        raise Unread("the file must hold a list of entries, as `clever-gateway apikey` makes them")
    found: dict[str, ApiKey] = {}
    names: set[str] = set()
    for number, row in enumerate(rows, 1):
        entry = _read_entry(row, number)
        if entry.sha256 in found or entry.name in names:
            raise Unread(f"entry {number} has the name or the hash of another")
        found[entry.sha256] = entry
        names.add(entry.name)
    return found


def _read_entry(row: Any, number: int) -> ApiKey:
    try:
        entry = msgspec.convert(row, ApiKey)
    except msgspec.ValidationError:
        raise Unread(
            f"entry {number} must be an object with `name`, `sha256` and `district`, and may have `permissions` (a "
            "list) and `expires`, and nothing else"
        ) from None
    if not entry.name or not entry.name.isprintable() or len(entry.name) > 100:
        raise Unread(f"entry {number} has no name that can be logged: 1 to 100 printable characters")
    if len(entry.sha256) != 64 or not set(entry.sha256) <= _SHA256:
        raise Unread(f"the sha256 of entry {number} is not one: 64 lower-case hex digits")
    if not is_id(entry.district):
        raise Unread(f"the district of entry {number} is not Clever's id of one: 24 lower-case hex digits")
    if not set(entry.permissions) <= EVERY_PERMISSION:
        raise Unread(f"entry {number} has a permission that does not exist; there are: {permissions()}")
    if entry.expires is not None and last_moment(entry.expires) is None:
        raise Unread(f"entry {number} expires at no day such as 2027-06-30 and no moment such as 2027-06-30T12:00:00Z")
    return entry


def permissions() -> str:
    """Return the names of all permissions."""
    return ", ".join(sorted(EVERY_PERMISSION))


def last_moment(text: str) -> float | None:
    """Return until when a key is good, in seconds since 1970; None where the text tells no day and no moment."""
    try:
        if len(text) == 10:
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return (day + timedelta(days=1)).timestamp()
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


class ApiKeys:
    """The API keys of a file, read again when it is replaced; `on_problem` hears where the new one cannot be used.

    `tenant` returns a district's tenant, None where no token of it is held. Raises Unread where the file is no good.
    """

    def __init__(
        self,
        file: WatchedFile,
        tenant: Tenants,
        on_problem: Callable[[str], None] = lambda _problem: None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._tenant = tenant
        self._on_problem = on_problem
        self._clock = clock
        self._entries: Mapping[str, ApiKey] = read_entries(file.read())

    async def caller(self, key: str) -> Caller:
        """Return the back end that a key belongs to. Raises Unauthenticated."""
        if self._file.changed():
            try:
                self._entries = read_entries(self._file.read())
            except Unread as error:
                self._on_problem(str(error))
        hash_ = hashed(key)
        entry = self._entries.get(hash_)
        # How long the look-up takes tells of the hash alone, from which nobody gets to a key; the last word takes as
        # long whatever they are.
        if entry is None or not hmac.compare_digest(entry.sha256, hash_):
            raise Unauthenticated("This API key is not known here. It may have been withdrawn; ask for a new one.")
        if entry.expires is not None and self._clock() >= (last_moment(entry.expires) or 0.0):
            raise Unauthenticated("This API key has expired. Ask for a new one.")
        tenant = await self._tenant(entry.district)
        if tenant is None:
            raise Unauthenticated(
                "The gateway holds no token for the district of this API key. The district must connect the app in "
                "Clever first."
            )
        return Caller(tenant, None, frozenset(entry.permissions), entry.name)
