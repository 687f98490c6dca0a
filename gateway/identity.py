"""Who asks: the tenant, one district token's world; the viewer, a person of it; and the caller, who is either or both.

Nothing crosses from one tenant to another.
"""

import hmac
import secrets
from collections.abc import Set
from dataclasses import dataclass
from hashlib import sha256

# A key of this process alone: a tenant's key cannot be computed from a token by anybody who reads a dump.
_PROCESS_KEY = secrets.token_bytes(32)

# What a caller may do beyond reading: see what was done upstream and what it cost; ask for data that is not remembered.
EXPLAIN, REFRESH = "explain", "refresh"
EVERY_PERMISSION = frozenset((EXPLAIN, REFRESH))


def digest(text: str) -> bytes:
    """Return what stands for a secret or a personal id in this process alone: 16 bytes."""
    return hmac.digest(_PROCESS_KEY, text.encode(), sha256)[:16]


class Tenant:
    """One district token's world, equal and hashable by a keyed digest of the token.

    Where the gateway holds the tokens itself, the world is the `district` (Clever's id), and stays the same when its
    token is rotated. `credential` stands for the token at hand. The token itself is given out only by
    `authorization`, for the call upstream; `repr` and `str` hide it.
    """

    __slots__ = ("_token", "credential", "district", "key")

    def __init__(self, token: str, district: str | None = None) -> None:
        self._token = token
        self.district = district
        self.credential = digest(token)
        self.key = self.credential if district is None else digest(f"district:{district}")

    @property
    def authorization(self) -> bytes:
        """Return the value of the Authorization header for a call upstream."""
        return b"Bearer " + self._token.encode()

    def pseudonym(self, key: bytes) -> str:
        """Return what stands for the tenant in a log under a key that may outlive this process: 16 hex digits."""
        name = f"token:{self._token}" if self.district is None else f"district:{self.district}"
        return hmac.digest(key, name.encode(), sha256).hex()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tenant) and hmac.compare_digest(self.key, other.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Tenant({self.key.hex()[:8]})"


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person on whose behalf we answer, by Clever's id of the user; what they may see, the roster says.

    `repr` shows a pseudonym.
    """

    user_id: str

    @property
    def pseudonym(self) -> str:
        """Return what stands for the person in this process' log: it does not tell who it is."""
        return digest(f"user:{self.user_id}").hex()

    def __repr__(self) -> str:
        return f"Viewer({self.pseudonym[:8]})"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from: a tenant, the person where it is one, and what the caller may do beyond reading.

    Without a viewer the caller reads the whole tenant: a token of Clever's, or a back end, whose API key is called
    `api_key`.
    """

    tenant: Tenant
    viewer: Viewer | None = None
    permissions: Set[str] = EVERY_PERMISSION
    api_key: str | None = None
