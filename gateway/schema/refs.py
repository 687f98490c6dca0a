"""The types that refer to one another in circles, by name: Strawberry resolves them when the schema is built."""

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from gateway.schema.course import Course, CourseConnection
    from gateway.schema.district import District
    from gateway.schema.resource import ResourceConnection
    from gateway.schema.school import School, SchoolConnection
    from gateway.schema.section import SectionConnection
    from gateway.schema.term import Term, TermConnection
    from gateway.schema.user import User, UserConnection

ACourse = Annotated["Course", strawberry.lazy("gateway.schema.course")]
ADistrict = Annotated["District", strawberry.lazy("gateway.schema.district")]
ASchool = Annotated["School", strawberry.lazy("gateway.schema.school")]
ATerm = Annotated["Term", strawberry.lazy("gateway.schema.term")]
AUser = Annotated["User", strawberry.lazy("gateway.schema.user")]

Courses = Annotated["CourseConnection", strawberry.lazy("gateway.schema.course")]
Resources = Annotated["ResourceConnection", strawberry.lazy("gateway.schema.resource")]
Schools = Annotated["SchoolConnection", strawberry.lazy("gateway.schema.school")]
Sections = Annotated["SectionConnection", strawberry.lazy("gateway.schema.section")]
Terms = Annotated["TermConnection", strawberry.lazy("gateway.schema.term")]
Users = Annotated["UserConnection", strawberry.lazy("gateway.schema.user")]
