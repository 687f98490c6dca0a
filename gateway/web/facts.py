"""What is known of one HTTP request besides its answer, for the access log: no value that came from the caller."""

from collections.abc import Sequence
from contextvars import ContextVar

import msgspec
from starlette.types import Scope

from gateway.engine.accounts import Account
from gateway.engine.operations import Named
from gateway.identity import Caller

_KEY = "gateway.facts"

# For the log alone: the id of the request that is being answered.
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")


class RequestFacts(msgspec.Struct):
    """The request's id, what it cost and which error codes it got; filled in along the way.

    `operation`: what was asked, as soon as that is known; `kept`: an earlier answer was given again.
    For the audit log also who asked, what was asked and handed out, and whether there was an answer with data.
    """

    request_id: str = ""
    upstream_calls: int = 0
    error_codes: Sequence[str] = ()
    operation: Named | None = None
    kept: bool = False
    caller: Caller | None = None
    account: Account | None = None
    answered: bool = False


def note(scope: Scope, request_id: str) -> RequestFacts:
    """Begin the facts of the request that `scope` describes."""
    facts = scope[_KEY] = RequestFacts(request_id)
    return facts


def facts_of(scope: Scope) -> RequestFacts:
    """Return the facts of the request that `scope` describes, made on first use."""
    facts: RequestFacts = scope.setdefault(_KEY, RequestFacts())
    return facts
