"""Who may ask: district-app tokens, user tokens, and what an app without Secure Sync holds.

The demo names are public in Clever's docs. The `ilc_SANDBOX_…` names are this sandbox's own, for people the demo
names do not cover; `/me` answers them in full, as it does real users.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from .relations import CONTACT, DISTRICT_ADMIN, STAFF, STUDENT, TEACHER
from .tables import Record
from .world import World

NO_SYNC_TOKEN = "TEST_TOKEN_NO_SYNC"  # noqa: S105 - a public name, not a secret

DEMO_PEOPLE = (
    ("ilc_DEMO_STUDENT_TOKEN", STUDENT, "student"),
    ("ilc_DEMO_TEACHER_TOKEN", TEACHER, "teacher"),
    ("ilc_DEMO_SCHOOL_ADMIN_TOKEN", STAFF, "staff"),
    ("ilc_DEMO_DISTRICT_ADMIN_TOKEN", DISTRICT_ADMIN, "district_admin"),
)
MORE_PEOPLE = (
    ("ilc_SANDBOX_STUDENT_TOKEN", STUDENT, "student"),
    ("ilc_SANDBOX_TEACHER_TOKEN", TEACHER, "teacher"),
    ("ilc_SANDBOX_CONTACT_TOKEN", CONTACT, "contact"),
    ("ilc_SANDBOX_TEACHER_STAFF_TOKEN", TEACHER | STAFF, "teacher"),
)


class Kind(Enum):
    """What a token stands for."""

    DISTRICT = "district"
    NO_SYNC = "no_sync"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Grant:
    """A known token: the district it belongs to and, for a user token, the person and the login role.

    People of Clever Library have a record, but no district is named for them. `generation` is how often a district's
    token has been rotated.
    """

    token: str
    kind: Kind
    world: World
    user: int = -1
    login_role: str = ""
    library: bool = False
    generation: int = 0

    @property
    def demo(self) -> bool:
        """Tell whether it is one of the demo tokens, which `/me` answers briefly."""
        return self.token.startswith("ilc_DEMO_")

    @property
    def user_id(self) -> str:
        """The person's v3 id."""
        return self.world.tables["users"].ids[self.user]


def token_of(index: int) -> str:
    """Name the district-app token of the district number `index`."""
    return "TEST_TOKEN" if index == 0 else f"TEST_TOKEN_{index + 1}"


def grants(worlds: Sequence[World]) -> dict[str, Grant]:
    """Return every known token; the user tokens belong to people of the first district."""
    found = {token_of(index): Grant(token_of(index), Kind.DISTRICT, world) for index, world in enumerate(worlds)}
    first = worlds[0]
    relations = first.relations
    found[NO_SYNC_TOKEN] = Grant(NO_SYNC_TOKEN, Kind.NO_SYNC, first)
    for people, skip in ((DEMO_PEOPLE, 0), (MORE_PEOPLE, 1)):
        for token, bits, role in people:
            holders = (user for user, held in enumerate(relations.roles) if held == bits)
            # A person without classes is a poor example of a student or a teacher.
            chosen = list(islice((user for user in holders if relations.user_sections(user)), skip + 1))
            chosen = chosen or [user for user, held in enumerate(relations.roles) if held == bits][: skip + 1]
            found[token] = Grant(token, Kind.USER, first, chosen[skip % len(chosen)], role)
    return found


def bearer(header: bytes | None) -> str | None:
    """Read the token out of an `Authorization` header."""
    if header is None or header[:7].lower() != b"bearer ":
        return None
    return header[7:].strip().decode("latin-1")


def legacy_id(user: Record, role: str) -> str:
    """Return the id an account had before v3; a student's never changed."""
    found: str = user["roles"].get(role, {}).get("legacy_id", user["id"])
    return found


def me(grant: Grant, user: Record, version: str) -> Mapping[str, object]:
    """Answer `/me`; the short form names the person by legacy id, as the demo tokens do.

    Clever's docs: oauth-implementation. `self` carries no version, and `type` never tells the role.
    """
    if grant.demo:
        return {
            "data": {
                "id": legacy_id(user, grant.login_role),
                "district": grant.world.id,
                "type": grant.login_role,
            }
        }
    if grant.library:
        return {
            "type": "user",
            "data": {"id": user["id"], "type": "user", "authorized_by": "teacher"},
            "links": [{"rel": "self", "uri": "/me"}, {"rel": "canonical", "uri": f"/{version}/users/{user['id']}"}],
        }
    return {
        "type": "user",
        "data": {"id": user["id"], "district": grant.world.id, "type": "user", "authorized_by": "district"},
        "links": [
            {"rel": "self", "uri": "/me"},
            {"rel": "canonical", "uri": f"/{version}/users/{user['id']}"},
            {"rel": "district", "uri": f"/{version}/districts/{grant.world.id}"},
        ],
    }


def userinfo(grant: Grant, user: Record) -> Mapping[str, object]:
    """Answer `/userinfo`. Clever's docs: the-userinfo-endpoint."""
    name = user["name"]
    return {
        "sub": user["id"],
        "multi_role_user_id": user["id"],
        "user_id": legacy_id(user, grant.login_role),
        "user_type": grant.login_role,
        "district_id": grant.world.id,
        "district": grant.world.id,
        "email": user.get("email", ""),
        "email_verified": False,
        "name": {part: name.get(part, "") for part in ("first", "middle", "last")},
        "given_name": name.get("first", ""),
        "family_name": name.get("last", ""),
        "schools": user["roles"][grant.login_role].get("schools", []),
        "authorized_by": "district",
    }
