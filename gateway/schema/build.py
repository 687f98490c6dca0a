"""The schema, built from the types, and its printed form."""

import re
from functools import cache

import strawberry
from strawberry.schema.config import StrawberryConfig

from gateway.schema.fields import read_attribute
from gateway.schema.query import Query
from gateway.schema.scalars import SCALARS

_SPECIFIED_BY = re.compile(r' @specifiedBy\(url: "[^"]*"\)')


@cache
def build_schema() -> strawberry.Schema:
    """Build the one schema there is."""
    return strawberry.Schema(Query, config=StrawberryConfig(default_resolver=read_attribute, scalar_map=SCALARS))


def print_schema() -> str:
    """Return the schema in GraphQL's schema language, as `schema.graphql` holds it.

    `@specifiedBy` is left to introspection (`specifiedByURL`) and to the scalars' descriptions: tools that compare a
    served schema with a file introspect without it, and would report a drift that is none.
    """
    return _SPECIFIED_BY.sub("", build_schema().as_str()).rstrip() + "\n"
