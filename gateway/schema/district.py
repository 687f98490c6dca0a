"""District: the top-level object, one per district-app token."""

from datetime import date, datetime

import strawberry
from strawberry import ID

from gateway.clever import catalogue
from gateway.clever.values import read_date, read_timestamp
from gateway.schema.enums import DistrictState, Role, read_state
from gateway.schema.fields import connection, leaf, reference
from gateway.schema.node import Node, clever_id, self_link
from gateway.schema.parts import Name
from gateway.schema.refs import ADistrict, Courses, Resources, Schools, Sections, Terms, Users


@strawberry.type(description="Whom to turn to at the district.")
class DistrictContact:
    """`district_contact`; its id is a legacy id and no user's."""

    legacy_id: ID | None = leaf(
        "The contact's id of Clever's API v2. It is not the id of a user.", lambda part: part.id
    )
    name: Name | None = leaf("The contact's name.")
    email: str | None = leaf("The contact's email.")
    title: str | None = leaf("The contact's title.")
    district: ADistrict | None = reference("The contact's district.", catalogue.DISTRICTS, lambda part: part.district)


@strawberry.type(description="A school district. A district-app token shows exactly one.")
class District(Node):
    """https://dev.clever.com/docs/districts."""

    clever_id: ID = clever_id()
    self_link: str = self_link()
    name: str | None = leaf("The district's name.")
    sis_type: str | None = leaf("Where its data comes from: the student information system, or `sftp`.")
    launch_date: date | None = leaf(
        "From when on its people can sign in to the application.", lambda record: read_date(record.launch_date)
    )
    portal_url: str | None = leaf("Its Clever portal.")
    login_methods: list[str] = leaf(
        "How its people sign in, such as `Clever Badges` or `SAML`.", lambda record: record.login_methods or ()
    )
    last_sync: datetime | None = leaf("When its data last synced.", lambda record: read_timestamp(record.last_sync))
    mdr_number: str | None = leaf("MDR number.")
    nces_id: str | None = leaf("Federal NCES id.")
    error: str | None = leaf("A sentence for people about a failing sync. Do not base decisions on it.")
    state: DistrictState | None = leaf("How its data sync is doing.", lambda record: read_state(record.state))
    pause_start: date | None = leaf(
        "From when on its data is held at last year's.", lambda record: read_date(record.pause_start)
    )
    pause_end: date | None = leaf(
        "When its data follows the new school year again.", lambda record: read_date(record.pause_end)
    )
    district_contact: DistrictContact | None = leaf("Whom to turn to.")
    lms_type: str | None = leaf("Its learning management system: `canvas`, `schoology` or `google_classroom`.")
    lms_state: str | None = leaf("How the connection to the LMS is doing.")
    last_attendance_sync: datetime | None = leaf(
        "When its attendance data last synced.", lambda record: read_timestamp(record.last_attendance_sync)
    )

    schools: Schools | None = connection("The district's schools.", catalogue.DISTRICT_SCHOOLS)
    sections: Sections | None = connection("The sections of all its schools.", catalogue.DISTRICT_SECTIONS)
    courses: Courses | None = connection("The courses its sections teach.", catalogue.DISTRICT_COURSES)
    terms: Terms | None = connection("Its school terms.", catalogue.DISTRICT_TERMS)
    users: Users | None = connection("All its people.", catalogue.DISTRICT_USERS, roles=Role)
    students: Users | None = connection("Its students.", catalogue.DISTRICT_USERS, role="student")
    teachers: Users | None = connection(
        "Its teachers, those without sections included.", catalogue.DISTRICT_USERS, role="teacher"
    )
    staff: Users | None = connection("Its school staff and school admins.", catalogue.DISTRICT_USERS, role="staff")
    district_admins: Users | None = connection(
        "Those who manage its data in Clever.", catalogue.DISTRICT_USERS, role="district_admin"
    )
    contacts: Users | None = connection("The contacts of its students.", catalogue.DISTRICT_USERS, role="contact")
    resources: Resources | None = connection(
        "The licensed resources it shares. Takes extra scopes in Clever.", catalogue.DISTRICT_RESOURCES
    )
