"""Signing in and out as a person does: from GraphiQL to Clever's page and back, in a real browser."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.browser.test_graphiql import HERE, Visit, opened, pytestmark  # noqa: F401 - the marks hold here, too
from tests.conftest import Upstream
from tests.signin.conftest import people_origin, teacher  # noqa: F401 - fixtures
from tests.visibility.conftest import people_of
from tests.visibility.oracle import Visible

DISTRICT = "{ district { cleverId } }"
PEOPLE = "{ users(first: 10000) { nodes { cleverId } } }"
SECTIONS = "{ sections(first: 1000) { totalCount nodes { cleverId students(first: 1000) { nodes { cleverId } } } } }"


@pytest.fixture
async def visit(people_origin: str) -> AsyncIterator[Visit]:  # noqa: F811
    """Open GraphiQL of a gateway where people sign in."""
    async with opened(people_origin) as visit:
        await visit.page.wait_for_selector("#sign-in:not([hidden])")
        yield visit


def named(upstream: Upstream, user_id: str) -> str:
    """Return what the bar says of a person who is signed in."""
    user = upstream.oracle().users[user_id]
    return f"{user['name']['first']} {user['name']['last']}"


async def sign_in(visit: Visit, upstream: Upstream, user_id: str) -> None:
    """Go to Clever's page, look the person up by name, choose it, and wait until the bar of GraphiQL says so."""
    page = visit.page
    await page.click("#sign-in")
    await page.wait_for_url(f"{upstream.origin}/oauth/authorize?*")
    user = upstream.oracle().users[user_id]
    await page.fill("input[name=q]", f"{user['name']['first']} {user['name']['last']}")
    await page.get_by_role("button", name="Find").click()
    await page.locator(f'button[value="{user_id}"]').click()
    await page.wait_for_url("**/graphiql")
    await page.wait_for_selector("#sign-out:not([hidden])")
    assert named(upstream, user_id) in await page.inner_text("#person")
    assert not await page.is_visible("#sign-in")


async def sign_out(visit: Visit) -> None:
    """Sign out with the bar's button, and wait until the bar offers to sign in."""
    await visit.page.get_by_role("button", name="Sign out").click()
    await visit.page.wait_for_selector("#sign-in:not([hidden])")
    assert await visit.page.inner_text("#person") == ""


async def asked(visit: Visit, document: str) -> Any:
    """Ask the gateway from within the page, as its own scripts do."""
    return await visit.page.evaluate(
        """async query => (await fetch('/graphql', {
            method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({query}),
        })).json()""",
        document,
    )


async def test_a_person_signs_in_and_out_and_another_sees_less(visit: Visit, upstream: Upstream) -> None:
    people = people_of(upstream.oracle())
    assert not await visit.page.is_visible("#token")
    assert await visit.page.inner_text("#token-note") == "Sign in to read data"

    everybody: list[int] = []
    for person in (people["teacher"], people["student"]):
        await sign_in(visit, upstream, person)
        assert (await asked(visit, DISTRICT))["data"] == {"district": {"cleverId": upstream.app.describe()[0].id}}
        sections = (await asked(visit, SECTIONS))["data"]["sections"]
        seen = Visible(upstream, person)
        assert [one["cleverId"] for one in sections["nodes"]] == sorted(seen.sections) != []
        assert sections["totalCount"] == len(seen.sections)
        for one in sections["nodes"]:
            wanted = seen.section_users(one["cleverId"], "student")
            assert [row["cleverId"] for row in one["students"]["nodes"]] == wanted
        everybody.append(len((await asked(visit, PEOPLE))["data"]["users"]["nodes"]))
        cookies = {cookie["name"]: cookie for cookie in await visit.page.context.cookies()}
        assert cookies["clever_session"]["httpOnly"] is True
        assert "clever_sign_in" not in cookies
        assert "clever_session" not in await visit.kept()

        await sign_out(visit)
        (error,) = (await asked(visit, DISTRICT))["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"

    of_teacher, of_student = everybody
    assert 1 < of_student < of_teacher < len(upstream.oracle().users)
    assert [url for url in visit.requests if not HERE.match(url)] == []
    # A browser says so of each 401.
    assert [complaint for complaint in visit.complaints if "401" not in complaint] == []


async def test_a_session_that_ended_elsewhere_is_told_in_the_bar(
    visit: Visit,
    upstream: Upstream,
    teacher: str,  # noqa: F811
) -> None:
    await sign_in(visit, upstream, teacher)
    await visit.page.wait_for_selector(".graphiql-query-editor .monaco-editor .view-line")
    await visit.page.context.clear_cookies()
    await visit.run("UNAUTHENTICATED")

    assert await visit.page.inner_text("#token-note") == "Your session has ended. Sign in again."
    assert await visit.page.is_visible("#sign-in")


async def test_cancelling_at_clever_leads_to_a_page_that_says_so(visit: Visit) -> None:
    await visit.page.click("#sign-in")
    await visit.page.get_by_role("button", name="Cancel").click()
    await visit.page.wait_for_url("**/oauth/callback?*")

    assert "you chose not to" in await visit.page.inner_text("main")
    assert await visit.page.get_by_role("link", name="Sign in").get_attribute("href") == "/login?next=%2Fgraphiql"
    assert [complaint for complaint in visit.complaints if "40" not in complaint] == []
