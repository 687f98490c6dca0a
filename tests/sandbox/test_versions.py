"""v3.0 next to v3.1, and every record against Clever's swagger."""

from typing import Any

import pytest

from .conftest import SMALL, Served, app_of
from .swagger import problems, swagger

DEFINITIONS = {
    "districts": "District",
    "schools": "School",
    "sections": "Section",
    "users": "User",
    "courses": "Course",
    "terms": "Term",
    "resources": "Resource",
}
ADDED_TO_STUDENTS = {
    "preferred_name",
    "gifted_status",
    "section_504_status",
    "disability",
    "frl_status",
    "iep_status",
    "home_language",
    "home_language_code",
}
ADDED = {
    "districts": {"lms_type", "lms_state", "last_attendance_sync"},
    "sections": {"lms_status"},
    "users": {"lms_status"},
}
# Declared by the swagger, absent from everything Clever was ever seen to send.
NEVER_SEEN = {
    "Student": {"created", "last_modified", "legacy_id"},
    "Teacher": {"created", "last_modified", "district", "name"},
}


def expected_v30(collection: str, record: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in record.items() if key not in ADDED.get(collection, set())}
    if collection == "users" and "student" in plain["roles"]:
        student = plain["roles"]["student"]
        plain["roles"] = {"student": {k: v for k, v in student.items() if k not in ADDED_TO_STUDENTS}}
    return plain


def all_of(served: Served, version: str, collection: str) -> dict[str, dict[str, Any]]:
    body = served.json(f"/{version}/{collection}?limit=10000")
    return {element["data"]["id"]: element["data"] for element in body["data"]}


@pytest.mark.parametrize("collection", DEFINITIONS)
def test_v30_is_v31_without_what_v31_added(served: Served, collection: str) -> None:
    new, old = (all_of(served, version, collection) for version in ("v3.1", "v3.0"))
    assert new == served.oracle.records[collection]
    assert old == {key: expected_v30(collection, record) for key, record in new.items()}
    assert (old != new) == (collection in ADDED)


def test_v30_is_the_same_on_lists_singles_and_sub_resources(served: Served) -> None:
    section = next(s for s in served.oracle.sections.values() if s["students"] and "lms_status" in s)
    assert served.json(f"/v3.0/sections/{section['id']}")["data"] == expected_v30("sections", section)
    for element in served.json(f"/v3.0/sections/{section['id']}/users")["data"]:
        user = served.oracle.users[element["data"]["id"]]
        assert element["data"] == expected_v30("users", user)
        assert served.json(element["uri"])["data"] == element["data"]
    district = served.json(f"/v3.0/sections/{section['id']}/district")["data"]
    assert not ADDED["districts"] & district.keys()


@pytest.mark.parametrize("version", ["v3.0", "v3.1"])
@pytest.mark.parametrize("preset", SMALL)
def test_records_are_what_the_swagger_declares_but_for_the_student_s_email(preset: str, version: str) -> None:
    for token in ("TEST_TOKEN", "TEST_TOKEN_2"):
        for collection, records in app_of(preset).records(token).items():
            for record in list(records.values())[:1500]:
                shown = record if version == "v3.1" else expected_v30(collection, record)
                found = problems(version, DEFINITIONS[collection], shown)
                assert set(found) <= {".roles.student.email: not in the swagger"}, (collection, record)


def test_every_field_the_swagger_declares_occurs_unless_clever_never_sends_it() -> None:
    seen: dict[str, set[str]] = {}

    def note(definition: str, record: dict[str, Any]) -> None:
        seen.setdefault(definition, set()).update(record)
        for key, schema in swagger("v3.1")["definitions"][definition]["properties"].items():
            inner = schema.get("$ref") or schema.get("items", {}).get("$ref")
            values = record.get(key, []) if isinstance(record.get(key), list) else [record.get(key)]
            for value in values:
                if inner and value is not None:
                    note(inner.rsplit("/", 1)[1], value)

    for token in ("TEST_TOKEN", "TEST_TOKEN_2"):
        for collection, records in app_of("sandbox").records(token).items():
            for record in records.values():
                note(DEFINITIONS[collection], record)
    for definition, keys in seen.items():
        declared = set(swagger("v3.1")["definitions"][definition]["properties"])
        assert declared - keys == NEVER_SEEN.get(definition, set()), definition
