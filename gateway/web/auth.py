"""Who asks. In pass-through the caller's bearer is a Clever district-app token, and the tenant is that token."""

from starlette.datastructures import Headers

from gateway.errors import Unauthenticated
from gateway.identity import Tenant

CHALLENGE = 'Bearer realm="Clever"'


def tenant_of(headers: Headers) -> Tenant | None:
    """Return the caller's tenant, or None where the request carries no `Authorization`.

    A token's format is never judged: whether it is good is Clever's to say.
    Raises Unauthenticated where the header holds something else than a bearer token.
    """
    header = headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or not token.isprintable() or not token.isascii():
        raise Unauthenticated("The Authorization header must be `Bearer <token>`, with a Clever district-app token.")
    return Tenant(token)


def no_token() -> Unauthenticated:
    """Build the error for a request without a token."""
    return Unauthenticated(
        "A token is missing. Send `Authorization: Bearer <token>` with a Clever district-app token; Clever's public "
        "sandbox and our own take `TEST_TOKEN`."
    )
