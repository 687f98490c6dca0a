"""Who asks where the gateway holds Clever's tokens: people with a session or a JWT, back ends with an API key."""

from gateway.errors import Unauthenticated
from gateway.identity import Caller
from gateway.web.api_keys import PREFIX, ApiKeys
from gateway.web.auth import bearer_of
from gateway.web.headers import RequestHeaders
from gateway.web.jwt import JwtAuthenticator
from gateway.web.sessions import SessionAuthenticator


class ViewerAuthentication:
    """Chooses by what a request brings; names no token of Clever's, and takes none."""

    challenge = 'Bearer realm="Clever GraphQL gateway"'

    def __init__(
        self,
        *,
        jwts: JwtAuthenticator | None = None,
        keys: ApiKeys | None = None,
        sessions: SessionAuthenticator | None = None,
    ) -> None:
        self._jwts = jwts
        self._keys = keys
        self._sessions = sessions

    async def caller(self, headers: RequestHeaders) -> Caller | None:
        """Return the caller, or None where the request names nobody. Raises Unauthenticated and RequestRefused."""
        token = bearer_of(headers, self._ways())
        if token is None:
            return None if self._sessions is None else await self._sessions.caller(headers)
        if token.startswith(PREFIX):
            if self._keys is not None:
                return await self._keys.caller(token)
            raise Unauthenticated(f"This gateway takes no API keys. To ask it, {self._ways()}.")
        # Clever's own tokens have no dot; three parts in two dots are what every JWT is.
        if token.count(".") == 2 and self._jwts is not None:
            return await self._jwts.caller(token)
        raise Unauthenticated(f"This gateway holds Clever's tokens itself and takes none. To ask it, {self._ways()}.")

    def lasting_caller(self, headers: RequestHeaders) -> Caller | None:  # noqa: ARG002
        """Return None: sessions and JWTs end, keys are withdrawn, and the token of a district is replaced."""
        return None

    def nobody(self) -> Unauthenticated:
        """Build the error for a request that names nobody."""
        return Unauthenticated(f"Nobody is signed in. To ask this gateway, {self._ways()}.")

    def _ways(self) -> str:
        """Say how to become somebody."""
        ways = []
        if self._sessions is not None:
            ways.append("sign in at `/login`")
        if self._jwts is not None:
            ways.append("send a JWT of its issuer as `Authorization: Bearer <JWT>`")
        if self._keys is not None:
            ways.append(f"send an API key as `Authorization: Bearer {PREFIX}...`")
        return ", or ".join(ways) or "sign in"
