"""The schema's own scalars: dates and times as RFC 3339 writes them, and Clever's free-form `ext`."""

from datetime import date, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

JSON = NewType("JSON", object)


def _write_datetime(moment: datetime) -> str:
    text = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def _output_only(_value: Any) -> Any:
    raise GraphQLError("This scalar is never an argument.")


DATE = strawberry.scalar(
    name="Date",
    description="A day, as in `2026-08-17` (RFC 3339 full-date): https://scalars.graphql.org/andimarek/local-date",
    specified_by_url="https://scalars.graphql.org/andimarek/local-date",
    serialize=date.isoformat,
    parse_value=_output_only,
)
DATE_TIME = strawberry.scalar(
    name="DateTime",
    description=(
        "A moment in UTC, as in `2026-08-17T09:30:00Z` (RFC 3339 date-time): "
        "https://scalars.graphql.org/andimarek/date-time"
    ),
    specified_by_url="https://scalars.graphql.org/andimarek/date-time",
    serialize=_write_datetime,
    parse_value=_output_only,
)
FREE_FORM = strawberry.scalar(
    name="JSON",
    description="Any JSON value. Only the district's own extension fields (`ext`) are of this type.",
    specified_by_url="https://ecma-international.org/wp-content/uploads/ECMA-404_2nd_edition_december_2017.pdf",
    serialize=lambda value: value,
    parse_value=_output_only,
)

SCALARS: dict[object, ScalarDefinition] = {date: DATE, datetime: DATE_TIME, JSON: FREE_FORM}
