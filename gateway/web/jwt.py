"""People who bring a JWT: verified, and remembered for as long as it is good."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError

from gateway.clever.values import is_id
from gateway.errors import Unauthenticated
from gateway.identity import Caller, Tenant, Viewer, digest
from gateway.web.jwks import ALGORITHMS, PublicKeys

# Clocks differ.
_LEEWAY_S = 30
_LONGEST = 16 * 1024
_MOST_KNOWN = 10_000

Tenants = Callable[[str], Awaitable[Tenant | None]]


@dataclass(frozen=True, slots=True)
class JwtRules:
    """What a JWT must say, and which of its claims hold Clever's ids of the user and the district."""

    issuer: str
    audiences: tuple[str, ...]
    user_claim: str = "sub"
    district_claim: str = "district"
    permissions: Set[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Known:
    viewer: Viewer
    district: str
    until: float


class _Registry(jws.JWSRegistry):
    # Some issuers send their certificates along.
    max_header_length = 8 * 1024


class JwtAuthenticator:
    """Finds out who a JWT is about. `tenant` returns a district's tenant, None where no token of it is held."""

    def __init__(
        self, keys: PublicKeys, tenant: Tenants, rules: JwtRules, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._tenant = tenant
        self._rules = rules
        self._clock = clock
        self._registry = _Registry(algorithms=list(ALGORITHMS), strict_check_header=False)
        self._claims = jwt.JWTClaimsRegistry(
            lambda: int(clock()),
            _LEEWAY_S,
            iss={"essential": True, "value": rules.issuer},
            aud={"essential": True, "values": list(rules.audiences)},
            exp={"essential": True},
        )
        # Verifying takes a hundred times as long as looking here.
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._generation = 0

    async def caller(self, token: str) -> Caller:
        """Return who a JWT is about.

        Raises Unauthenticated where it is not good, RequestRefused where that cannot be found out.
        """
        await self._keys.refresh()
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._known.clear()
        name = digest(token)
        known = self._known.get(name)
        if known is None or self._clock() >= known.until:
            known = await self._verified(token)
            if self._generation == self._keys.generation:
                self._keep(name, known)
        tenant = await self._tenant(known.district)
        if tenant is None:
            raise Unauthenticated(
                "The gateway holds no token for the district that this JWT names. The district must connect the app in "
                "Clever first."
            )
        return Caller(tenant, known.viewer, self._rules.permissions)

    def _keep(self, name: bytes, known: _Known) -> None:
        self._known[name] = known
        self._known.move_to_end(name)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    async def _verified(self, token: str) -> _Known:
        if len(token) > _LONGEST:
            raise Unauthenticated(f"This JWT is longer than {_LONGEST} characters.")
        try:
            header = jws.extract_compact(token.encode(), registry=self._registry).headers()
        except (JoseError, ValueError, TypeError, RecursionError):
            raise Unauthenticated("The bearer is not a JWT: it cannot be read.") from None
        algorithm, name = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise Unauthenticated(f"This JWT is not signed in a way that is taken: {', '.join(ALGORITHMS)}.")
        key = await self._keys.find(name, algorithm) if isinstance(name, str | None) else None
        if key is None:
            raise Unauthenticated("This JWT is signed with a key that its issuer does not publish. Sign in again.")
        try:
            claims = jwt.decode(token, key, [algorithm], self._registry).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            raise Unauthenticated("The signature of this JWT is wrong, or its content cannot be read.") from None
        self._check(claims)
        return _Known(
            Viewer(self._id(claims, self._rules.user_claim, "user")),
            self._id(claims, self._rules.district_claim, "district"),
            claims["exp"] + _LEEWAY_S,
        )

    def _check(self, claims: dict[str, Any]) -> None:
        try:
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated("This JWT has expired. Sign in again.") from None
        except MissingClaimError:
            raise Unauthenticated("This JWT lacks its issuer, its audience or its expiry (iss, aud, exp).") from None
        except InvalidClaimError as error:
            raise Unauthenticated(_WRONG.get(error.claim, "A claim of this JWT is malformed.")) from None

    def _id(self, claims: dict[str, Any], claim: str, what: str) -> str:
        found = claims.get(claim)
        if not isinstance(found, str) or not is_id(found):
            raise Unauthenticated(f"The claim `{claim}` of this JWT must hold Clever's id of the {what}.")
        return found


_WRONG = {
    "iss": "This JWT was made by another issuer than the one that GATEWAY_JWT_ISSUER names.",
    "aud": "This JWT was made for another audience than GATEWAY_JWT_AUDIENCE names.",
    "exp": "The expiry of this JWT (exp) is malformed.",
    "nbf": "This JWT is not good yet (nbf). Check the clocks.",
    "iat": "This JWT was made in the future (iat). Check the clocks.",
}
