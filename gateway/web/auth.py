"""Who asks. In pass-through the caller's bearer is a Clever district-app token, and the tenant is that token."""

from typing import Protocol

from gateway.errors import Unauthenticated
from gateway.identity import Caller, Tenant
from gateway.web.headers import RequestHeaders

_WANTED = "send a Clever district-app token as `Authorization: Bearer <token>`"


class Authenticator(Protocol):
    """Finds out who a request comes from. `challenge` is what `WWW-Authenticate` says to those who are refused."""

    challenge: str

    async def caller(self, headers: RequestHeaders) -> Caller | None:
        """Return the caller, or None where the request names nobody.

        Raises Unauthenticated where what it brings is malformed, refused or past its time, RequestRefused where that
        cannot be found out.
        """
        ...

    def lasting_caller(self, headers: RequestHeaders) -> Caller | None:
        """Return the caller where the headers alone tell it, now and at any later time; None where they do not.

        Raises Unauthenticated as `caller` does.
        """
        ...

    def nobody(self) -> Unauthenticated:
        """Build the error for a request that names nobody and asks for data."""
        ...


class PassThrough:
    """Takes the caller's bearer for a Clever district-app token; may do everything that the token may."""

    challenge = 'Bearer realm="Clever"'

    async def caller(self, headers: RequestHeaders) -> Caller | None:
        """Return the caller as the token's tenant."""
        return self.lasting_caller(headers)

    def lasting_caller(self, headers: RequestHeaders) -> Caller | None:
        """Return the same: a token is the tenant, whether Clever still takes it or not."""
        token = bearer_of(headers, _WANTED)
        return None if token is None else Caller(Tenant(token))

    def nobody(self) -> Unauthenticated:
        """Build the error for a request without a token."""
        return Unauthenticated(
            "A token is missing. Send `Authorization: Bearer <token>` with a Clever district-app token; Clever's "
            "public sandbox and our own take `TEST_TOKEN`."
        )


def bearer_of(headers: RequestHeaders, wanted: str) -> str | None:
    """Return the bearer's token, or None where the request carries no `Authorization`. Raises as `bearer_in` does."""
    header = headers.table.get(b"authorization")
    return None if header is None else bearer_in(header, wanted)


def bearer_in(header: bytes, wanted: str) -> str:
    """Return the token in an `Authorization` header.

    A token's format is never judged: whether it is good is for others to say.
    Raises Unauthenticated, which says what is `wanted`, where the header holds something else than a bearer token.
    """
    scheme, _, token = header.decode("latin-1").strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or not token.isprintable() or not token.isascii():
        raise Unauthenticated(f"The Authorization header must be `Bearer <token>`: {wanted}.")
    return token
