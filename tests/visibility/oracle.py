"""What each person may see, worked out from README's table over the raw REST records; shares no code with the gateway."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.conftest import Joins, Upstream

Record = dict[str, Any]

# README's columns: who is granted which sensitive fields of whom.
SUPPORT = {"homeLanguage", "homeLanguageCode", "ellStatus", "iepStatus", "section504Status"}
PERSONAL = {"dob", "race", "hispanicEthnicity"}
EVERY_FIELD = {*SUPPORT, *PERSONAL, "frlStatus", "disability", "location", "credentials", "ext", "contacts"}
OF_STAFF = {*SUPPORT, "dob", "disability", "location"}
OF_TEACHER = {*SUPPORT, "contacts"}
OF_SELF = {*PERSONAL, "homeLanguage", "homeLanguageCode", "location", "credentials"}
OF_CONTACT = {*SUPPORT, *PERSONAL, "frlStatus", "disability"}


class Visible(Joins):
    """The roster as one person sees it: the records that exist for them, and what is granted of each person."""

    def __init__(self, upstream: Upstream, person: str, token: str = "TEST_TOKEN", *, classmates: bool = False) -> None:
        super().__init__(upstream.app, upstream.origin, token)
        self.everything = self.records
        self.person = person
        self.granted: dict[str, set[str]] = {}
        self.names_only: set[str] = set()
        self.whole = "district_admin" in self.roles_of(person)
        if self.whole:
            self.granted = {user: set(EVERY_FIELD) for user in self.users}
            return
        kept: dict[str, set[str]] = {name: set() for name in self.records}
        kept["districts"] = set(self.records["districts"])
        for role in self.roles_of(person):
            for collection, ids in getattr(self, f"_{role}")(self.users[person]["roles"][role]).items():
                kept[collection] |= ids
        self.grant([person], OF_SELF if "student" in self.roles_of(person) else self.own(person))
        kept["users"].add(person)
        if classmates and "student" in self.roles_of(person):
            mates = {one for key in kept["sections"] for one in self.sections[key]["students"]}
            self.names_only = (mates & self.users.keys()) - {person}
            kept["users"] |= self.names_only
        records = {
            name: {key: record for key, record in rows.items() if key in kept[name]}
            for name, rows in self.records.items()
        }
        self.records = records
        self.schools, self.sections, self.users = records["schools"], records["sections"], records["users"]
        self.courses, self.terms = records["courses"], records["terms"]

    def listed(self, path: str) -> list[str]:
        """Nobody but district admins sees licensed resources."""
        return super().listed(path) if self.whole else []

    def roles_of(self, user: str) -> list[str]:
        return list(self.everything["users"][user]["roles"])

    def own(self, user: str) -> set[str]:
        return {"credentials"} if {"teacher", "staff"} & set(self.roles_of(user)) else set()

    def grant(self, users: Iterable[str], fields: set[str]) -> None:
        for user in users:
            self.granted.setdefault(user, set()).update(fields)

    def _students(self, sections: Iterable[str]) -> set[str]:
        return {key for one in sections for key in self.sections[one]["students"]} & self.users.keys()

    def _teachers(self, sections: Iterable[str]) -> set[str]:
        return {key for one in sections for key in self.sections[one]["teachers"]} & self.users.keys()

    def _of_sections(self, sections: Iterable[str]) -> Mapping[str, set[str]]:
        found = [self.sections[one] for one in sections]
        return {
            "courses": {one["course"] for one in found if "course" in one},
            "terms": {one["term_id"] for one in found if "term_id" in one},
        }

    def _staff(self, held: Record) -> Mapping[str, set[str]]:
        schools = set(held["schools"])
        sections = {key for key, one in self.sections.items() if one["school"] in schools}
        people = {key for school in schools for key in self.school_users(school)}
        self.grant(people, OF_STAFF)
        return {"schools": schools, "sections": sections, "users": people, **self._of_sections(sections)}

    def _teacher(self, held: Record) -> Mapping[str, set[str]]:
        sections = {key for key, one in self.sections.items() if self.person in one["teachers"]}
        students = self._students(sections)
        contacts = {
            key
            for key, user in self.users.items()
            for tie in user["roles"].get("contact", {}).get("student_relationships", ())
            if tie["student"] in students
        }
        self.grant(students, OF_TEACHER)
        return {
            "schools": {*held.get("schools", ()), *([held["school"]] if "school" in held else [])},
            "sections": sections,
            "users": students | contacts | self._teachers(sections),
            **self._of_sections(sections),
        }

    def _student(self, held: Record) -> Mapping[str, set[str]]:
        sections = {key for key, one in self.sections.items() if self.person in one["students"]}
        schools = {*held.get("schools", ()), *([held["school"]] if "school" in held else [])}
        return {"schools": schools, "sections": sections, "users": self._teachers(sections)}

    def _contact(self, held: Record) -> Mapping[str, set[str]]:
        students = {tie["student"] for tie in held.get("student_relationships", ())} & self.users.keys()
        sections = {key for key, one in self.sections.items() if students & set(one["students"])}
        self.grant(students, OF_CONTACT)
        return {"sections": sections, "users": students | self._teachers(sections)}

    def _district_admin(self, _held: Record) -> Mapping[str, set[str]]:
        raise AssertionError("sees everything")
