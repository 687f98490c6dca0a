"""Sealed values: what comes back from Redis is what some process of the deployment has put under this very name.

With encryption nobody else can read it, either (AES-256-GCM); without, a keyed digest stands before it.
"""

import hmac
import os
from hashlib import blake2b, sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_PLAIN, _ENCRYPTED = b"\x01", b"\x02"
_NONCE_BYTES = 12
_DIGEST_BYTES = 16


class SealBrokenError(Exception):
    """A value was not sealed under this name by a process with the same key and the same settings."""


class Sealer:
    """Seals values under a deployment's key. A name's value cannot be given out under another name."""

    def __init__(self, key: bytes, *, encrypt: bool) -> None:
        self._key = key
        self._encrypt = encrypt

    def seal(self, scope: str, name: str, value: bytes) -> bytes:
        """Return a value sealed under a name; each `scope` (a tenant) has a key of its own."""
        key = self._key_of(scope)
        if self._encrypt:
            nonce = os.urandom(_NONCE_BYTES)
            return _ENCRYPTED + nonce + AESGCM(key).encrypt(nonce, value, name.encode())
        return _PLAIN + _digest(key, name, value) + value

    def open(self, scope: str, name: str, sealed: bytes) -> bytes:
        """Return the value that was sealed under a name. Raises SealBrokenError."""
        key = self._key_of(scope)
        form, rest = sealed[:1], memoryview(sealed)[1:]
        if self._encrypt and form == _ENCRYPTED:
            try:
                return AESGCM(key).decrypt(bytes(rest[:_NONCE_BYTES]), rest[_NONCE_BYTES:], name.encode())
            except (InvalidTag, ValueError):
                raise SealBrokenError from None
        if not self._encrypt and form == _PLAIN:
            digest, value = rest[:_DIGEST_BYTES], bytes(rest[_DIGEST_BYTES:])
            if hmac.compare_digest(digest, _digest(key, name, value)):
                return value
        raise SealBrokenError

    def _key_of(self, scope: str) -> bytes:
        return hmac.digest(self._key, scope.encode(), sha256)


def _digest(key: bytes, name: str, value: bytes) -> bytes:
    spelled = name.encode()
    digest = blake2b(len(spelled).to_bytes(4) + spelled, key=key, digest_size=_DIGEST_BYTES)
    digest.update(value)
    return digest.digest()
