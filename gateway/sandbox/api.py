"""The Data API: one call with a known token in, one answer out."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from . import envelopes
from .answers import BACKEND_JSON, JSON, NOT_FOUND, Answer, json, no_route, refusal
from .paging import Page, Query, RefusedError, pages_asked, parse, window
from .relations import Positions
from .routes import Route, find
from .tables import VERSIONS, Table
from .tokens import Grant, Kind, me, userinfo
from .world import World

# Where `/me` is asked without a version, its links have the one Clever's recordings show.
UNVERSIONED = "v3.0"


class Call(NamedTuple):
    """A call as it came: `path` and `query` are raw, still percent-encoded."""

    method: str
    path: str
    query: str
    version: str = ""
    route: Route | None = None
    record_id: str = ""
    identity: str = ""  # "/me" or "/userinfo"

    @property
    def template(self) -> str | None:
        """The path template the call counts under, or `None` if the Data API has no such route."""
        if self.route is not None:
            return self.route.template
        return "/me" if self.identity == "/me" else None


def read_call(method: str, path: str, query: str) -> Call:
    """Find out what a path asks for; only GET asks for anything."""
    call = Call(method, path, query)
    if method != "GET":
        return call
    if path in ("/me", "/userinfo"):
        return call._replace(identity=path, version=UNVERSIONED)
    # One more piece than the longest route has; a path of a thousand slashes is not worth splitting.
    _, version, *parts = path.split("/", 5) if path.startswith("/") else ("", "")
    if version not in VERSIONS:
        return call
    if parts == ["me"]:
        return call._replace(identity="/me", version=version)
    route = find(parts)
    if route is None:
        return call
    record_id = "" if len(parts) == 1 else unquote(parts[1]) if "%" in parts[1] else parts[1]
    return call._replace(version=version, route=route, record_id=record_id)


def answer(call: Call, grant: Grant) -> Answer:
    """Answer a call by the holder of a known token."""
    route = call.route
    if grant.kind is Kind.USER:
        return _personal(call, grant)
    if route is None or (grant.kind is Kind.NO_SYNC and not route.template.startswith("/districts")):
        return no_route(call.method, call.path)
    try:
        return _data(call, route, grant.world)
    except RefusedError as refused:
        return refusal(refused.status, refused.message)


def _personal(call: Call, grant: Grant) -> Answer:
    """Answer a user token: the person, the own record and district, and never a page of anything."""
    world, users = grant.world, grant.world.tables["users"]
    if call.identity:
        user = users.decoded_one(grant.user)
        return json(200, me(grant, user, call.version) if call.identity == "/me" else userinfo(grant, user))
    own = {"/users/{id}": grant.user_id, "/districts/{id}": world.id, "/districts": ""}
    template = call.template
    if template not in own or own[template] != call.record_id or pages_asked(call.query):
        return no_route(call.method, call.path)
    if template == "/users/{id}":
        return Answer(200, envelopes.bare(users.record(call.version, grant.user)))
    assert call.route is not None  # noqa: S101 - a template of `own` comes from a route
    return _data(call, call.route, world)


def _data(call: Call, route: Route, world: World) -> Answer:
    position = -1
    if route.owner:
        owner = world.tables[route.owner]
        found = owner.position.get(call.record_id)
        if found is None:
            return NOT_FOUND
        position = found
        if route.many is None and route.one is None:
            return _record(call, owner, position, world)
    if route.many is None:
        return _target(call, route, position, world)
    query = parse(call.query, route.roles, route.counts)
    return _list(call, route, query, route.many(world, position, query), world)


def _record(call: Call, table: Table, position: int, world: World) -> Answer:
    kind = table.collection
    roles = world.relations.roles[position] if kind == "users" else 0
    body = envelopes.single(call.version, kind, call.record_id, table.record(call.version, position), roles)
    return Answer(200, body, BACKEND_JSON if kind == "resources" else JSON)


def _target(call: Call, route: Route, position: int, world: World) -> Answer:
    target = None if route.one is None else route.one(world, position)
    if target is None:
        return NOT_FOUND
    table = world.tables[route.target]
    record = table.record(call.version, target)
    return Answer(200, envelopes.canonical(call.version, route.target, table.ids[target], record))


def _list(call: Call, route: Route, query: Query, positions: Positions, world: World) -> Answer:
    if query.counting:
        return Answer(200, envelopes.counted(len(positions), call.path, call.query))
    table = world.tables[route.target]
    page = window(query, table.ids, positions)
    if page.start == page.stop and route.resource_backend:
        return Answer(200, envelopes.EMPTY_RESOURCES, BACKEND_JSON)
    if route.template == "/schools/{id}/terms":  # the same terms, but with other dates
        table = world.terms_by_school
    return _page(call, route, query, table.elements(call.version, positions[page.start : page.stop]), page)


def _page(call: Call, route: Route, query: Query, elements: Iterable[memoryview], page: Page) -> Answer:
    links = envelopes.page_links(call.path, call.query, query, page)
    data_first = not route.owner and route.target in envelopes.DATA_FIRST
    body = envelopes.listing(elements, links, data_first)
    return Answer(200, body, BACKEND_JSON if route.resource_backend else JSON)
