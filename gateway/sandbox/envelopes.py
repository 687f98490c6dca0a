"""The bodies around records: links, wrappers and their order, joined from prepared bytes."""

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from .paging import Page, Query
from .relations import CONTACT, STAFF, STUDENT, TEACHER

_encode = msgspec.json.encode

RELS = {
    "districts": (),
    "schools": ("district", "sections", "users", "terms", "courses"),
    "sections": ("district", "school", "term", "course", "users"),
    "courses": ("district", "sections", "schools"),
    "terms": ("district", "sections", "schools"),
    # The endpoints of resources are not linked from anywhere, nor do resources link to theirs.
    "resources": (),
}
USER_RELS = (
    ("district", 0xFF),
    ("sections", STUDENT | TEACHER),
    ("myContacts", STUDENT),
    ("myTeachers", STUDENT),
    ("myStudents", TEACHER | CONTACT),
    ("schools", STUDENT | TEACHER | STAFF),
)
# Clever writes these top-level lists with `data` first, all others with `links` first.
DATA_FIRST = frozenset({"districts", "schools", "courses", "terms", "resources"})
EMPTY_RESOURCES = b'{"resources":[]}'


@lru_cache(maxsize=512)
def _links_template(version: str, collection: str, roles: int) -> bytes:
    rels = RELS[collection] if collection != "users" else tuple(rel for rel, bits in USER_RELS if bits & roles)
    own = f"/{version}/{collection}/@"
    links = [{"rel": "self", "uri": own}, *({"rel": rel, "uri": f"{own}/{rel}"} for rel in rels)]
    return b',"links":' + _encode(links) + b"}"


def single(version: str, collection: str, record_id: str, record: bytes, roles: int = 0) -> bytes:
    """Wrap one record with the links of its kind; a user's depend on the roles held."""
    return b'{"data":' + record + _links_template(version, collection, roles).replace(b"@", record_id.encode())


def canonical(version: str, collection: str, record_id: str, record: bytes) -> bytes:
    """Wrap the target of a to-one sub-resource: its only link is its own address."""
    return b'{"data":%b,"links":[{"rel":"self","uri":"/%b/%b/%b"}]}' % (
        record,
        version.encode(),
        collection.encode(),
        record_id.encode(),
    )


def bare(record: bytes) -> bytes:
    """Wrap one record as user tokens see it, without links."""
    return b'{"data":' + record + b"}"


def listing(elements: Iterable[memoryview], links: bytes, data_first: bool) -> bytes:
    """Put elements, with their commas, into a list body: joined once, for a page may have ten thousand."""
    if data_first:
        return b"".join((b'{"data":[', *elements, b'],"links":', links, b"}"))
    return b"".join((b'{"links":', links, b',"data":[', *elements, b"]}"))


def page_links(path: str, raw_query: str, query: Query, page: Page) -> bytes:
    """Write `self`, `prev`, `next` in Clever's order; `self` is what was asked, letter for letter."""
    links = [{"rel": "self", "uri": f"{path}?{raw_query}" if raw_query else path}]
    rest = f"{query.rest}&" if query.rest else ""
    if page.before is not None:
        links.append({"rel": "prev", "uri": f"{path}?{rest}ending_before={page.before}"})
    if page.after is not None:
        links.append({"rel": "next", "uri": f"{path}?{rest}starting_after={page.after}"})
    return _encode(links)


def counted(count: int, path: str, raw_query: str) -> bytes:
    """Write the answer to `count=true`, which has no `data`."""
    return _encode({"count": count, "links": [{"rel": "self", "uri": f"{path}?{raw_query}"}]})
