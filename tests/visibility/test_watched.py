"""What operators hear of viewers: how much was shown and hidden, and which district's calls are left."""

import httpx

from tests.conftest import Joins, Upstream
from tests.observability.test_metrics import samples, value
from tests.visibility.conftest import gateway_for_people, jwt_of, people_of

PASSWORD = "correct horse battery"
DECISIONS = "gateway_decisions_total"


def test_decisions_and_districts_are_told_and_people_are_not(
    upstream: Upstream, keys: str, district: str, joins: Joins
) -> None:
    people = people_of(joins)
    teacher = people["teacher"]
    strangers = [key for key in joins.records["users"] if key not in people.values()]
    look_ups = " ".join(f'u{index}: user(id: "{key}") {{ id }}' for index, key in enumerate(strangers[:50]))
    with (
        gateway_for_people(upstream, keys, status_password=PASSWORD) as origin,
        httpx.Client(base_url=origin, headers={"authorization": f"Bearer {jwt_of(teacher, district)}"}) as http,
    ):
        for query in (
            "{ district { name } }",
            f"{{ {look_ups} }}",
            "{ sections { nodes { students { nodes { id } } } } }",
        ):
            http.post("/graphql", json={"query": query}, timeout=30).raise_for_status()
        text = http.get("/metrics").text
        page = http.get("/status", auth=("ops", PASSWORD)).text
    found = samples(text)

    assert value(found, DECISIONS, kind="users", decision="hidden") > 0
    assert value(found, DECISIONS, kind="users", decision="shown") > 0
    assert value(found, DECISIONS, kind="sections", decision="shown") > 0
    assert value(found, "gateway_budget_district_left_calls", district=district) < 1200
    assert f"{joins.records['districts'][district]['name']}<small>{district}</small>" in page
    for person in (teacher, *strangers):
        assert person not in text
        assert person not in page
