"""Whom one may sign in as: people of a district by role or name, and the page that lists some of them.

Plain HTML: the page has no script, loads nothing, and its forms lead here or back to the app alone.
"""

from array import array
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from html import escape
from itertools import islice
from typing import NamedTuple

import msgspec

from .answers import HTML, Answer
from .relations import ROLE_BITS
from .tables import Table
from .world import World

ROLES = {
    "district_admin": "District admins",
    "staff": "Staff",
    "teacher": "Teachers",
    "student": "Students",
    "contact": "Contacts",
}
_ODD = (
    ("library", "A teacher of Clever Library, who belongs to no district"),
    ("demo", "A demo account, which /me names by its id of old"),
)
FEW, MOST = 5, 50

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 54rem; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 1.2rem 0 .3rem; }
ul { list-style: none; margin: 0; padding: 0; }
li { align-items: baseline; display: flex; flex-wrap: wrap; gap: 0 .8rem; padding: .15rem 0; }
small { opacity: .75; }
form.find { align-items: end; display: flex; flex-wrap: wrap; gap: .5rem 1rem; margin-top: 1rem; }
label { display: grid; font-size: .85rem; }
input, select, button { font: inherit; padding: .25rem .7rem; }
:focus-visible { outline: 3px solid Highlight; outline-offset: 1px; }
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()


class _Name(msgspec.Struct):
    first: str = ""
    last: str = ""


class _Named(msgspec.Struct):
    name: _Name


_decode_name = msgspec.json.Decoder(_Named).decode


class Names:
    """The names of a district's people in one long line, so that 250,000 of them are searched in an instant."""

    def __init__(self, users: Table) -> None:
        lines: list[str] = []
        self._starts = array("I")
        size = 0
        for position in range(len(users)):
            name = _decode_name(users.record("v3.1", position)).name
            line = f"{name.first} {name.last}\n".casefold()
            lines.append(line)
            self._starts.append(size)
            size += len(line)
        self._line = "".join(lines)

    def found(self, asked: str) -> Iterator[int]:
        """Find the positions of people whose names hold every word of `asked`."""
        words = sorted(asked.casefold().split(), key=len, reverse=True)
        at = self._line.find(words[0]) if words else -1
        while at >= 0:
            position = bisect_right(self._starts, at) - 1
            end = self._line.index("\n", at)
            name = self._line[self._starts[position] : end]
            if all(word in name for word in words):
                yield position
            at = self._line.find(words[0], end)


class Search(NamedTuple):
    """What the visitor is looking for: a district's number, a role or none, and words of a name or none."""

    district: int = 0
    role: str = ""
    words: str = ""


class Chooser:
    """Makes the page for choosing a person; the names of a district are read when first searched."""

    def __init__(self, worlds: Sequence[World]) -> None:
        self._worlds = worlds
        self._names: dict[int, Names] = {}

    def page(self, search: Search, hidden: Mapping[str, str], target: str, leads_to: str) -> Answer:
        """Return the page. Its form posts `hidden` and the person to `target`, which redirects to `leads_to`."""
        kept = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in hidden.items()
        )
        world = self._worlds[search.district]
        district = f'<input type="hidden" name="district_id" value="{world.id}">'
        body = (
            "<h1>Sign in as whom?</h1>"
            "<p>This is a simulated Clever: choose a person, and the app takes you for that person.</p>"
            f'<form class="find" method="get" action="{target}">{kept}{self._fields(search)}</form>'
            f'<form method="post" action="{target}">{kept}{district}{"".join(self._groups(search, world))}'
            '<p><button name="cancel" value="yes">Cancel</button></p></form>'
        )
        return page("Sign in, simulated", body, leads_to)

    def _fields(self, search: Search) -> str:
        districts = ((world.id, world.name) for world in self._worlds)
        return (
            '<label>District<select name="district_id">'
            f"{_options(districts, self._worlds[search.district].id)}</select></label>"
            f'<label>Role<select name="role">{_options([("", "Any"), *ROLES.items()], search.role)}</select></label>'
            f'<label>Name<input type="search" name="q" maxlength="80" value="{escape(search.words)}"></label>'
            "<button>Find</button>"
        )

    def _groups(self, search: Search, world: World) -> Iterator[str]:
        if search.words.strip():
            wanted = ROLE_BITS.get(search.role, 0xFF)
            hits = (at for at in self._known(search.district).found(search.words) if world.relations.roles[at] & wanted)
            found = list(islice(hits, MOST + 1))
            yield _group("Found", world, found[:MOST], more=len(found) > MOST)
            return
        for role, title in ROLES.items():
            if search.role in ("", role):
                having = world.relations.users_by_role[role]
                shown = list(islice(_likely(world, role), MOST if search.role else FEW))
                yield _group(f"{title} ({len(having):,})", world, shown, more=len(having) > len(shown))
        if not search.role:
            odd = (f'<li><button name="person" value="{key}">{text}</button></li>' for key, text in _ODD)
            yield f"<h2>Odd accounts</h2><ul>{''.join(odd)}</ul>"

    def _known(self, district: int) -> Names:
        if district not in self._names:
            self._names[district] = Names(self._worlds[district].tables["users"])
        return self._names[district]


def page(title: str, body: str, leads_to: str = "", status: int = 200) -> Answer:
    """Answer with a page whose forms lead here, and on to the origin `leads_to`."""
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self' {leads_to}; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>"
    )
    more = ((b"content-security-policy", policy.encode()), (b"referrer-policy", b"no-referrer"))
    return Answer(status, text.encode(), HTML, more=more)


def _options(options: Iterable[tuple[str, str]], chosen: str) -> str:
    return "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in options
    )


def _likely(world: World, role: str) -> Iterator[int]:
    """Go through the people of a role; of students and teachers those with classes, who have more to see."""
    for user in world.relations.users_by_role[role]:
        if role not in ("student", "teacher") or world.relations.user_sections(user):
            yield user


def _group(title: str, world: World, users: Sequence[int], more: bool) -> str:
    rows = "".join(_row(world, user) for user in users) or "<li>Nobody.</li>"
    hint = "<li><small>There are more: find them by name.</small></li>" if more else ""
    return f"<h2>{title}</h2><ul>{rows}{hint}</ul>"


def _row(world: World, user: int) -> str:
    record = world.tables["users"].decoded_one(user)
    name = f"{record['name'].get('first', '')} {record['name'].get('last', '')}".strip() or record["id"]
    schools = (world.tables["schools"].decoded_one(school)["name"] for school in world.relations.schools_of_user[user])
    facts = [", ".join(role.replace("_", " ") for role in record["roles"]), *islice(schools, 2)]
    if grade := record["roles"].get("student", {}).get("grade"):
        facts.append(f"grade {grade}")
    if classes := len(world.relations.user_sections(user)):
        facts.append("1 class" if classes == 1 else f"{classes} classes")
    if children := len(world.relations.students_of_contact[user]):
        facts.append("of 1 student" if children == 1 else f"of {children} students")
    told = escape(" · ".join(facts))
    return f'<li><button name="person" value="{record["id"]}">{escape(name)}</button><small>{told}</small></li>'
