"""From the upstream's bytes to records, tolerant of single wrong values and strict about the envelope.

The fast path decodes a whole page in one go. Where a value has a type that Clever's swagger does not promise, only
the records of that page are read again, value by value: the wrong value reads as absent and is counted.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Raw, Struct

from gateway.clever.catalogue import RESOURCES, Resource
from gateway.clever.records import Part, Record, Roles
from gateway.clever.values import is_id, unrecognized
from gateway.errors import UpstreamInvalidResponse

R = TypeVar("R")

# Bytes that are no JSON: broken syntax, broken UTF-8, nesting without end.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class NotClever(UpstreamInvalidResponse):
    """A body that is not the API's JSON: what answered may not be Clever at all."""


class Link(Struct, frozen=True, gc=False):
    """A link of the envelope; `rel` is an open set, `uri` is relative and carries the version."""

    rel: str = ""
    uri: str = ""


class Wrapped(Struct, Generic[R], frozen=True):
    """The envelope around one record."""

    data: R


class Listing(Struct, Generic[R], frozen=True):
    """The envelope around a page; the resources backend answers `{"resources": []}` when there is nothing."""

    data: tuple[R, ...] | None = None
    links: tuple[Link, ...] | None = None
    resources: tuple[Raw, ...] | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of records, ascending by id and without repeats.

    `onward` is the cursor of the page that follows in the direction of reading, where Clever links on.
    """

    records: tuple[Record, ...]
    onward: str | None = None


@cache
def _one(record: type[Record]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Wrapped[record])  # type: ignore[valid-type]


@cache
def _many(record: type[Record]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Listing[Wrapped[record]])  # type: ignore[valid-type]


_RAW_ONE = msgspec.json.Decoder(Wrapped[Raw])
_RAW_MANY = msgspec.json.Decoder(Listing[Raw])
# How many records are read before the clock is looked at.
_AT_ONCE = 50

# What is beyond is no count of a district's records.
_LARGEST_COUNT = 2**31 - 1


def decode_record(rows: Resource, body: bytes) -> Record:
    """Read the body of a single-record call.

    Raises UpstreamInvalidResponse where the envelope or the id is missing.
    """
    try:
        found: Record = _one(rows.record).decode(body).data
    except msgspec.ValidationError:
        try:
            found = tolerant(rows.record, msgspec.json.decode(_RAW_ONE.decode(body).data))
        except _UNREADABLE as error:
            raise not_clever() from error
    except _UNREADABLE as error:
        raise not_clever() from error
    if not is_id(found.id):
        raise not_clever()
    return found


def decode_page(rows: Resource, body: bytes, path: str, onward: Literal["next", "prev"] = "next") -> Page:
    """Read the body of a list call made to `path` (with its version); `onward` is the link that leads on.

    Raises UpstreamInvalidResponse where the envelope is not Clever's, or where that link leads away from the list.
    """
    try:
        listing = _many(rows.record).decode(body)
    except msgspec.ValidationError:
        try:
            listing = _read_one_by_one(rows.record, body)
        except _UNREADABLE as error:
            raise not_clever() from error
    except _UNREADABLE as error:
        raise not_clever() from error
    if listing.data is None and not (rows is RESOURCES and listing.resources == ()):
        raise not_clever()
    found = ascending([wrapped.data for wrapped in listing.data or ()])
    return Page(found, _onward(listing, onward, path))


class LargePage:
    """A page whose records are read a while at a time, so that nothing else waits for all of them."""

    def __init__(self, rows: Resource, body: bytes, path: str, onward: Literal["next", "prev"] = "next") -> None:
        """Read the envelope. Raises as `decode_page` does."""
        try:
            listing = _RAW_MANY.decode(body)
        except _UNREADABLE as error:
            raise not_clever() from error
        if listing.data is None:
            raise not_clever()
        self._kind = rows.record
        self._raws = listing.data
        self._found: list[Any] = []
        self.onward = _onward(listing, onward, path)

    def read(self, seconds: float) -> Iterator[None]:
        """Read the records, about so long at each step. Raises UpstreamInvalidResponse where one is no JSON."""
        until = time.perf_counter() + seconds
        for start in range(0, len(self._raws), _AT_ONCE):
            if time.perf_counter() > until:
                yield
                until = time.perf_counter() + seconds
            try:
                self._found.extend(_read_element(self._kind, raw) for raw in self._raws[start : start + _AT_ONCE])
            except _UNREADABLE as error:
                self._raws = ()
                self._found.clear()
                raise not_clever() from error

    def page(self) -> Page:
        """Return the page once everything has been read, and let go of it."""
        found, self._found, self._raws = self._found, [], ()
        return Page(ascending(_sound(found)), self.onward)


def decode_count(body: bytes) -> int:
    """Read the body of a `count=true` call, `{"count": n, ...}`."""
    try:
        count = _RAW_MANY.decode(body).count
    except _UNREADABLE as error:
        raise not_clever() from error
    if count is None or not 0 <= count <= _LARGEST_COUNT:
        raise not_clever()
    return count


def ascending(records: list[Record]) -> tuple[Record, ...]:
    """Return the records by ascending id without repeats; those without a Clever id are dropped and counted."""
    previous = ""
    for record in records:
        if record.id <= previous or not is_id(record.id):
            break
        previous = record.id
    else:
        return tuple(records)
    sound = {record.id: record for record in reversed(records) if is_id(record.id)}
    unrecognized["record without id"] += sum(not is_id(record.id) for record in records)
    return tuple(sound[key] for key in sorted(sound))


def not_clever() -> NotClever:
    """Build the error for a body that is not the API's JSON."""
    return NotClever(
        "The answer was not Clever's API JSON. Check that GATEWAY_CLEVER_URL names Clever's API and nothing else."
    )


