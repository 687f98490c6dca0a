"""Viewer: who asks."""

import strawberry

from gateway.access.scoped import Who
from gateway.clever import catalogue
from gateway.schema.enums import Role
from gateway.schema.fields import leaf, reference
from gateway.schema.refs import AUser
from gateway.schema.user import roles_held


def _roles(who: Who) -> list[Role]:
    return roles_held(who.user) if who.user else []


@strawberry.type(
    description="Who asks: a person who has signed in, or a program with a token or a key. What a person may see "
    "follows from their roles in the roster."
)
class Viewer:
    """The person is null where a program asks, which sees its whole district."""

    user: AUser | None = reference(
        "The person; null for a program, and for somebody whom the roster does not know.",
        catalogue.USERS,
        lambda who: who.user.id if who.user else None,
    )
    roles: list[Role] = leaf("The person's roles in the roster.", _roles)
    permissions: list[str] = leaf(
        "What the viewer may do beyond reading plainly: `explain`, `refresh`, and `read:` with the name of each group "
        "of sensitive fields that may be read of somebody.",
        lambda who: sorted(who.permissions),
    )
