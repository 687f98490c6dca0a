"""Who asks. In pass-through the caller's bearer is a Clever district-app token, and the tenant is that token."""

from functools import lru_cache
from typing import Protocol

from gateway.errors import Unauthenticated
from gateway.identity import Caller, Tenant
from gateway.web.headers import RequestHeaders

CHALLENGE = 'Bearer realm="Clever"'


class Authenticator(Protocol):
    """Finds out who a request comes from."""

    async def caller(self, headers: RequestHeaders) -> Caller | None:
        """Return the caller, or None where the request names nobody.

        Raises Unauthenticated where what it brings is malformed, refused or past its time.
        """
        ...


class PassThrough:
    """Takes the caller's bearer for a Clever district-app token; may do everything that the token may."""

    async def caller(self, headers: RequestHeaders) -> Caller | None:
        """Return the caller as the token's tenant."""
        header = headers.table.get(b"authorization")
        return None if header is None else _caller_of(header)


# Telling who it is takes a digest, and callers come back; each request would have one made else.
@lru_cache(maxsize=1024)
def _caller_of(header: bytes) -> Caller:
    """Return the caller that an `Authorization` header names.

    A token's format is never judged: whether it is good is Clever's to say.
    Raises Unauthenticated where the header holds something else than a bearer token.
    """
    scheme, _, token = header.decode("latin-1").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or not token.isprintable() or not token.isascii():
        raise Unauthenticated("The Authorization header must be `Bearer <token>`, with a Clever district-app token.")
    return Caller(Tenant(token))


def no_token() -> Unauthenticated:
    """Build the error for a request without a token."""
    return Unauthenticated(
        "A token is missing. Send `Authorization: Bearer <token>` with a Clever district-app token; Clever's public "
        "sandbox and our own take `TEST_TOKEN`."
    )
