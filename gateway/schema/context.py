"""Everything a resolver may touch: one typed value, made anew for each request."""

import msgspec
import strawberry

from gateway.clever.allowance import Allowance
from gateway.errors import Unauthenticated
from gateway.loaders import Loaders


class Context(msgspec.Struct, frozen=True):
    """The request's loaders (None where nobody is signed in), its allowance, and the version of Clever's API."""

    version: str
    held: Loaders | None
    allowance: Allowance

    @property
    def loaders(self) -> Loaders:
        """Return the caller's loaders.

        Raises Unauthenticated where the request came without a token.
        """
        if self.held is None:
            raise Unauthenticated(
                "Reading data takes a Clever district-app token: send `Authorization: Bearer <token>`."
            )
        return self.held


Info = strawberry.Info[Context, None]
