"""Who asks. In pass-through the caller's bearer is a Clever district-app token, and the tenant is that token."""

from typing import Protocol

from starlette.datastructures import Headers

from gateway.errors import Unauthenticated
from gateway.identity import Caller, Tenant

_WANTED = "send a Clever district-app token as `Authorization: Bearer <token>`"


class Authenticator(Protocol):
    """Finds out who a request comes from. `challenge` is what `WWW-Authenticate` says to those who are refused."""

    challenge: str

    async def caller(self, headers: Headers) -> Caller | None:
        """Return the caller, or None where the request names nobody.

        Raises Unauthenticated where what it brings is malformed, refused or past its time, RequestRefused where that
        cannot be found out.
        """
        ...

    def nobody(self) -> Unauthenticated:
        """Build the error for a request that names nobody and asks for data."""
        ...


class PassThrough:
    """Takes the caller's bearer for a Clever district-app token; may do everything that the token may."""

    challenge = 'Bearer realm="Clever"'

    async def caller(self, headers: Headers) -> Caller | None:
        """Return the caller as the token's tenant."""
        token = bearer_of(headers, _WANTED)
        return None if token is None else Caller(Tenant(token))

    def nobody(self) -> Unauthenticated:
        """Build the error for a request without a token."""
        return Unauthenticated(
            "A token is missing. Send `Authorization: Bearer <token>` with a Clever district-app token; Clever's "
            "public sandbox and our own take `TEST_TOKEN`."
        )


def bearer_of(headers: Headers, wanted: str) -> str | None:
    """Return the bearer's token, or None where the request carries no `Authorization`.

    A token's format is never judged: whether it is good is for others to say.
    Raises Unauthenticated, which says what is `wanted`, where the header holds something else than a bearer token.
    """
    header = headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or not token.isprintable() or not token.isascii():
        raise Unauthenticated(f"The Authorization header must be `Bearer <token>`: {wanted}.")
    return token
