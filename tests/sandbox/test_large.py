"""A district of 30,000 students: as big as it says, as odd as the small ones, and quick to page through."""

import time
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest

from gateway.sandbox import SandboxApp, create_app

from . import test_districts
from .oracle import Oracle

pytestmark = pytest.mark.slow

# What a bigger district could lose; each takes one district's oracle.
QUIRKS = (
    test_districts.test_pages_of_users_mix_roles_and_the_first_shows_all_five,
    test_districts.test_all_five_roles_and_the_lawful_pairs_exist,
    test_districts.test_somebody_teaches_in_one_school_and_works_in_another,
    test_districts.test_roles_have_schools_as_clever_gives_them,
    test_districts.test_the_primary_school_is_not_always_listed_first,
    test_districts.test_an_employee_and_a_contact_share_an_email_but_employees_do_not,
    test_districts.test_some_emails_lack_the_at_sign_some_are_empty_and_some_absent,
    test_districts.test_contacts_have_their_whole_name_in_last,
    test_districts.test_classes_name_their_first_teacher_and_have_up_to_four,
    test_districts.test_some_teachers_have_no_class_and_some_students_neither,
    test_districts.test_some_classes_lack_course_or_term_or_students,
    test_districts.test_grades_do_not_always_fit,
    test_districts.test_some_records_have_fields_of_the_district_s_own,
    test_districts.test_the_district_s_contact_is_named_by_an_admin_s_legacy_id,
    test_districts.test_legacy_ids_are_never_user_ids,
    test_districts.test_some_terms_and_courses_are_incomplete,
)


@pytest.fixture(scope="module")
def told() -> list[float]:
    return []


@pytest.fixture(scope="module")
def app(told: list[float]) -> SandboxApp:
    return create_app("large", districts=1, rate_limit=None, on_progress=lambda _, share: told.append(share))


@pytest.fixture(scope="module")
def oracle(app: SandboxApp) -> Oracle:
    return Oracle(app.records("TEST_TOKEN"))


def ask(app: SandboxApp, path: str, query: str) -> bytes:
    headers = [(b"authorization", b"Bearer TEST_TOKEN")]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": headers}
    status, _, body = app.respond(scope)
    assert status == 200
    return body


class Identified(msgspec.Struct):
    id: str


class Element(msgspec.Struct):
    data: Identified


class Page(msgspec.Struct):
    data: list[Element]
    links: list[dict[str, str]]

    @property
    def ids(self) -> list[str]:
        return [element.data.id for element in self.data]


def pages(app: SandboxApp, path: str, query: str) -> Iterator[Page]:
    """Walk a list by its `next` links."""
    following = f"{path}?{query}"
    while following:
        path, _, query = following.partition("?")
        page = msgspec.json.decode(ask(app, path, query), type=Page)
        yield page
        following = next((link["uri"] for link in page.links if link["rel"] == "next"), "")


def test_it_has_the_size_it_promises(app: SandboxApp) -> None:
    (info,) = app.describe()
    promised = {"schools": 50, "sections": 9000, "courses": 1200, "role:student": 30_000, "role:teacher": 2000}
    assert info.counts.items() >= {**promised, "role:contact": 39_000, "role:staff": 150}.items()


def test_progress_is_told_smoothly(app: SandboxApp, told: list[float]) -> None:
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert max(after - before for before, after in pairwise(told)) < 0.1


def test_it_has_every_quirk_of_the_small_ones(oracle: Oracle) -> None:
    for quirk in QUIRKS:
        quirk(oracle)
    names = [school["name"] for school in oracle.schools.values()]
    assert len(set(names)) > 0.9 * len(names)


@pytest.mark.parametrize(("version", "role"), [("v3.1", ""), ("v3.1", "contact"), ("v3.0", "student")])
def test_pages_of_ten_thousand_add_up(app: SandboxApp, oracle: Oracle, version: str, role: str) -> None:
    query = f"role={role}&limit=10000" if role else "limit=10000"
    walked = [page.ids for page in pages(app, f"/{version}/users", query)]
    assert all(len(page) == 10_000 for page in walked[:-1])
    assert [one for page in walked for one in page] == (oracle.with_role(role) if role else sorted(oracle.users))


def test_a_page_of_ten_thousand_asked_for_again_is_at_hand(app: SandboxApp) -> None:
    first = ask(app, "/v3.1/users", "limit=10000")
    started = time.perf_counter()
    assert ask(app, "/v3.1/users", "limit=10000") == first
    assert time.perf_counter() - started < 0.05


def test_relations_are_joins_of_the_records(app: SandboxApp, oracle: Oracle) -> None:
    school, section = sorted(oracle.schools)[3], sorted(oracle.sections)[100]
    student = next(s for s in oracle.sections[section]["students"] if s in oracle.users)
    for owner, name, record_id in (
        ("schools", "users", school),
        ("schools", "sections", school),
        ("sections", "users", section),
        ("users", "sections", student),
        ("users", "myteachers", student),
        ("users", "mycontacts", student),
    ):
        (page,) = pages(app, f"/v3.1/{owner}/{record_id}/{name}", "limit=10000")
        assert page.ids == oracle.relation(owner, name, record_id)
