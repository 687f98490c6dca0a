"""What is not shared is a 404 on every road, and in no list."""

import pytest

from gateway.sandbox.routes import ROUTES

from .conftest import Served

OWNERS = ("schools", "courses", "users")


@pytest.mark.parametrize("template", [r.template for r in ROUTES if r.owner in OWNERS])
def test_an_unshared_record_and_all_below_it_are_404(served: Served, template: str) -> None:
    for record_id in served.app.unshared("TEST_TOKEN")[template.split("/")[1]]:
        response = served.get("/v3.1" + template.replace("{id}", record_id))
        assert (response.status_code, response.json()) == (404, {"error": "Resource not found"})


def test_unshared_records_are_in_no_list(served: Served) -> None:
    hidden = {one for records in served.app.unshared("TEST_TOKEN").values() for one in records}
    for collection in OWNERS:
        assert not hidden & set(served.ids(f"/v3.1/{collection}?limit=10000"))
        assert served.json(f"/v3.1/{collection}?count=true")["count"] == len(served.oracle.records[collection])
    for section in served.oracle.sections.values():
        if hidden & {section["school"], section.get("course"), *section["students"], *section["teachers"]}:
            own = f"/v3.1/sections/{section['id']}"
            assert not hidden & set(served.ids(f"{own}/users"))
            assert served.json(own)["data"] == section, "the ids stay in the record"
            for name, key in (("school", "school"), ("course", "course")):
                if section.get(key) in hidden:
                    assert served.get(f"{own}/{name}").status_code == 404


def test_a_contact_of_unshared_students_has_only_the_shared_ones(served: Served) -> None:
    shared = served.oracle.users.keys()
    partly, wholly = 0, 0
    for user in served.oracle.with_role("contact"):
        ties = {tie["student"] for tie in served.oracle.users[user]["roles"]["contact"]["student_relationships"]}
        if ties - shared:
            assert served.ids(f"/v3.1/users/{user}/mystudents") == sorted(ties & shared)
            partly, wholly = partly + bool(ties & shared), wholly + (not ties & shared)
    assert partly and wholly


def test_a_student_whose_primary_school_is_unshared_has_no_primary_school(served: Served) -> None:
    hidden = served.app.unshared("TEST_TOKEN")["schools"]
    users = [u for u in served.oracle.users.values() if u["roles"].get("student", {}).get("school") in hidden]
    assert users
    for user in users:
        assert served.ids(f"/v3.1/users/{user['id']}/schools?primary=true") == []
        assert served.ids(f"/v3.1/users/{user['id']}/schools") == served.oracle.user_schools(user["id"])
