"""What the Data API must answer, worked out the slow way from nothing but the shared records.

It shares no code with the sandbox, so that the two do not share a mistake.
"""

from collections.abc import Callable, Mapping
from typing import Any

Record = dict[str, Any]

SCHOOL_ROLES = ("student", "teacher", "staff")


class Oracle:
    """Joins over one district's records, by id."""

    def __init__(self, records: Mapping[str, Mapping[str, Record]]) -> None:
        self.records = records
        # Contacts by their students, and the users that they were found among.
        self._tied: tuple[object, dict[str, set[str]]] | None = None
        self.schools, self.sections = records["schools"], records["sections"]
        self.users, self.courses, self.terms = records["users"], records["courses"], records["terms"]

    def where(self, collection: str, test: Callable[[Record], bool]) -> list[str]:
        """Return ids of records that pass, ascending."""
        return sorted(key for key, record in self.records[collection].items() if test(record))

    def with_role(self, role: str) -> list[str]:
        return self.where("users", lambda user: role in user["roles"])

    def school_users(self, school: str, role: str | None = None, primary: bool = False) -> list[str]:
        def belongs(user: Record) -> bool:
            held = [user["roles"][r] for r in SCHOOL_ROLES if r in user["roles"] and role in (None, r)]
            if primary:
                return any(details.get("school") == school for details in held)
            return any(school in details["schools"] for details in held)

        return self.where("users", belongs)

    def user_schools(self, user: str, primary: bool = False) -> list[str]:
        found: set[str] = set()
        for details in self.users[user]["roles"].values():
            found.update([details["school"]] if primary and "school" in details else [])
            found.update([] if primary else details.get("schools", []))
        return sorted(found & self.schools.keys())

    def section_users(self, section: str, role: str | None = None) -> list[str]:
        record = self.sections[section]
        found = [] if role == "teacher" else list(record["students"])
        found += [] if role == "student" else record["teachers"]
        return sorted(set(found) & self.users.keys())

    def user_sections(self, user: str) -> list[str]:
        return self.where("sections", lambda s: user in s["students"] or user in s["teachers"])

    def my_teachers(self, user: str) -> list[str]:
        taken = [s for s in self.sections.values() if user in s["students"]]
        return sorted({t for s in taken for t in s["teachers"]} & self.users.keys())

    def my_students(self, user: str) -> list[str]:
        found = {s for section in self.sections.values() if user in section["teachers"] for s in section["students"]}
        ties = self.users[user]["roles"].get("contact", {}).get("student_relationships", [])
        return sorted((found | {tie["student"] for tie in ties}) & self.users.keys())

    def my_contacts(self, user: str) -> list[str]:
        users = self.records["users"]
        if self._tied is None or self._tied[0] is not users:
            # Asked of every user: each contact is looked at once.
            tied: dict[str, set[str]] = {}
            for key, other in users.items():
                for tie in other["roles"].get("contact", {}).get("student_relationships", []):
                    tied.setdefault(tie["student"], set()).add(key)
            self._tied = (users, tied)
        return sorted(self._tied[1].get(user, ()))

    def sections_by(self, key: str, value: str) -> list[str]:
        return self.where("sections", lambda section: section.get(key) == value)

    def through_sections(self, key: str, value: str, wanted: str, collection: str) -> list[str]:
        """Ids under `wanted` of the sections whose `key` is `value`, where shared."""
        found = {self.sections[s].get(wanted, "") for s in self.sections_by(key, value)}
        return sorted(one for one in found if one in self.records[collection])

    def relation(self, owner: str, name: str, key: str) -> list[str]:
        """Return what `/{owner}/{key}/{name}` lists, by its swagger name."""
        answers: dict[tuple[str, str], Callable[[], list[str]]] = {
            ("schools", "courses"): lambda: self.through_sections("school", key, "course", "courses"),
            ("schools", "sections"): lambda: self.sections_by("school", key),
            ("schools", "terms"): lambda: self.through_sections("school", key, "term_id", "terms"),
            ("schools", "users"): lambda: self.school_users(key),
            ("sections", "users"): lambda: self.section_users(key),
            ("users", "mycontacts"): lambda: self.my_contacts(key),
            ("users", "mystudents"): lambda: self.my_students(key),
            ("users", "myteachers"): lambda: self.my_teachers(key),
            ("users", "schools"): lambda: self.user_schools(key),
            ("users", "sections"): lambda: self.user_sections(key),
            ("courses", "schools"): lambda: self.through_sections("course", key, "school", "schools"),
            ("courses", "sections"): lambda: self.sections_by("course", key),
            ("terms", "schools"): lambda: self.through_sections("term_id", key, "school", "schools"),
            ("terms", "sections"): lambda: self.sections_by("term_id", key),
        }
        return answers[owner, name]()
