"""What goes back to the caller: data and public errors. Everything unexpected is masked, and told to `on_internal`."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from graphql import GraphQLError, VariableNode
from msgspec import UNSET, UnsetType

from gateway.engine.writing import Written
from gateway.errors import INTERNAL, INTERNAL_MESSAGE, BadUserInput, GatewayError

PublicError = dict[str, Any]


class Answer(msgspec.Struct):
    """The body of an answer; what is not set is not sent.

    `data` is whatever msgspec encodes to it, or written already: output Structs where a plan ran, else a dict.
    """

    data: Any = UNSET
    errors: list[PublicError] | UnsetType = UNSET
    extensions: dict[str, Any] | UnsetType = UNSET

    @property
    def codes(self) -> list[str]:
        """Return the codes of the errors."""
        return [error["extensions"]["code"] for error in self.errors or ()]

    def chunks(self) -> list[bytes]:
        """Return the body as JSON, in one chunk or several."""
        if not isinstance(self.data, Written):
            return [msgspec.json.encode(self)]
        rest = msgspec.json.encode(Answer(errors=self.errors, extensions=self.extensions))
        # `rest` is an object: its members stand behind the data.
        return [b'{"data":', *self.data.chunks, b"," + rest[1:] if rest != b"{}" else b"}"]


def refusal(errors: Iterable[Exception], code: str) -> Answer:
    """Return the body for a request that was not executed: errors and no data."""
    return Answer(errors=[_refused(error, code) for error in errors])


def public_errors(errors: Iterable[GraphQLError], on_internal: Callable[[Exception], None]) -> list[PublicError]:
    """Return execution errors as the caller may see them, each with its path and its code."""
    return [_public(error, on_internal) for error in errors]


def _refused(error: Exception, code: str) -> PublicError:
    if isinstance(error, GatewayError):
        return {"message": str(error), "extensions": dict(error.extensions)}
    message = without_values(error.message) if isinstance(error, GraphQLError) else INTERNAL_MESSAGE
    return {"message": message, **_locations(error), "extensions": {"code": code}}


def _public(error: GraphQLError, on_internal: Callable[[Exception], None]) -> PublicError:
    cause = error.original_error or error
    if isinstance(cause, GraphQLError) and (variable := _null_variable(cause)):
        cause = BadUserInput(f"${variable}", f"Variable `${variable}` is null where null is not taken.")
    if isinstance(cause, GatewayError):
        message, extensions = str(cause), dict(cause.extensions)
    else:
        on_internal(cause)
        message, extensions = INTERNAL_MESSAGE, {"code": INTERNAL}
    return {"message": message, **_locations(error), "path": error.path or [], "extensions": extensions}


def _null_variable(error: GraphQLError) -> str | None:
    """Return the name of the variable that an error during execution is about.

    Validation lets a variable of a nullable type stand where null is not taken if it has a default. Values themselves
    were checked before.
    """
    node = error.nodes[0] if error.nodes else None
    return node.name.value if isinstance(node, VariableNode) else None


# graphql-core repeats literals of the document, which may be somebody's name; names of the schema are no secret.
_LITERALS = (
    (re.compile(r"(represent [^:]*value): .*", re.DOTALL), r"\1."),
    (re.compile(r"(Expected value of [^,]*), found .*", re.DOTALL), r"\1."),
    (re.compile(r"(found (?:Block ?)?(?:String|Name|Int|Float)) .*", re.DOTALL), r"\1."),
    (re.compile(r"(Value) ['\"].*['\"] (does not exist in)", re.DOTALL), r"\1 \2"),
)


def without_values(message: str) -> str:
    """Return a message of graphql-core's without the literals that it repeats from the document."""
    for pattern, kept in _LITERALS:
        message = pattern.sub(kept, message)
    return message


def _locations(error: Exception) -> PublicError:
    places = error.locations if isinstance(error, GraphQLError) else None
    return {"locations": [{"line": place.line, "column": place.column} for place in places]} if places else {}
