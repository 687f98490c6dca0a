"""Names of what is kept in Redis: digests under the deployment's key, which nobody without it can tell from noise."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

import msgspec

from gateway.cache.shelf import Key
from gateway.clever.calls import CountCall, ListCall, RecordCall
from gateway.clever.catalogue import ALL
from gateway.identity import Tenant

# What is written in another form, or of records of another shape, has other names: versions of the gateway can run
# side by side, and each finds its own.
_FORM = "2"


def _shape() -> str:
    shape = repr(msgspec.inspect.multi_type_info([rows.record for rows in ALL]))
    return sha256(shape.encode()).hexdigest()


class Names:
    """The names of one deployment over one Clever, `origin` and `version`; `key` is its secret.

    All of a tenant has one hash tag, and so has all of the budget: a script's keys lie in one slot of a cluster.
    """

    def __init__(self, key: bytes, origin: str, version: str) -> None:
        self._origin = _derived(key, f"origin:{origin}")
        self._digests = _derived(key, f"data:{_FORM}:{origin}:{version}:{_shape()}")
        self.seal_key = _derived(key, "values")
        self._deployment = _text(_derived(self._origin, "deployment")[:12])

    @property
    def channel(self) -> str:
        """Return the channel of news."""
        return f"cgg:{{{self._deployment}}}:news"

    @property
    def replicas(self) -> str:
        """Return the table of processes."""
        return f"cgg:{{{self._deployment}}}:replicas"

    def budget(self, tenant: Tenant) -> str:
        """Return the calls made with a token."""
        return f"cgg:{{{self._deployment}}}:calls:{_text(tenant.token_digest(self._origin))}"

    def tenant(self, tenant: Tenant) -> str:
        """Return what all names of a tenant begin with."""
        return f"cgg:{{{_text(tenant.digest(self._digests))}}}"

    def entry(self, tenant: str, key: Key) -> str:
        """Return the name of an entry; `tenant` is what the tenant's names begin with."""
        return f"{tenant}:e:{_text(hmac.digest(self._digests, _spelled(key).encode(), sha256)[:16])}"

    @property
    def texts(self) -> str:
        """Return what names of documents begin with."""
        return f"cgg:{{{_text(_derived(self._digests, 'documents')[:12])}}}"

    def spent(self, purpose: str) -> str:
        """Return the table of names of a purpose that are spent; the same for all versions of the gateway."""
        return f"cgg:{{{self._deployment}}}:spent:{purpose}"

    def spent_name(self, purpose: str, name: str) -> str:
        """Return the digest of such a name."""
        return _text(hmac.digest(self._origin, f"spent:{purpose}:{name}".encode(), sha256)[:16])

    def text(self, name: str) -> str:
        """Return the digest of a document's hash."""
        return _text(hmac.digest(self._digests, f"document:{name}".encode(), sha256)[:16])


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, purpose.encode(), sha256)


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _spelled(key: Key) -> str:
    """Spell a key out, the same in every process."""
    match key:
        case RecordCall():
            return f"record {key.target}"
        case ListCall():
            return f"page {key.target}"
        case CountCall():
            return f"count {key.target}"
        case (relation, parent, selection):
            return f"list {relation.name} {parent} {selection.role} {selection.primary}"
