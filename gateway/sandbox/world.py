"""One district ready to be served: its tables, its relations, and what the app may not see."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from .district import Generated, generate
from .presets import SIZES
from .relations import NONE, ROLE_BITS, Positions, Relations, RelationsBuilder, ascending
from .tables import Record, Table

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class DistrictInfo:
    """What a person needs to know to use a district; counts are of shared records, roles as `role:student`."""

    id: str
    name: str
    token: str
    preset: str
    counts: Mapping[str, int]


def with_midnight(term: Record) -> Record:
    """Return a term as `/schools/{id}/terms` writes it: dates as timestamps."""
    dated = {key: f"{term[key]}T00:00:00.000Z" for key in ("start_date", "end_date") if term.get(key)}
    return {**term, **dated}


@dataclass(slots=True)
class World:
    """A district's shared records, prepared; and the records it keeps back."""

    id: str
    name: str
    preset: str
    tables: dict[str, Table]
    terms_by_school: Table
    relations: Relations
    unshared: dict[str, dict[str, Record]]
    resource_roles: list[frozenset[str]] = field(default_factory=list)

    def info(self, token: str) -> DistrictInfo:
        """Describe the district for the console."""
        counts = {name: len(table) for name, table in self.tables.items()}
        counts |= {f"role:{role}": len(users) for role, users in self.relations.users_by_role.items()}
        return DistrictInfo(self.id, self.name, token, self.preset, counts)

    def resource_users(self, resource: int, role: str | None) -> Positions:
        """People a resource reaches: of its classes, those in the roles it is for."""
        relations = self.relations
        sections = relations.sections_of_resource(resource)
        wanted = self.resource_roles[resource] & ({role} if role else {"student", "teacher"})
        students = relations.students_of_section.union(sections) if "student" in wanted else NONE
        teachers = relations.teachers_of_section.union(sections) if "teacher" in wanted else NONE
        return ascending([*students, *teachers])

    def user_resources(self, user: int) -> Positions:
        """Resources that reach a person through classes and role."""
        relations = self.relations
        role = "student" if relations.roles[user] & ROLE_BITS["student"] else "teacher"
        return ascending(
            resource
            for section in relations.user_sections(user)
            for resource in relations.resources_of_section(section)
            if role in self.resource_roles[resource]
        )


def build(preset: str, seed: int, index: int, progress: Progress) -> World:
    """Generate district number `index` and prepare it; `progress` hears a sentence and a share from 0 to 1."""
    drawing = f"Drawing a {preset} district"
    progress(drawing, 0.0)
    made = generate(preset, seed, index, lambda share: progress(drawing, 0.2 * share))
    unshared: dict[str, dict[str, Record]] = {"schools": {}, "courses": {}, "users": {}}
    tables = {"districts": Table("districts")}
    tables["districts"].add(made.district)
    for collection, records in (("schools", made.schools), ("terms", made.terms), ("courses", made.courses)):
        tables[collection] = Table(collection)
        for record in records:
            if record["id"] in made.hidden:
                unshared[collection][record["id"]] = record
            else:
                tables[collection].add(record)
    users = tables["users"] = Table("users")
    sections = tables["sections"] = Table("sections")
    relations = RelationsBuilder(tables["schools"], tables["terms"], tables["courses"], users, sections)
    for record in _counted(made.users, _people(preset), f"Writing {preset} users", 0.2, 0.75, progress):
        if record["id"] in made.hidden:
            unshared["users"][record["id"]] = record
        else:
            relations.add_user(users.add(record), record)
    total = SIZES[preset].sections
    for record in _counted(made.sections, total, f"Writing {preset} classes", 0.75, 0.9, progress):
        relations.add_section(sections.add(record), record)
    tying = f"Tying {preset} records together"
    return _finished(made, preset, tables, relations, unshared, lambda share: progress(tying, 0.9 + 0.1 * share))


def _finished(
    made: Generated,
    preset: str,
    tables: dict[str, Table],
    relations: RelationsBuilder,
    unshared: dict[str, dict[str, Record]],
    heard: Callable[[float], None],
) -> World:
    resources = tables["resources"] = Table("resources")
    for record in made.resources:
        resources.add(record)
    relations.assign(resources, made.assigned)
    return World(
        id=made.district["id"],
        name=made.district["name"],
        preset=preset,
        tables=tables,
        terms_by_school=tables["terms"].rewritten(with_midnight),
        relations=relations.finished(resources, heard),
        unshared=unshared,
        resource_roles=[frozenset(record["roles"]) for record in made.resources],
    )


def _people(preset: str) -> int:
    size = SIZES[preset]
    return size.students + size.teachers + size.contacts + size.staff


def _counted(
    records: Iterator[Record], total: int, sentence: str, low: float, high: float, progress: Progress
) -> Iterator[Record]:
    for number, record in enumerate(records):
        if number % 500 == 0:
            progress(sentence, low + (high - low) * min(1.0, number / total))
        yield record
