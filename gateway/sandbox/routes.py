"""The Data API's 42 paths, one row each: what a path finds and which parameters it takes.

v3.0 and v3.1 have the same paths. A row gets a district, the position of the record named in the path and the
query; it returns where the target records are. How an answer looks is not known here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .paging import Query
from .relations import Positions
from .tables import COLLECTIONS
from .world import World

One = Callable[[World, int], int | None]
Many = Callable[[World, int, Query], Positions]

ALL_ROLES = ("contact", "district_admin", "staff", "student", "teacher")
SCHOOL_ROLES = ("staff", "student", "teacher")
CLASS_ROLES = ("student", "teacher")


@dataclass(frozen=True, slots=True)
class Route:
    """One path: `owner` is the collection of `{id}`, `target` the collection of what comes back."""

    template: str
    owner: str
    target: str
    one: One | None = None
    many: Many | None = None
    roles: tuple[str, ...] = ()
    counts: bool = False

    @property
    def resource_backend(self) -> bool:
        """Tell whether another backend than Express serves it: every path that returns Resource records."""
        return self.target == "resources"


def _everything(collection: str) -> Many:
    return lambda world, _, __: range(len(world.tables[collection]))


def _users(world: World, _: int, query: Query) -> Positions:
    return range(len(world.tables["users"])) if query.role is None else world.relations.users_by_role[query.role]


def _user_schools(world: World, user: int, query: Query) -> Positions:
    relations = world.relations
    return (relations.primary_schools_of_user if query.primary else relations.schools_of_user)[user]


def _top(collection: str) -> list[Route]:
    counts = collection != "resources"
    if collection == "users":
        whole = Route("/users", "", "users", many=_users, roles=ALL_ROLES, counts=counts)
    else:
        whole = Route(f"/{collection}", "", collection, many=_everything(collection), counts=counts)
    return [whole, Route(f"/{collection}/{{id}}", collection, collection)]


def _sub(owner: str, name: str, target: str, many: Many, roles: tuple[str, ...] = ()) -> Route:
    return Route(f"/{owner}/{{id}}/{name}", owner, target, many=many, roles=roles)


def _to_one(owner: str, name: str, target: str, one: One) -> Route:
    return Route(f"/{owner}/{{id}}/{name}", owner, target, one=one)


ROUTES: tuple[Route, ...] = (
    *(route for collection in COLLECTIONS for route in _top(collection)),
    *(
        _to_one(owner, "district", "districts", lambda _, __: 0)
        for owner in ("schools", "sections", "users", "courses", "terms")
    ),
    _sub("schools", "courses", "courses", lambda w, at, _: w.relations.courses_of_school(at)),
    _sub("schools", "sections", "sections", lambda w, at, _: w.relations.sections_of_school[at]),
    _sub("schools", "terms", "terms", lambda w, at, _: w.relations.terms_of_school(at)),
    _sub("schools", "users", "users", lambda w, at, q: w.relations.school_users(at, q.role, q.primary), SCHOOL_ROLES),
    _to_one("sections", "course", "courses", lambda w, at: w.relations.course_of_section.first(at)),
    _to_one("sections", "school", "schools", lambda w, at: w.relations.school_of_section.first(at)),
    _to_one("sections", "term", "terms", lambda w, at: w.relations.term_of_section.first(at)),
    _sub("sections", "resources", "resources", lambda w, at, _: w.relations.resources_of_section(at)),
    _sub("sections", "users", "users", lambda w, at, q: w.relations.section_users(at, q.role), CLASS_ROLES),
    _sub("users", "mycontacts", "users", lambda w, at, _: w.relations.contacts_of_student[at]),
    _sub("users", "mystudents", "users", lambda w, at, _: w.relations.students_of(at)),
    _sub("users", "myteachers", "users", lambda w, at, _: w.relations.teachers_of(at)),
    _sub("users", "resources", "resources", lambda w, at, _: w.user_resources(at)),
    _sub("users", "schools", "schools", _user_schools),
    _sub("users", "sections", "sections", lambda w, at, _: w.relations.user_sections(at)),
    _sub("courses", "resources", "resources", lambda w, at, _: w.relations.resources_of_course[at]),
    _sub(
        "courses",
        "schools",
        "schools",
        lambda w, at, _: w.relations.schools_of_sections(w.relations.sections_of_course[at]),
    ),
    _sub("courses", "sections", "sections", lambda w, at, _: w.relations.sections_of_course[at]),
    _sub(
        "terms",
        "schools",
        "schools",
        lambda w, at, _: w.relations.schools_of_sections(w.relations.sections_of_term[at]),
    ),
    _sub("terms", "sections", "sections", lambda w, at, _: w.relations.sections_of_term[at]),
    _sub("resources", "courses", "courses", lambda w, at, _: w.relations.courses_of_resource[at]),
    _sub("resources", "sections", "sections", lambda w, at, _: w.relations.sections_of_resource(at)),
    _sub("resources", "users", "users", lambda w, at, q: w.resource_users(at, q.role), CLASS_ROLES),
)

_BY_SHAPE: dict[tuple[str, ...], Route] = {
    tuple("" if part == "{id}" else part for part in route.template.split("/")[1:]): route for route in ROUTES
}
# The links Clever returns spell these in camel case, its swagger in lower case; both work.
_ANY_CASE = {"mycontacts", "mystudents", "myteachers"}


def find(parts: list[str]) -> Route | None:
    """Return the route of a path split after its version, such as `["users", "58da…", "myStudents"]`."""
    if len(parts) == 1:
        return _BY_SHAPE.get((parts[0],))
    if len(parts) == 2:
        return _BY_SHAPE.get((parts[0], "")) if parts[1] else None
    if len(parts) != 3 or not parts[1]:
        return None
    name = parts[2].lower()
    return _BY_SHAPE.get((parts[0], "", name if name in _ANY_CASE else parts[2]))
