"""Global ids and cursors: opaque to clients, typed, and checked where they enter.

Inside, a global id is `Type:24hex` and a cursor `after:Type:24hex`, in base64url without padding. Each object has one
spelling only. Whatever else is sent never reaches a path or a query string.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence

from gateway.clever import catalogue
from gateway.clever.catalogue import Resource
from gateway.clever.records import Record
from gateway.clever.values import is_id
from gateway.errors import BadUserInput

TYPES: dict[str, Resource] = {
    "District": catalogue.DISTRICTS,
    "School": catalogue.SCHOOLS,
    "Section": catalogue.SECTIONS,
    "User": catalogue.USERS,
    "Course": catalogue.COURSES,
    "Term": catalogue.TERMS,
    "Resource": catalogue.RESOURCES,
}
TYPE_OF_RECORD: dict[type[Record], str] = {rows.record: name for name, rows in TYPES.items()}

_ID_PREFIX = {kind: f"{name}:" for kind, name in TYPE_OF_RECORD.items()}
_CURSOR_PREFIX = {kind: f"after:{name}:" for kind, name in TYPE_OF_RECORD.items()}

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
# Of ASCII these alone, as the third of three bytes, are written with a slash or a plus.
_SLASHES = "?\x7f>~"
# By how many bytes a text has beyond whole groups of three: what fills its last group, or is one more, and what that is
# written as.
_MARKS = (("???", "Pz8/"), ("\x0f\xff", "//"), ("?", "/"))
_LONGEST = 64


def encode_id(record: Record) -> str:
    """Return a record's global id."""
    return _encode(_ID_PREFIX[type(record)] + record.id)


def encode_ids(records: Sequence[Record]) -> list[str]:
    """Return the global ids of many records of one class: what `encode_id` returns for each, in one go."""
    return _encode_all(records, _ID_PREFIX) or [encode_id(record) for record in records]


def encode_cursors(records: Sequence[Record]) -> list[str]:
    """Return the cursors of many records of one class: what `encode_cursor` returns for each, in one go."""
    return _encode_all(records, _CURSOR_PREFIX) or [encode_cursor(record) for record in records]


def _encode_all(records: Sequence[Record], prefixes: Mapping[type[Record], str]) -> list[str] | None:
    """Encode all texts as one, with marks between them that no text becomes; None where that cannot be.

    A mark that does not begin with a group of three bytes is none: if all are found, each text is there as it is.
    """
    ids = [record.id for record in records]
    text = "".join(ids)
    if not ids or not text.isascii() or any(one in text for one in _SLASHES):
        return None
    prefix = prefixes[type(records[0])]
    fill, mark = _MARKS[(len(prefix) + len(ids[0])) % 3]
    whole = f"{prefix}{f'{fill}{prefix}'.join(ids)}{fill}"
    encoded = binascii.b2a_base64(whole.encode("latin-1"), newline=False).decode()
    # Behind the last mark there is nothing.
    *found, rest = encoded.split(mark)
    return found if len(found) == len(ids) and not rest else None


def encode_cursor(record: Record) -> str:
    """Return the cursor that stands behind and in front of a record in every list of its type."""
    return _encode(_CURSOR_PREFIX[type(record)] + record.id)


def decode_id(argument: str, value: str) -> tuple[str, str]:
    """Read a global id into its type and Clever id.

    Raises BadUserInput where it is not one of this schema's.
    """
    type_name, _, key = _decode(value).partition(":")
    if type_name not in TYPES or not is_id(key):
        raise BadUserInput(
            argument, f"`{argument}` is not a global id of this schema. Pass an `id` as it was given out."
        )
    return type_name, key


def decode_key(argument: str, value: str, expected: str) -> str:
    """Read a global id of type `expected`, or Clever's own id, into the Clever id.

    Raises BadUserInput for anything else, a global id of another type included.
    """
    if is_id(value.lower()):
        return value.lower()
    try:
        type_name, key = decode_id(argument, value)
    except BadUserInput:
        raise BadUserInput(
            argument,
            f"`{argument}` is neither a global id of this schema nor a Clever id (24 hex digits). Pass an `id` or a "
            "`cleverId` as it was given out.",
        ) from None
    if type_name != expected:
        raise BadUserInput(
            argument, f"`{argument}` is the id of a {type_name}; this field takes the id of a {expected}."
        )
    return key


def decode_cursor(argument: str, value: str, expected: str) -> str:
    """Read a cursor of a list of `expected` into the Clever id inside.

    Raises BadUserInput for anything else, a cursor of another type's list included.
    """
    prefix, _, rest = _decode(value).partition(":")
    type_name, _, key = rest.partition(":")
    if prefix != "after" or type_name not in TYPES or not is_id(key):
        raise BadUserInput(
            argument,
            f"`{argument}` is not a cursor of this schema. Pass an `endCursor` or `cursor` as it was given out.",
        )
    if type_name != expected:
        raise BadUserInput(
            argument, f"`{argument}` is a cursor of a list of {type_name}s; this list holds {expected}s."
        )
    return key


def _encode(text: str) -> str:
    return binascii.b2a_base64(text.encode()).translate(_URL_SAFE, b"=\n").decode()


def _decode(value: str) -> str:
    """Return the text inside, or nothing where `value` is not exactly what `_encode` makes."""
    if len(value) > _LONGEST or not value.isascii():
        return ""
    try:
        text = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text if _encode(text) == value else ""
