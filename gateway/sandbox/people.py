"""User records: one object per person with a map of roles, exact to the odd fields Clever really sends."""

from random import Random

from .ids import Ids
from .names import Names
from .roster import Contact, Employee, Student
from .vocabulary import (
    ADMIN_TITLES,
    AIDE_TITLES,
    DISABILITIES,
    FRL_STATUSES,
    GENDERS,
    GRADES,
    IEP_STATUSES,
    LANGUAGES,
    PHONE_TYPES,
    RACES,
    STAFF_DEPARTMENTS,
    STAFF_GRANTS,
    STAFF_TITLES,
    TEACHER_TITLES,
    YES_NO,
)
from .writing import Pen, Record

SCHOOL_YEAR_END = 2026


def christen(student: Student, names: Names, rng: Random) -> None:
    """Give a student a name, so that contacts can share the family's."""
    student.first = rng.choice(rng.choice((names.girls, names.boys)))
    student.family = rng.choice(names.families)


def engage(employees: list[Employee], names: Names, domain: str, ids: Ids, rng: Random) -> None:
    """Give employees names, emails unique among them (Clever merges employees by email) and legacy ids."""
    taken: dict[str, int] = {}
    for employee in employees:
        employee.first = rng.choice(rng.choice((names.girls, names.boys)))
        employee.family = rng.choice(names.families)
        local = f"{employee.first[0]}.{employee.family}".lower().replace(" ", "")
        taken[local] = taken.get(local, 0) + 1
        employee.email = f"{local}{taken[local] if taken[local] > 1 else ''}@{domain}"
        employee.legacy_ids = {role: ids.legacy() for role in roles_of(employee)}
    # Somebody always typed an address wrong.
    careless = next(e for e in employees[3:] if e.teaches_at)
    careless.email = careless.email.replace("@", ".")


def roles_of(employee: Employee) -> list[str]:
    """Name the roles an employee holds."""
    held = {"teacher": employee.teaches_at, "staff": employee.works_at, "district_admin": employee.administers}
    return [role for role, has in held.items() if has]


