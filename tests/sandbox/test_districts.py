"""The oddities of real rosters, present in every preset and for any seed."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import SMALL, app_of, oracle_of
from .oracle import Oracle

Record = dict[str, Any]
Case = tuple[Oracle, dict[str, dict[str, Record]]]
CASES = [(preset, 1, "TEST_TOKEN") for preset in SMALL]
CASES += [("tiny", seed, "TEST_TOKEN") for seed in range(2, 6)] + [("tiny", 1, "TEST_TOKEN_2")]
GRADES = ["PreKindergarten", "TransitionalKindergarten", "Kindergarten", *map(str, range(1, 13))]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-seed{case[1]}-{case[2]}")
def district(request: pytest.FixtureRequest) -> Oracle:
    preset, seed, token = request.param
    return oracle_of(preset, seed, token)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-seed{case[1]}-{case[2]}")
def case(request: pytest.FixtureRequest) -> Case:
    preset, seed, token = request.param
    unshared = app_of(preset, seed).unshared(token)
    return oracle_of(preset, seed, token), {name: dict(found) for name, found in unshared.items()}


def holders(oracle: Oracle, role: str) -> list[Record]:
    return [user for user in oracle.users.values() if role in user["roles"]]


def students(oracle: Oracle) -> Iterator[tuple[Record, Record]]:
    for user in holders(oracle, "student"):
        yield user, user["roles"]["student"]


def walk(value: Any) -> Iterator[Any]:
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


@pytest.mark.parametrize(
    ("preset", "counts"),
    [
        ("tiny", {"schools": 2, "student": 200, "teacher": 14, "sections": 60, "contact": 260}),
        ("sandbox", {"schools": 5, "student": 1000, "teacher": 89, "sections": 378, "courses": 343, "terms": 5}),
        ("sandbox", {"contact": 1000, "district_admin": 3}),
        ("median", {"schools": 7, "student": 3700, "teacher": 245, "sections": 1100, "contact": 4800}),
    ],
)
def test_presets_have_the_size_they_promise(preset: str, counts: dict[str, int]) -> None:
    oracle = oracle_of(preset)
    for name, count in counts.items():
        found = oracle.records[name] if name in oracle.records else holders(oracle, name)
        assert len(found) == count, name


@pytest.mark.parametrize("preset", ["sandbox", "median"])
def test_ratios_are_those_of_clever_s_own_sandbox(preset: str) -> None:
    oracle = oracle_of(preset)
    taken = Counter(s for section in oracle.sections.values() for s in section["students"])
    sizes = [len(section["students"]) for section in oracle.sections.values()]
    taught = [section for section in oracle.sections.values() if len(section["teachers"]) > 1]
    people = list(students(oracle))
    several = [user for user, role in people if len(role["schools"]) > 1]
    cross = sum(
        oracle.users[s]["roles"]["student"]["school"] != section["school"]
        for section in oracle.sections.values()
        for s in section["students"]
        if s in oracle.users
    )
    assert 8 <= sum(sizes) / len(people) <= 10
    assert max(taken.values()) <= 15
    assert max(sizes) <= 50
    assert 0.08 <= len(taught) / len(sizes) <= 0.17
    assert 0.2 <= len(several) / len(people) <= 0.32
    assert 0.03 <= cross / sum(sizes) <= 0.09
    assert 0.5 <= len(holders(oracle, "contact")) / len(people) <= 1.5


def test_ids_are_24_hex_and_every_record_is_of_the_district(district: Oracle) -> None:
    (own,) = district.records["districts"]
    for collection, records in district.records.items():
        assert list(records) == sorted(records)
        for key, record in records.items():
            assert re.fullmatch(r"[0-9a-f]{24}", key)
            assert record["id"] == key
            assert collection == "districts" or record["district"] == own


def test_pages_of_users_mix_roles_and_the_first_shows_all_five(district: Oracle) -> None:
    whole = sorted(district.users)
    for start in range(0, len(whole) - 100, 100):
        held = {role for user in whole[start : start + 100] for role in district.users[user]["roles"]}
        assert {"student", "contact"} <= held
        if start == 0:
            assert len(held) == 5


def test_all_five_roles_and_the_lawful_pairs_exist(district: Oracle) -> None:
    held = Counter(tuple(sorted(user["roles"])) for user in district.users.values())
    alone = {(role,) for role in ("student", "teacher", "staff", "district_admin", "contact")}
    pairs = {("staff", "teacher"), ("district_admin", "teacher"), ("district_admin", "staff")}
    assert held.keys() == alone | pairs


def test_somebody_teaches_in_one_school_and_works_in_another(district: Oracle) -> None:
    both = [u["roles"] for u in holders(district, "teacher") if "staff" in u["roles"]]
    assert any(not set(roles["teacher"]["schools"]) & set(roles["staff"]["schools"]) for roles in both)


def test_roles_have_schools_as_clever_gives_them(district: Oracle) -> None:
    for user in district.users.values():
        for role, details in user["roles"].items():
            assert ("school" in details) == (role in ("student", "teacher"))
            assert ("schools" in details) == (role in ("student", "teacher", "staff"))
            assert "school" not in details or details["school"] in details["schools"]
            assert len(details.get("schools", [])) == len(set(details.get("schools", [])))


def test_the_primary_school_is_not_always_listed_first(district: Oracle) -> None:
    several = [role for _, role in students(district) if len(role["schools"]) > 1]
    assert any(role["schools"][0] != role["school"] for role in several)
    assert any(role["schools"][0] == role["school"] for role in several)


def test_an_employee_and_a_contact_share_an_email_but_employees_do_not(district: Oracle) -> None:
    employees = Counter(
        u.get("email") for u in district.users.values() if not {"student", "contact"} & u["roles"].keys()
    )
    assert max(employees.values()) == 1
    assert any(user.get("email") in employees for user in holders(district, "contact"))


def test_some_emails_lack_the_at_sign_some_are_empty_and_some_absent(district: Oracle) -> None:
    emails = [user.get("email") for user in district.users.values()]
    assert None in emails
    assert "" in emails
    assert any(email and "@" not in email for email in emails)


def test_a_student_s_email_is_repeated_in_the_role(district: Oracle) -> None:
    for user, role in students(district):
        assert role.get("email") == user.get("email")


def test_contacts_have_their_whole_name_in_last(district: Oracle) -> None:
    for contact in holders(district, "contact"):
        assert set(contact["name"]) == {"last"}
        assert " " in contact["name"]["last"]


def test_administrators_have_no_middle_name(district: Oracle) -> None:
    assert all("middle" not in user["name"] for user in holders(district, "district_admin"))


def test_some_contacts_are_related_to_several_students_in_different_ways(district: Oracle) -> None:
    ties = [user["roles"]["contact"]["student_relationships"] for user in holders(district, "contact")]
    several = [own for own in ties if len(own) > 1]
    assert several
    assert all(len({tie["student"] for tie in own}) == len(own) for own in several)
    assert any(len({(tie["relationship"], tie["type"]) for tie in own}) > 1 for own in several)


def test_absent_and_blank_both_mean_nothing_and_null_never_occurs(district: Oracle) -> None:
    for records in district.records.values():
        assert not any(value is None for record in records.values() for value in walk(record))
    for key in ("gender", "dob", "race", "ell_status", "state_id", "gifted_status", "frl_status"):
        values = [role.get(key) for _, role in students(district)]
        assert None in values and "" in values, key


def test_birthdays_are_month_day_year_without_zeros(district: Oracle) -> None:
    birthdays = [role["dob"] for _, role in students(district) if role.get("dob")]
    assert all(re.fullmatch(r"([1-9]|1[0-2])/([1-9]|[12]\d)/20\d\d", birthday) for birthday in birthdays)
    assert any(re.match(r"\d/\d/", birthday) for birthday in birthdays)


def test_timestamps_are_utc_with_milliseconds(district: Oracle) -> None:
    for collection in ("users", "sections", "schools"):
        for record in district.records[collection].values():
            for key in ("created", "last_modified"):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record[key])
            assert record["created"] <= record["last_modified"]


def test_cross_school_students_need_not_list_the_other_school(district: Oracle) -> None:
    listed, unlisted = 0, 0
    for user, role in students(district):
        elsewhere = {district.sections[s]["school"] for s in district.user_sections(user["id"])} - {role["school"]}
        listed += bool(elsewhere) and elsewhere <= set(role["schools"])
        unlisted += bool(elsewhere - set(role["schools"]))
        if listed and unlisted and len(district.users) > 3000:
            break
    assert listed and unlisted
    if len(district.users) <= 3000:
        assert 0.1 < unlisted / (listed + unlisted) < 0.6


def test_classes_name_their_first_teacher_and_have_up_to_four(district: Oracle) -> None:
    sizes = Counter(len(section["teachers"]) for section in district.sections.values())
    assert {0, 1, 2, 4} <= sizes.keys()
    assert max(sizes) == 4
    for section in district.sections.values():
        assert section["teachers"][:1] == ([section["teacher"]] if "teacher" in section else [])
        assert len(set(section["teachers"])) == len(section["teachers"])
        assert section["students"] == sorted(set(section["students"]))


def test_some_teachers_have_no_class_and_some_students_neither(district: Oracle) -> None:
    teaching = {t for section in district.sections.values() for t in section["teachers"]}
    learning = {s for section in district.sections.values() for s in section["students"]}
    idle = [user for user in holders(district, "teacher") if user["id"] not in teaching]
    assert 0.05 < len(idle) / len(holders(district, "teacher")) < 0.25
    assert [user for user in holders(district, "student") if user["id"] not in learning]


def test_some_classes_lack_course_or_term_or_students(district: Oracle) -> None:
    for key in ("course", "term_id"):
        values = [section.get(key) for section in district.sections.values()]
        assert None in values
        assert "" in values
    assert any(not section["students"] for section in district.sections.values())


def test_grades_do_not_always_fit(district: Oracle) -> None:
    def fits(role: Record) -> bool:
        school = district.schools.get(role["school"])
        if school is None or not role.get("grade"):
            return True
        low, high = (GRADES.index(school[key]) for key in ("low_grade", "high_grade"))
        return role["grade"] in GRADES[low : high + 1]

    assert not all(fits(role) for _, role in students(district))
    assert any(
        section.get("grade") and district.users[student]["roles"]["student"].get("grade") != section["grade"]
        for section in district.sections.values()
        for student in section["students"]
        if student in district.users
    )


def test_some_records_have_fields_of_the_district_s_own(district: Oracle) -> None:
    people = [u["roles"] for u in district.users.values()]
    assert any("ext" in roles.get("student", {}) for roles in people)
    assert any("ext" in section for section in district.sections.values())
    assert any("ext" not in section for section in district.sections.values())


def test_the_district_s_contact_is_named_by_an_admin_s_legacy_id(district: Oracle) -> None:
    (record,) = district.records["districts"].values()
    contact = record["district_contact"]
    admins = {user["roles"]["district_admin"]["legacy_id"]: user for user in holders(district, "district_admin")}
    assert contact["id"] not in district.users
    assert admins[contact["id"]]["email"] == contact["email"]


def test_legacy_ids_are_never_user_ids(district: Oracle) -> None:
    legacy = [details.get("legacy_id") for user in district.users.values() for details in user["roles"].values()]
    known = [one for one in legacy if one]
    assert len(known) == len(set(known))
    assert not set(known) & district.users.keys()


def test_some_terms_and_courses_are_incomplete(district: Oracle) -> None:
    assert any("name" not in term for term in district.terms.values())
    assert any(not term.get("end_date") for term in district.terms.values())
    assert any(not course.get("number") for course in district.courses.values())
    used = {section.get("term_id") for section in district.sections.values()}
    assert district.terms.keys() - used, "a term without classes"


def test_states_of_districts_differ_and_the_second_is_paused() -> None:
    found = [next(iter(app_of("tiny").records(token)["districts"].values())) for token in app_of("tiny")._worlds]
    assert [record["state"] for record in found] == ["running", "paused", "error"]
    assert found[1]["pause_start"] < found[1]["pause_end"]
    assert found[2]["error"]
    assert "pause_start" not in found[2]


def test_unshared_records_are_referred_to_but_nowhere_to_be_found(case: Case) -> None:
    oracle, unshared = case
    hidden_students = [u for u in unshared["users"].values() if "student" in u["roles"]]
    hidden_teachers = [u for u in unshared["users"].values() if "teacher" in u["roles"]]
    assert len(hidden_students) >= 2
    assert len(hidden_teachers) == len(unshared["schools"]) == len(unshared["courses"]) == 1
    for collection, records in unshared.items():
        assert not records.keys() & oracle.records[collection].keys()
    in_sections = {s for section in oracle.sections.values() for s in section["students"]}
    teaching = [section for section in oracle.sections.values() if hidden_teachers[0]["id"] in section["teachers"]]
    related = {
        tie["student"]
        for user in holders(oracle, "contact")
        for tie in user["roles"]["contact"]["student_relationships"]
    }
    assert in_sections & {user["id"] for user in hidden_students}
    assert related & {user["id"] for user in hidden_students}
    assert {section["teacher"] == hidden_teachers[0]["id"] for section in teaching} == {True, False}
    assert {s["school"] for s in oracle.sections.values()} - oracle.schools.keys() == unshared["schools"].keys()
    courses = {s.get("course", "") for s in oracle.sections.values()} - {""}
    assert courses - oracle.courses.keys() == unshared["courses"].keys()
    assert any(role["school"] in unshared["schools"] for _, role in students(oracle))
