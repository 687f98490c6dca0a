"""REST calls as values. A call knows its path; only the client knows tokens and HTTP.

Calls are frozen and hashable: the same value is a plan's step, a memory's key and a test's expectation.
"""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlencode

from gateway.clever.catalogue import EVERYTHING, Relation, Resource, Selection

# Clever's own bounds on `limit` (https://dev.clever.com/docs/paging-and-limits); above it answers 413.
DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000
# `ending_before=last` asks for the last page.
LAST = "last"

Kind = Literal["look-up", "link", "scan", "count"]


@dataclass(frozen=True, slots=True)
class RecordCall:
    """Look one record up; `role` is the one its record must hold, where that is known, and no part of the call."""

    rows: Resource
    id: str
    role: str | None = field(default=None, compare=False)

    @property
    def kind(self) -> Kind:
        """Return what kind of call this is."""
        return "look-up"

    @property
    def template(self) -> str:
        """Return the path with `{id}` in place of the id, fit for logs."""
        return f"{self.rows.path}/{{id}}"

    @property
    def target(self) -> str:
        """Return path and query without the version."""
        return f"{self.rows.path}/{self.id}"


@dataclass(frozen=True, slots=True)
class ListCall:
    """Read one page of a collection or of a relative link; `after` and `before` are Clever ids, or `LAST`."""

    rows: Resource
    template: str
    id: str | None = None
    selection: Selection = EVERYTHING
    limit: int | None = None
    after: str | None = None
    before: str | None = None

    @property
    def kind(self) -> Kind:
        """Return what kind of call this is: a page of a collection, or of what a record is linked to."""
        return "scan" if self.id is None else "link"

    @property
    def path(self) -> str:
        """Return the path without the version and without the query."""
        return self.template.replace("{id}", self.id) if self.id else self.template

    @property
    def target(self) -> str:
        """Return path and query without the version."""
        asked = {
            "role": self.selection.role,
            "primary": "true" if self.selection.primary else None,
            "limit": self.limit,
            "starting_after": self.after,
            "ending_before": self.before,
        }
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{self.path}?{query}" if query else self.path


@dataclass(frozen=True, slots=True)
class CountCall:
    """Ask how many rows a collection has; only whole collections take `count=true`."""

    rows: Resource
    role: str | None = None

    @property
    def kind(self) -> Kind:
        """Return what kind of call this is."""
        return "count"

    @property
    def template(self) -> str:
        """Return the collection's path, fit for logs."""
        return self.rows.path

    @property
    def target(self) -> str:
        """Return path and query without the version."""
        return f"{self.rows.path}?{urlencode({'count': 'true'} | ({'role': self.role} if self.role else {}))}"


Call = RecordCall | ListCall | CountCall


def first_page(relation: Relation, parent: str | None, selection: Selection, limit: int) -> ListCall:
    """Return the call for the first `limit` rows of a relation; `parent` is the parent's id, if it has one."""
    sent = Selection(
        selection.role if relation.takes_role else None,
        selection.primary if relation.takes_primary else False,
    )
    return ListCall(
        relation.rows,
        relation.link,
        parent if relation.of_parent else None,
        sent,
        min(limit, MAX_LIMIT) if relation.paged else None,
    )
