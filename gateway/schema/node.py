"""What every object with an identity shares: the Node interface, Clever's own id, and its stable link."""

from typing import Any

import strawberry
from graphql import GraphQLResolveInfo
from strawberry import ID

from gateway.clever.records import Record
from gateway.schema.fields import contextual, leaf
from gateway.schema.ids import TYPE_OF_RECORD, TYPES, encode_id, encode_ids


@strawberry.interface(description="An object with an id of its own, to be fetched again by `node(id:)`.")
class Node:
    """The interface of global object identification: https://relay.dev/graphql/objectidentification.htm."""

    id: ID = leaf(
        "Opaque id, unique over all types. Pass it to `node(id:)` or to the field of its type.",
        encode_id,
        read_all=encode_ids,
    )

    @classmethod
    def is_type_of(cls, record: Any, _info: GraphQLResolveInfo[Any]) -> bool:
        """Say whether a record is of this type: resolvers return records, not instances of the type."""
        return TYPE_OF_RECORD.get(type(record)) == cls.__name__

    @classmethod
    def resolve_type(cls, record: Record, *_: Any) -> str:
        """Return the name of a record's GraphQL type."""
        return TYPE_OF_RECORD[type(record)]


def clever_id() -> Any:
    """Declare `cleverId`."""
    return leaf("Clever's own id: 24 hex digits, unique over districts and types.", attribute="id")


def self_link() -> Any:
    """Declare `selfLink`: the path of the record under the API version in use, as Clever's `links.self` gives it."""

    return contextual(
        "Clever's stable link to the record, relative to its API, as in `/v3.1/users/<cleverId>`.",
        lambda record, context: f"/{context.version}{TYPES[TYPE_OF_RECORD[type(record)]].path}/{record.id}",
    )
