"""The role facets of a user: what Clever keeps under `roles.<role>`."""

from datetime import date

import strawberry
from strawberry import ID

from gateway.clever import catalogue
from gateway.clever.values import read_date, read_flag
from gateway.policy import Group
from gateway.schema.enums import Grade, read_grade
from gateway.schema.fields import leaf, reference, references
from gateway.schema.parts import Credentials, Location, Name
from gateway.schema.refs import ASchool, AUser
from gateway.schema.scalars import JSON

_LEGACY = "The id of this role's account in Clever's API v2. It is not an id of this schema."
_EXT = "Extension fields that the district defines."


@strawberry.type(description="A student's time at a school.")
class Enrollment:
    """`enrollments[]`."""

    school: ASchool | None = reference("The school.", catalogue.SCHOOLS, lambda part: part.school)
    start_date: date | None = leaf("The first day.", lambda part: read_date(part.start_date))
    end_date: date | None = leaf("The last day.", lambda part: read_date(part.end_date))


@strawberry.type(description="A student's disability, as the district records it.")
class Disability:
    """`disability`, v3.1 only."""

    status: bool | None = leaf("Whether the student has one.", lambda part: read_flag(part.disability_status))
    type: str | None = leaf("Its kind, in Clever's words.", lambda part: part.disability_type or None)
    code: str | None = leaf("Its code, such as `sld`.", lambda part: part.disability_code or None)


@strawberry.type(description="What a person is as a student.")
class Student:
    """`roles.student`."""

    school: ASchool | None = reference("The primary school.", catalogue.SCHOOLS, lambda role: role.school)
    schools: list[ASchool] | None = references(
        "All the student's schools, in the district's order: the primary one need not come first.",
        catalogue.SCHOOLS,
        lambda role: role.schools,
    )
    enrollments: list[Enrollment] = leaf("Times at schools.", lambda role: role.enrollments or ())
    sis_id: str | None = leaf("The student's id in the student information system.")
    student_number: str | None = leaf("The number the district gives the student.")
    state_id: str | None = leaf("The student's id at the state.")
    grade: Grade | None = leaf("The student's grade.", lambda role: read_grade(role.grade))
    graduation_year: str | None = leaf("The year of graduation.")
    gender: str | None = leaf("`M`, `F` or `X`.")
    dob: date | None = leaf("Date of birth.", lambda role: read_date(role.dob), group=Group.DOB, held="dob")
    race: str | None = leaf("Race, in Clever's words.", group=Group.RACE)
    hispanic_ethnicity: bool | None = leaf(
        "Whether of Hispanic ethnicity.",
        lambda role: read_flag(role.hispanic_ethnicity),
        group=Group.ETHNICITY,
        held="hispanic_ethnicity",
    )
    ell_status: bool | None = leaf(
        "Whether an English language learner.",
        lambda role: read_flag(role.ell_status),
        group=Group.ELL,
        held="ell_status",
    )
    gifted_status: bool | None = leaf("Whether in a gifted programme.", lambda role: read_flag(role.gifted_status))
    section504_status: bool | None = leaf(
        "Whether on a Section 504 plan.",
        lambda role: read_flag(role.section_504_status),
        group=Group.SECTION_504,
        held="section_504_status",
    )
    frl_status: str | None = leaf("Free or reduced lunch: `Free`, `Reduced`, `Paid` or `Other`.", group=Group.FRL)
    iep_status: str | None = leaf(
        "Whether on an individualized education program, in the district's words.", group=Group.IEP
    )
    disability: Disability | None = leaf("The student's disability.", group=Group.DISABILITY)
    home_language: str | None = leaf("The language spoken at home.", group=Group.HOME_LANGUAGE)
    home_language_code: str | None = leaf("Its ISO 639-3 code.", group=Group.HOME_LANGUAGE)
    preferred_name: Name | None = leaf("The name the student goes by.")
    location: Location | None = leaf("The student's address.", group=Group.LOCATION)
    credentials: Credentials | None = leaf("How the student signs in.", group=Group.CREDENTIALS)
    email: str | None = leaf("The student's email, as on the user.")
    legacy_id: ID | None = leaf(_LEGACY)
    ext: JSON | None = leaf(_EXT, group=Group.EXTENSIONS)


@strawberry.type(description="What a person is as a teacher. Some teachers teach no section.")
class Teacher:
    """`roles.teacher`."""

    school: ASchool | None = reference("The primary school.", catalogue.SCHOOLS, lambda role: role.school)
    schools: list[ASchool] | None = references(
        "All the teacher's schools, in the district's order.", catalogue.SCHOOLS, lambda role: role.schools
    )
    sis_id: str | None = leaf("The teacher's id in the student information system.")
    teacher_number: str | None = leaf("The number the district gives the teacher.")
    state_id: str | None = leaf("The teacher's id at the state.")
    title: str | None = leaf("The teacher's title.")
    credentials: Credentials | None = leaf("How the teacher signs in.", group=Group.CREDENTIALS)
    legacy_id: ID | None = leaf(_LEGACY)
    ext: JSON | None = leaf(_EXT, group=Group.EXTENSIONS)


@strawberry.type(description="What a person is as school staff. Staff have schools, but no primary one.")
class Staff:
    """`roles.staff`."""

    schools: list[ASchool] | None = references(
        "The schools the person works at or administers.", catalogue.SCHOOLS, lambda role: role.schools
    )
    staff_id: str | None = leaf("The id the district gives the person.")
    title: str | None = leaf("The person's title.")
    department: str | None = leaf("The person's department.")
    roles: list[str] = leaf(
        "What the person may do in Clever, such as `SchoolTechLead`.", lambda role: role.roles or ()
    )
    credentials: Credentials | None = leaf("How the person signs in.", group=Group.CREDENTIALS)
    legacy_id: ID | None = leaf(_LEGACY)
    ext: JSON | None = leaf(_EXT, group=Group.EXTENSIONS)


@strawberry.type(description="What a person is as a district admin.")
class DistrictAdmin:
    """`roles.district_admin`."""

    title: str | None = leaf("The person's title.")
    legacy_id: ID | None = leaf(_LEGACY)


@strawberry.type(description="How a contact is related to a student.")
class StudentRelationship:
    """`student_relationships[]`."""

    student: AUser | None = reference(
        "The student.", catalogue.USERS, lambda part: part.student, role=catalogue.STUDENT
    )
    relationship: str | None = leaf("What the contact is to the student, such as `Parent`.")
    type: str | None = leaf("What the contact is for, such as `Emergency`.")


@strawberry.type(
    description="What a person is as a contact of students. Contacts are not unique, and their ids may change."
)
class Contact:
    """`roles.contact`: https://dev.clever.com/docs/student-contacts."""

    phone: str | None = leaf("Phone number, as the district keeps it.")
    phone_type: str | None = leaf("`Cell`, `Home`, `Work` or `Other`.")
    sis_id: str | None = leaf("The contact's id in the student information system.")
    legacy_id: ID | None = leaf(_LEGACY)
    relationships: list[StudentRelationship] = leaf(
        "The students the contact is related to.", lambda role: role.student_relationships or ()
    )
