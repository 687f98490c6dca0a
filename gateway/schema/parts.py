"""Values inside records that several types share."""

import strawberry

from gateway.schema.fields import leaf


@strawberry.type(description="A person's name. Contacts often carry the whole of it in `last`.")
class Name:
    """`name` and `preferred_name`."""

    first: str | None = leaf("First name.")
    middle: str | None = leaf("Middle name.")
    last: str | None = leaf("Last name.")


@strawberry.type(description="How a person signs in at the district.")
class Credentials:
    """`credentials`."""

    district_username: str | None = leaf("The person's user name at the district.")


@strawberry.type(description="An address. Everything is text as the district keeps it.")
class Location:
    """`location`."""

    address: str | None = leaf("Street and number.")
    city: str | None = leaf("City.")
    state: str | None = leaf("State, usually its two letters.")
    zip: str | None = leaf("ZIP code.")
    lat: str | None = leaf("Latitude.")
    lon: str | None = leaf("Longitude.")


@strawberry.type(description="Whether a record is matched in the district's learning management system.")
class LmsStatus:
    """`lms_status`, v3.1 only."""

    synced_in_lms: bool | None = leaf("True where the record is synced with the LMS.")
