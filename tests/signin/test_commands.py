"""Signing in with what the command line starts: the demo, and the sandbox with registered addresses."""

import html
import re

import httpx

from tests.cli.processes import started


def test_the_demo_has_people_sign_in() -> None:
    with (
        started("demo", "--viewer", "--preset", "tiny", "--port", "0", "--sandbox-port", "0") as demo,
        httpx.Client(follow_redirects=True, timeout=30) as browser,
    ):
        gateway = demo.until(r"Sign in +(http://\S+)/login")
        page = browser.get(f"{gateway}/login").text
        form = {
            name: html.unescape(value)
            for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
        }
        people = re.findall(r'name="person" value="([0-9a-f]{24})"', page)
        sandbox = demo.until(r"Clever +(http://\S+)/v3\.1\b")
        arrived = browser.post(f"{sandbox}/oauth/authorize", data={**form, "person": people[0]})
        answer = browser.post(f"{gateway}/graphql", json={"query": "{ district { cleverId } }"}).json()
        token = {"authorization": "Bearer TEST_TOKEN"}
        refused = httpx.post(f"{gateway}/graphql", json={"query": "{ district { cleverId } }"}, headers=token)

        assert (arrived.status_code, str(arrived.url)) == (200, f"{gateway}/graphiql")
        assert answer["data"] == {"district": {"cleverId": form["district_id"]}}
        assert refused.status_code == 401
        assert "TEST_TOKEN" not in demo.out + arrived.text
        assert demo.err == ""


def test_the_sandbox_leads_to_the_addresses_it_is_given() -> None:
    address = "https://app.example/callback"
    with started("sandbox", "--preset", "tiny", "--port", "0", "--redirect-uri", address) as sandbox:
        authorize = sandbox.until(r"Sign-in at (http://\S+)")
        client_id = sandbox.until(r"Sign-in at .* \(([^,]+), ")
        asked = {"response_type": "code", "client_id": client_id}
        registered, other = (
            httpx.get(authorize, params={**asked, "redirect_uri": one})
            for one in (address, "http://127.0.0.1:8000/oauth/callback")
        )

    assert (registered.status_code, other.status_code) == (200, 400)
