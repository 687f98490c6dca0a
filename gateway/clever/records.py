"""Clever's objects as it sends them, v3.0 and v3.1 alike (v3.1 only adds fields).

Every field is optional, because Clever leaves out what a district does not share; keys that are not named here
are ignored. Values stay as sent: `values.py` reads dates and flags, and `""` means the same as absent.
Source: Clever's swagger files v3.0.yml and v3.1.yml; field notes: https://dev.clever.com/docs/data-model.
"""

from typing import Any

from msgspec import Struct


class Part(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A value inside a record; it has no id and no life of its own."""


class Record(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One Clever object: 24 hex digits of id, unique over districts and types."""

    id: str = ""


class Name(Part, frozen=True, gc=False, kw_only=True):
    """A person's name; contacts carry the whole of it in `last`."""

    first: str | None = None
    middle: str | None = None
    last: str | None = None


class Credentials(Part, frozen=True, gc=False, kw_only=True):
    """How a person signs in at the district."""

    district_username: str | None = None


class Location(Part, frozen=True, gc=False, kw_only=True):
    """An address; all strings, coordinates included."""

    address: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    lat: str | None = None
    lon: str | None = None


class LmsStatus(Part, frozen=True, gc=False, kw_only=True):
    """Whether a record is matched in the district's learning management system (v3.1)."""

    synced_in_lms: bool | None = None


class DistrictContact(Part, frozen=True, gc=False, kw_only=True):
    """The district's contact; `id` is a legacy id, not one of `/users`."""

    id: str | None = None
    district: str | None = None
    name: Name | None = None
    email: str | None = None
    title: str | None = None


class District(Record, frozen=True, gc=False, kw_only=True):
    """The top-level object: one per district-app token."""

    name: str | None = None
    sis_type: str | None = None
    launch_date: str | None = None
    portal_url: str | None = None
    login_methods: tuple[str, ...] | None = None
    last_sync: str | None = None
    mdr_number: str | None = None
    nces_id: str | None = None
    error: str | None = None
    state: str | None = None
    pause_start: str | None = None
    pause_end: str | None = None
    district_contact: DistrictContact | None = None
    lms_type: str | None = None
    lms_state: str | None = None
    last_attendance_sync: str | None = None


class Principal(Part, frozen=True, gc=False, kw_only=True):
    """A school's principal."""

    name: str | None = None
    email: str | None = None


class School(Record, frozen=True, gc=False, kw_only=True):
    """A school; it holds no lists of its users and sections."""

    district: str | None = None
    name: str | None = None
    school_number: str | None = None
    sis_id: str | None = None
    state_id: str | None = None
    nces_id: str | None = None
    mdr_number: str | None = None
    low_grade: str | None = None
    high_grade: str | None = None
    phone: str | None = None
    principal: Principal | None = None
    location: Location | None = None
    created: str | None = None
    last_modified: str | None = None
    ext: dict[str, Any] | None = None


class Section(Record, frozen=True, gc=False, kw_only=True):
    """A class: ties teachers and students together; `teachers[0]` is `teacher`."""

    district: str | None = None
    school: str | None = None
    course: str | None = None
    term_id: str | None = None
    teacher: str | None = None
    teachers: tuple[str, ...] | None = None
    students: tuple[str, ...] | None = None
    name: str | None = None
    section_number: str | None = None
    sis_id: str | None = None
    subject: str | None = None
    grade: str | None = None
    period: str | None = None
    created: str | None = None
    last_modified: str | None = None
    ext: dict[str, Any] | None = None
    lms_status: LmsStatus | None = None


class Course(Record, frozen=True, gc=False, kw_only=True):
    """A course that sections teach."""

    district: str | None = None
    name: str | None = None
    number: str | None = None


class Term(Record, frozen=True, gc=False, kw_only=True):
    """A school term; its dates come in several formats (`values.read_date`)."""

    district: str | None = None
    name: str | None = None
    start_date: str | None = None
    end_date: str | None = None


class Resource(Record, frozen=True, gc=False, kw_only=True):
    """A licensed resource, assigned to courses and through them to sections and users."""

    district: str | None = None
    resource_id: str | None = None
    title: str | None = None
    roles: tuple[str, ...] | None = None
    created: str | None = None
    updated: str | None = None


class Enrollment(Part, frozen=True, gc=False, kw_only=True):
    """A student's time at a school."""

    school: str | None = None
    start_date: str | None = None
    end_date: str | None = None


class Disability(Part, frozen=True, gc=False, kw_only=True):
    """A student's disability as the district records it (v3.1)."""

    disability_status: str | None = None
    disability_type: str | None = None
    disability_code: str | None = None


class StudentRole(Part, frozen=True, gc=False, kw_only=True):
    """What Clever keeps under `roles.student`; `school` is the primary one and need not lead `schools`."""

    school: str | None = None
    schools: tuple[str, ...] | None = None
    enrollments: tuple[Enrollment, ...] | None = None
    sis_id: str | None = None
    student_number: str | None = None
    state_id: str | None = None
    grade: str | None = None
    graduation_year: str | None = None
    gender: str | None = None
    dob: str | None = None
    race: str | None = None
    hispanic_ethnicity: str | None = None
    ell_status: str | None = None
    gifted_status: str | None = None
    section_504_status: str | None = None
    frl_status: str | None = None
    iep_status: str | None = None
    disability: Disability | None = None
    home_language: str | None = None
    home_language_code: str | None = None
    preferred_name: Name | None = None
    location: Location | None = None
    credentials: Credentials | None = None
    email: str | None = None
    legacy_id: str | None = None
    created: str | None = None
    last_modified: str | None = None
    ext: dict[str, Any] | None = None


class TeacherRole(Part, frozen=True, gc=False, kw_only=True):
    """What Clever keeps under `roles.teacher`; many teachers of this kind teach no section."""

    school: str | None = None
    schools: tuple[str, ...] | None = None
    sis_id: str | None = None
    teacher_number: str | None = None
    state_id: str | None = None
    title: str | None = None
    credentials: Credentials | None = None
    legacy_id: str | None = None
    district: str | None = None
    name: Name | None = None
    created: str | None = None
    last_modified: str | None = None
    ext: dict[str, Any] | None = None


class StaffRole(Part, frozen=True, gc=False, kw_only=True):
    """What Clever keeps under `roles.staff`: `schools`, but no primary one."""

    schools: tuple[str, ...] | None = None
    staff_id: str | None = None
    title: str | None = None
    department: str | None = None
    roles: tuple[str, ...] | None = None
    credentials: Credentials | None = None
    legacy_id: str | None = None
    ext: dict[str, Any] | None = None


class DistrictAdminRole(Part, frozen=True, gc=False, kw_only=True):
    """What Clever keeps under `roles.district_admin`."""

    title: str | None = None
    legacy_id: str | None = None


class StudentRelationship(Part, frozen=True, gc=False, kw_only=True):
    """How a contact is related to one student."""

    student: str | None = None
    relationship: str | None = None
    type: str | None = None


class ContactRole(Part, frozen=True, gc=False, kw_only=True):
    """What Clever keeps under `roles.contact`."""

    phone: str | None = None
    phone_type: str | None = None
    sis_id: str | None = None
    legacy_id: str | None = None
    student_relationships: tuple[StudentRelationship, ...] | None = None


class Roles(Part, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """The roles a person holds, each present only if held.

    Unknown keys are not ignored here: `decode.py` must see a role that Clever adds, to count it.
    """

    contact: ContactRole | None = None
    district_admin: DistrictAdminRole | None = None
    staff: StaffRole | None = None
    student: StudentRole | None = None
    teacher: TeacherRole | None = None


NO_ROLES = Roles()


class User(Record, frozen=True, gc=False, kw_only=True):
    """A person: one id over all employee roles; students and contacts are never merged with others."""

    district: str | None = None
    email: str | None = None
    name: Name | None = None
    created: str | None = None
    last_modified: str | None = None
    lms_status: LmsStatus | None = None
    roles: Roles = NO_ROLES