def _onward(listing: Listing[Any], onward: Literal["next", "prev"], path: str) -> str | None:
    links = {link.rel: link.uri for link in listing.links or ()}
    return _cursor(links.get(onward), "starting_after" if onward == "next" else "ending_before", path)


def _cursor(uri: str | None, parameter: str, path: str) -> str | None:
    """Return the cursor of a link that stays on the same list; a foreign or broken one is refused."""
    if uri is None:
        return None
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise _leads_away() from None
    cursor = parse_qs(parts.query).get(parameter, [""])[0]
    if parts.scheme or parts.netloc or parts.path.lower() != path.lower() or not is_id(cursor):
        raise _leads_away()
    return cursor


def _leads_away() -> UpstreamInvalidResponse:
    return UpstreamInvalidResponse("A page linked on to somewhere else than its own list; it was not followed.")


def _read_one_by_one(record: type[Record], body: bytes) -> Listing[Any]:
    """Read a page whose records do not all fit: the odd ones value by value, and what is no record not at all."""
    listing: Listing[Any] = _RAW_MANY.decode(body)
    if listing.data is None:
        return listing
    rows = _sound([_read_element(record, raw) for raw in listing.data])
    return msgspec.structs.replace(listing, data=tuple(Wrapped(row) for row in rows))


def _read_element(record: type[Record], raw: Raw) -> Any:
    """Read an element of a page; None where it holds no record."""
    try:
        return _one(record).decode(raw).data
    except msgspec.ValidationError:
        element = msgspec.json.decode(raw)
        value = element.get("data") if isinstance(element, dict) else None
        return tolerant(record, value) if isinstance(value, dict) else None


def _sound(found: list[Any]) -> list[Any]:
    sound = [record for record in found if record is not None]
    unrecognized["list element"] += len(found) - len(sound)
    return sound


def tolerant(kind: type[Any], value: Any) -> Any:
    """Read a JSON object as `kind`, leaving out every value that does not fit, at any depth.

    Numbers where text is expected are kept as text: some districts' ids and grades come as numbers.
    """
    if not isinstance(value, Mapping):
        raise msgspec.ValidationError("not an object")
    if kind is Roles:
        unrecognized["role"] += sum(name not in Roles.__struct_fields__ for name in value)
    kept: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name in value:
            try:
                kept[field.name] = _fit(field.type, value[field.encode_name])
            except msgspec.ValidationError:
                unrecognized[f"{kind.__name__}.{field.name}"] += 1
    return kind(**kept)


def _fit(expected: Any, value: Any) -> Any:
    """Convert one value to the expected type, or raise msgspec.ValidationError."""
    try:
        return msgspec.convert(value, expected)
    except msgspec.ValidationError:
        alternatives = get_args(expected) or (expected,)
        if isinstance(value, Mapping):
            for part in alternatives:
                if isinstance(part, type) and issubclass(part, Part):
                    return tolerant(part, value)
        if isinstance(value, list):
            for part in alternatives:
                if get_origin(part) is tuple:
                    return tuple(_fit_items(get_args(part)[0], value))
        if isinstance(value, int | float) and not isinstance(value, bool) and str in alternatives:
            return str(value)
        raise


def _fit_items(expected: Any, values: list[Any]) -> list[Any]:
    fitting = []
    for value in values:
        try:
            fitting.append(_fit(expected, value))
        except msgspec.ValidationError:
            unrecognized["list item"] += 1
    return fitting