class People:
    """Writes user records for one district."""

    def __init__(self, pen: Pen, names: Names, domain: str, ids: Ids) -> None:
        self._pen = pen
        self._names = names
        self._domain = domain
        self._ids = ids
        self._number = 100_000_000

    def record(self, person: Student | Employee | Contact) -> Record:
        """Write one person's v3.1 user record."""
        if isinstance(person, Student):
            return self._student(person)
        if isinstance(person, Employee):
            return self._employee(person)
        return self._contact(person)

    def _next_number(self) -> str:
        self._number += self._pen.rng.randrange(1, 90)
        return str(self._number)

    def _user(self, record_id: str, name: Record, email: str | None, roles: Record) -> Record:
        record = {"id": record_id, "district": self._pen.district, "name": name, "roles": roles}
        if email is not None:
            record["email"] = email
        if self._pen.rng.random() < 0.3:
            record["lms_status"] = {"synced_in_lms": self._pen.rng.random() < 0.8}
        record.update(self._pen.dates(record_id))
        return self._pen.turned(record)

    def _student(self, student: Student) -> Record:
        pen, rng = self._pen, self._pen.rng
        number = self._next_number()
        role: Record = {
            "school": student.school.id,
            "schools": [school.id for school in student.schools],
            "enrollments": [],
            "sis_id": number,
            "credentials": {"district_username": f"{student.first[0]}{student.family}{number[-3:]}".lower()},
        }
        if rng.random() < 0.1:
            role["enrollments"] = [{"school": student.school.id, "start_date": "2025-08-18", "end_date": "2026-05-29"}]
        self._demographics(student, number, role)
        self._sensitive(student, role)
        pen.own_field(role, 0.2, "gifted_status", ("Y", "N", ""))
        name: Record = {"first": student.first, "last": student.family}
        pen.maybe(name, "middle", rng.choice("ABCDEFGHJKLMNPRST"), 0.2, 0.2)
        email = self._student_email(student, number)
        if email is not None:
            role["email"] = email
        return self._user(student.id, name, email, {"student": pen.turned(role)})

    def _student_email(self, student: Student, number: str) -> str | None:
        chance = self._pen.rng.random()
        if chance < 0.1:
            return None if chance < 0.06 else ""
        local = f"{student.first}.{student.family}{number[-2:]}".lower().replace(" ", "")
        return f"{local}.example.org" if chance < 0.11 else f"{local}@students.{self._domain}"

    def _demographics(self, student: Student, number: str, role: Record) -> None:
        pen, rng = self._pen, self._pen.rng
        level = GRADES.index(student.grade) if student.grade in GRADES else 9
        pen.maybe(role, "grade", student.grade, 0.01, 0.01)
        pen.maybe(role, "student_number", number, 0.05, 0.05)
        pen.maybe(role, "state_id", str(rng.randrange(10**8, 10**9)))
        pen.maybe(role, "gender", rng.choice(GENDERS), 0.05, 0.05)
        born_in = SCHOOL_YEAR_END - 5 - level
        pen.maybe(role, "dob", f"{rng.randrange(1, 13)}/{rng.randrange(1, 29)}/{born_in}", 0.05, 0.05)
        pen.maybe(role, "race", rng.choice(RACES))
        pen.maybe(role, "hispanic_ethnicity", rng.choice(YES_NO))
        pen.maybe(role, "ell_status", rng.choice(YES_NO), 0.2, 0.2)
        pen.maybe(role, "graduation_year", str(SCHOOL_YEAR_END + 14 - level), 0.1, 0.5)
        if rng.random() < 0.9:
            role["location"] = self._address()

    def _address(self) -> Record:
        rng, names = self._pen.rng, self._names
        if rng.random() < 0.3:
            return {"address": "", "city": "", "state": "", "zip": rng.choice(names.zips)}
        place = {
            "address": rng.choice(names.streets),
            "city": names.cities[0],
            "state": names.states[0],
            "zip": rng.choice(names.zips),
        }
        if rng.random() < 0.05:
            place |= {"lat": f"{rng.uniform(30, 45):.5f}", "lon": f"{rng.uniform(-120, -75):.5f}"}
        return place

    def _sensitive(self, student: Student, role: Record) -> None:
        """Add what only v3.1 carries."""
        pen, rng = self._pen, self._pen.rng
        pen.maybe(role, "gifted_status", rng.choice(YES_NO), 0.3)
        pen.maybe(role, "section_504_status", rng.choice(YES_NO), 0.3)
        pen.maybe(role, "frl_status", rng.choice(FRL_STATUSES), 0.3)
        pen.maybe(role, "iep_status", rng.choice(IEP_STATUSES), 0.3)
        if rng.random() < 0.3:
            kind, code = rng.choice(DISABILITIES)
            role["disability"] = {"disability_status": "Y", "disability_type": kind, "disability_code": code}
        elif rng.random() < 0.3:
            role["disability"] = {"disability_status": rng.choice(("N", ""))}
        if rng.random() < 0.7:
            role["home_language"], role["home_language_code"] = rng.choice(LANGUAGES)
        if rng.random() < 0.15:
            known_as: Record = {"first": student.first[:3]}
            pen.maybe(known_as, "middle", rng.choice("ABCDE"), 0.3, 0.3)
            pen.maybe(known_as, "last", student.family, 0.3, 0.2)
            role["preferred_name"] = known_as

    def _employee(self, employee: Employee) -> Record:
        pen, rng = self._pen, self._pen.rng
        roles: Record = {}
        if employee.teaches_at:
            roles["teacher"] = self._teacher(employee)
        if employee.works_at:
            roles["staff"] = self._staff(employee)
        if employee.administers:
            roles["district_admin"] = {"legacy_id": employee.legacy_ids["district_admin"]}
            pen.maybe(roles["district_admin"], "title", rng.choice(ADMIN_TITLES))
        name: Record = {"first": employee.first, "last": employee.family}
        if not employee.administers:  # administrators never have a middle name
            pen.maybe(name, "middle", rng.choice("ABCDEFGHJKLMNPRST"), 0.3, 0.3)
        return self._user(employee.id, name, employee.email, pen.turned(roles))

    def _teacher(self, employee: Employee) -> Record:
        pen, rng = self._pen, self._pen.rng
        number = self._next_number()
        schools = [school.id for school in employee.teaches_at]
        role: Record = {
            "school": schools[0],
            "schools": schools[::-1] if rng.random() < 0.7 else schools,
            "sis_id": number,
            "legacy_id": employee.legacy_ids["teacher"],
        }
        pen.maybe(role, "teacher_number", number)
        pen.maybe(role, "state_id", str(rng.randrange(10**6, 10**7)))
        pen.maybe(role, "title", rng.choice(TEACHER_TITLES if employee.instructional else AIDE_TITLES), 0.2, 0.1)
        if rng.random() < 0.8:
            role["credentials"] = {"district_username": employee.email.split("@")[0]}
        pen.own_field(role, 0.2, "classroom", ("101", "204", "Gym", ""))
        return pen.turned(role)

    def _staff(self, employee: Employee) -> Record:
        pen, rng = self._pen, self._pen.rng
        role: Record = {
            "schools": [school.id for school in employee.works_at],
            "staff_id": self._next_number(),
            "roles": list(rng.choice(STAFF_GRANTS)),
            "legacy_id": employee.legacy_ids["staff"],
            "credentials": {"district_username": employee.email.split("@")[0]},
        }
        pen.maybe(role, "title", rng.choice(STAFF_TITLES))
        pen.maybe(role, "department", rng.choice(STAFF_DEPARTMENTS), 0.2, 0.1)
        pen.own_field(role, 0.4, "admin_permissions", ("full", "read", ""))
        return pen.turned(role)

    def _contact(self, contact: Contact) -> Record:
        pen, rng, names = self._pen, self._pen.rng, self._names
        child = contact.ties[0][0]
        family = child.family if rng.random() < 0.7 else rng.choice(names.families)
        full, email = f"{rng.choice(rng.choice((names.girls, names.boys)))} {family}", None
        chance = rng.random()
        if contact.twin:
            full, email = f"{contact.twin.first} {contact.twin.family}", contact.twin.email
        elif chance < 0.8:
            email = "" if chance < 0.1 else f"{full.lower().replace(' ', '.')}@example.com"
        role: Record = {
            "student_relationships": [
                {"student": student.id, "relationship": relationship, "type": kind}
                for student, relationship, kind in contact.ties
            ],
        }
        pen.maybe(role, "phone", self._phone(), 0.05, 0.1)
        pen.maybe(role, "phone_type", rng.choice(PHONE_TYPES), 0.1, 0.1)
        pen.maybe(role, "sis_id", self._next_number(), 0.2, 0.6)
        if rng.random() < 0.6:
            role["legacy_id"] = self._ids.legacy()
        # The whole name of a contact is in `last`; there is no `first`.
        return self._user(contact.id, {"last": full}, email, {"contact": pen.turned(role)})

    def _phone(self) -> str:
        rng = self._pen.rng
        area, exchange, line = rng.randrange(200, 990), rng.randrange(200, 990), rng.randrange(10_000)
        form = rng.choice(("({}) {}-{:04d}", "1-({}) {}-{:04d}", "{}-{}-{:04d}", "{}{}{:04d}", "+1 {} {} {:04d} x7"))
        return form.format(area, exchange, line)
