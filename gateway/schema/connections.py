"""What every connection has: its rows, whether there are more, and how many there are in all."""

from typing import Any

import strawberry

from gateway.schema.fields import leaf, total
from gateway.schema.ids import encode_cursor, encode_cursors
from gateway.schema.sources import Connection


def _cursor_at(position: int) -> Any:
    def read(connected: Connection) -> str | None:
        records = connected.rows.records
        return encode_cursor(records[position]) if records else None

    return read


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """https://relay.dev/graphql/connections.htm#sec-undefined.PageInfo."""

    has_next_page: bool = leaf("Whether the list goes on behind this page.", lambda page: page.rows.has_next)
    has_previous_page: bool = leaf(
        "Whether the list goes on in front of this page. True wherever `after` was given.",
        lambda page: page.rows.has_previous,
    )
    start_cursor: str | None = leaf("The cursor of the first row; null if there is none.", _cursor_at(0))
    end_cursor: str | None = leaf("The cursor of the last row; null if there is none.", _cursor_at(-1))


@strawberry.type
class ConnectionFields:
    """The fields that are the same in every connection."""

    page_info: PageInfo = leaf("Where this page stands in the list.", lambda connected: connected)

    total_count: int | None = total(
        "How many rows all pages together list. Worked out only when asked for, at the cost of one upstream call or "
        "more; null where that would exceed what one request may spend."
    )


def rows_field(what: str) -> Any:
    """Declare `nodes`."""
    return leaf(
        f"The {what} of this page, in ascending order of Clever's ids.", lambda connected: connected.rows.records
    )


def edges_field(what: str) -> Any:
    """Declare `edges`: the same rows, each with its cursor."""
    return leaf(f"The {what} of this page, each with its cursor.", lambda connected: connected.rows.records)


def node_field(what: str) -> Any:
    """Declare an edge's `node`."""
    return leaf(f"The {what}.", lambda record: record)


def cursor_field() -> Any:
    """Declare an edge's `cursor`."""
    return leaf("Where this row stands, for `after` and `before`.", encode_cursor, read_all=encode_cursors)
