"""The errors a caller may see, each with its public code.

Messages are written for the caller: what went wrong and what to do. They never hold a token, a name, an
email, a query or a variable value.

GatewayError
├── BadUserInput               BAD_USER_INPUT
├── RequestRefused             GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED, BAD_USER_INPUT
│   ├── LimitExceeded          QUERY_TOO_COMPLEX
│   └── TryLater               OVERLOADED, RATE_LIMITED
├── Unauthenticated            UNAUTHENTICATED
├── Forbidden                  FORBIDDEN
│   └── FieldForbidden         FORBIDDEN
├── QueryTooComplex            QUERY_TOO_COMPLEX
├── DeadlineExceeded           DEADLINE_EXCEEDED
└── UpstreamError
    ├── UpstreamRateLimited    UPSTREAM_RATE_LIMITED
    ├── UpstreamTimeout        UPSTREAM_TIMEOUT
    ├── UpstreamUnavailable    UPSTREAM_UNAVAILABLE
    └── UpstreamInvalidResponse  UPSTREAM_INVALID_RESPONSE
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

E = TypeVar("E", bound=Exception)

INTERNAL = "INTERNAL_SERVER_ERROR"
INTERNAL_MESSAGE = "Something went wrong inside the gateway. Report the request id to its operators."


class GatewayError(Exception):
    """A failure whose message and code may be shown to the caller."""

    code: ClassVar[str] = INTERNAL

    @property
    def extensions(self) -> Mapping[str, Any]:
        """Return what stands under `extensions` of the GraphQL error."""
        return {"code": self.code}


def bare(error: E) -> E:
    """Return an error without where it came from: frames hold what was worked on, and errors are kept for a while."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


class BadUserInput(GatewayError):
    """An argument is malformed or out of range; the message names it and what is allowed."""

    code = "BAD_USER_INPUT"

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(message)
        self.argument = argument

    @property
    def extensions(self) -> Mapping[str, Any]:
        """Name the argument beside the code."""
        return {"code": self.code, "argument": self.argument}


class RequestRefused(GatewayError):
    """The request as a whole cannot be answered: not GraphQL, not valid, or not sent as the protocol asks."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.public_code = code
        self.status = status

    @property
    def extensions(self) -> Mapping[str, Any]:
        """Give the code this request was refused with."""
        return {"code": self.public_code}


class LimitExceeded(RequestRefused):
    """The document or its variables hold more of something than one request may: how many there are, and may be."""

    def __init__(self, what: str, number: int, limit: int, setting: str | None = None) -> None:
        raised = f", or raise `GATEWAY_{setting.upper()}`" if setting else ""
        super().__init__(
            QueryTooComplex.code,
            f"The request has {number} {what}; at most {limit} are allowed. Split it{raised}.",
        )
        self.number = number
        self.limit = limit

    @property
    def extensions(self) -> Mapping[str, Any]:
        """Give the number and the limit beside the code."""
        return {"code": self.public_code, "number": self.number, "limit": self.limit}


class TryLater(RequestRefused):
    """There is no room for the request now, or its caller sends too many; `retry_after` is in whole seconds."""

    def __init__(self, code: str, message: str, status: int, retry_after: float) -> None:
        self.retry_after = max(1, math.ceil(retry_after))
        super().__init__(code, f"{message} Try again in {self.retry_after} s.", status=status)

    @classmethod
    def overloaded(cls, retry_after: float) -> "TryLater":
        """Build the error of a gateway that has as much to do as it takes on."""
        return cls("OVERLOADED", "The gateway is answering as many requests as it can.", 503, retry_after)

    @classmethod
    def rate_limited(cls, retry_after: float) -> "TryLater":
        """Build the error of a caller who sends requests faster than one may."""
        return cls("RATE_LIMITED", "You are sending more requests than one caller may.", 429, retry_after)

    @property
    def extensions(self) -> Mapping[str, Any]:
        """Give the seconds to wait beside the code."""
        return {"code": self.public_code, "retryAfter": self.retry_after}


class Unauthenticated(GatewayError):
    """No token, or one that Clever refuses."""

    code = "UNAUTHENTICATED"


class Forbidden(GatewayError):
    """The token is good but has no access to what was asked."""

    code = "FORBIDDEN"


class FieldForbidden(Forbidden):
    """Nobody granted the viewer this field, of some record at least; an answer tells it once for each field."""

    def __init__(self) -> None:
        super().__init__(
            "Your roles do not let you see this field of everyone in this answer. Leave it out, or ask your district."
        )


class QueryTooComplex(GatewayError):
    """Answering would take more than one request may spend; `estimate` and `limit` count the same thing."""

    code = "QUERY_TOO_COMPLEX"

    def __init__(self, message: str, *, estimate: int | None = None, limit: int | None = None) -> None:
        super().__init__(message)
        self.estimate = estimate
        self.limit = limit

    @property
    def extensions(self) -> Mapping[str, Any]:
        """Give the numbers, where they are known, beside the code."""
        numbers = {"estimate": self.estimate, "limit": self.limit}
        return {"code": self.code} | {name: number for name, number in numbers.items() if number is not None}


class DeadlineExceeded(GatewayError):
    """The request's own time ran out."""

    code = "DEADLINE_EXCEEDED"


class UpstreamError(GatewayError):
    """Clever could not be asked, or did not answer as it should."""

    code = "UPSTREAM_UNAVAILABLE"


class UpstreamRateLimited(UpstreamError):
    """Clever's limit of calls a minute is used up; `retry_after` is in seconds."""

    code = "UPSTREAM_RATE_LIMITED"

    def __init__(self, retry_after: float) -> None:
        self.retry_after = max(1, math.ceil(retry_after))
        super().__init__(
            f"Clever's limit of calls a minute is used up for this token. Try again in {self.retry_after} s."
        )

    @property
    def extensions(self) -> Mapping[str, Any]:
        """Give the whole seconds to wait beside the code."""
        return {"code": self.code, "retryAfter": self.retry_after}


class UpstreamTimeout(UpstreamError):
    """Clever did not answer in time."""

    code = "UPSTREAM_TIMEOUT"


class UpstreamUnavailable(UpstreamError):
    """Clever could not be reached, or answered with a failure of its own."""

    code = "UPSTREAM_UNAVAILABLE"


class UpstreamInvalidResponse(UpstreamError):
    """Clever answered with something that is not its API's JSON."""

    code = "UPSTREAM_INVALID_RESPONSE"
