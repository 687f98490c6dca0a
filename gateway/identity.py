"""Who asks: the tenant, one district token's world. Nothing crosses from one tenant to another."""

import hmac
import secrets
from hashlib import sha256

# A key of this process alone: a tenant's key cannot be computed from a token by anybody who reads a dump.
_PROCESS_KEY = secrets.token_bytes(32)


class Tenant:
    """One district token's world, equal and hashable by a keyed digest of the token.

    The token itself is given out only by `authorization`, for the call upstream; `repr` and `str` hide it.
    """

    __slots__ = ("_token", "key")

    def __init__(self, token: str) -> None:
        self._token = token
        self.key = hmac.digest(_PROCESS_KEY, token.encode(), sha256)[:16]

    @property
    def authorization(self) -> bytes:
        """Return the value of the Authorization header for a call upstream."""
        return b"Bearer " + self._token.encode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tenant) and hmac.compare_digest(self.key, other.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Tenant({self.key.hex()[:8]})"
