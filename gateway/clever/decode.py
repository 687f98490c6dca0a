"""From the upstream's bytes to records, tolerant of single wrong values and strict about the envelope.

The fast path decodes a whole page in one go. Where a value has a type that Clever's swagger does not promise, only
the records of that page are read again, value by value: the wrong value reads as absent and is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, get_args
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Raw, Struct

from gateway.clever.catalogue import Resource
from gateway.clever.records import Part, Record, Roles
from gateway.clever.values import is_id, unrecognized
from gateway.errors import UpstreamInvalidResponse

R = TypeVar("R")


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
    """One page of records, ascending by id and without repeats; `next` and `prev` are cursors where Clever links on."""

    records: tuple[Record, ...]
    next: str | None = None
    prev: str | None = None


@cache
def _one(record: type[Record]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Wrapped[record])  # type: ignore[valid-type]


@cache
def _many(record: type[Record]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(Listing[Wrapped[record]])  # type: ignore[valid-type]


_RAW_ONE = msgspec.json.Decoder(Wrapped[Raw])
_RAW_MANY = msgspec.json.Decoder(Listing[Any])


def decode_record(rows: Resource, body: bytes) -> Record:
    """Read the body of a single-record call.

    Raises UpstreamInvalidResponse where the envelope or the id is missing.
    """
    try:
        found: Record = _one(rows.record).decode(body).data
    except msgspec.ValidationError:
        try:
            found = tolerant(rows.record, msgspec.json.decode(_RAW_ONE.decode(body).data))
        except msgspec.MsgspecError as error:
            raise not_clever() from error
    except msgspec.MsgspecError as error:
        raise not_clever() from error
    if not is_id(found.id):
        raise not_clever()
    return found


def decode_page(rows: Resource, body: bytes, path: str) -> Page:
    """Read the body of a list call made to `path` (with its version).

    Raises UpstreamInvalidResponse where the envelope is not Clever's, or where a link leads away from the list.
    """
    try:
        listing = _many(rows.record).decode(body)
    except msgspec.ValidationError:
        try:
            listing = _read_one_by_one(rows.record, _RAW_MANY.decode(body))
        except msgspec.MsgspecError as error:
            raise not_clever() from error
    except msgspec.MsgspecError as error:
        raise not_clever() from error
    if listing.data is None and listing.resources is None:
        raise not_clever()
    found = ascending([wrapped.data for wrapped in listing.data or ()])
    links = {link.rel: link.uri for link in listing.links or ()}
    return Page(
        found,
        next=_cursor(links.get("next"), "starting_after", path),
        prev=_cursor(links.get("prev"), "ending_before", path),
    )


def decode_count(body: bytes) -> int:
    """Read the body of a `count=true` call, `{"count": n, ...}`."""
    try:
        count = _RAW_MANY.decode(body).count
    except msgspec.MsgspecError as error:
        raise not_clever() from error
    if count is None:
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


def not_clever() -> UpstreamInvalidResponse:
    """Build the error for a body that is not the API's JSON."""
    return UpstreamInvalidResponse(
        "The answer was not Clever's API JSON. Check that GATEWAY_CLEVER_URL names Clever's API and nothing else."
    )


def _cursor(uri: str | None, parameter: str, path: str) -> str | None:
    """Return the cursor of a link that stays on the same list; a foreign or broken one is refused."""
    if uri is None:
        return None
    parts = urlsplit(uri)
    cursor = parse_qs(parts.query).get(parameter, [""])[0]
    if parts.scheme or parts.netloc or parts.path.lower() != path.lower() or not is_id(cursor):
        raise UpstreamInvalidResponse("A page linked on to somewhere else than its own list; it was not followed.")
    return cursor


def _read_one_by_one(record: type[Record], listing: Listing[Any]) -> Listing[Any]:
    rows = [
        Wrapped(tolerant(record, element["data"]))
        for element in listing.data or ()
        if isinstance(element, dict) and isinstance(element.get("data"), dict)
    ]
    unrecognized["list element"] += len(listing.data or ()) - len(rows)
    return msgspec.structs.replace(listing, data=None if listing.data is None else tuple(rows))


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
                if items := get_args(part):
                    return tuple(_fit_items(items[0], value))
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
