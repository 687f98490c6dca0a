"""The schema, built from the types, and its printed form."""

from functools import cache

import strawberry
from strawberry.schema.config import StrawberryConfig

from gateway.schema.fields import read_attribute
from gateway.schema.query import Query
from gateway.schema.scalars import SCALARS


@cache
def build_schema() -> strawberry.Schema:
    """Build the one schema there is."""
    return strawberry.Schema(Query, config=StrawberryConfig(default_resolver=read_attribute, scalar_map=SCALARS))


def print_schema() -> str:
    """Return the schema in GraphQL's schema language, as `schema.graphql` holds it."""
    return build_schema().as_str().rstrip() + "\n"
