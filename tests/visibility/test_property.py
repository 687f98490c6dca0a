"""Any person, any two edges one behind the other: what is seen is what the oracle joins over what that person may see."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Joins
from tests.schema.test_relations import ALL, EDGES, TYPES, ids_below
from tests.visibility.conftest import WAYS, jwt_of
from tests.visibility.oracle import Visible
from tests.visibility.test_matrix import expected

CONNECTIONS = [edge for edge in EDGES if "nodes" in edge.selection and "resources" not in edge.name]
TARGETS = {
    "sections": "sections", "schools": "schools", "courses": "courses", "terms": "terms", "users": "users",
    "students": "users", "teachers": "users", "staff": "users", "contacts": "users", "districtAdmins": "users",
}  # fmt: skip


def target(edge: Any) -> str:
    return TARGETS[edge.covers.split(".")[1]]


def chains() -> Any:
    """Draw an edge, and one that goes on from where it leads."""
    return st.sampled_from(CONNECTIONS).flatmap(
        lambda first: st.tuples(
            st.just(first), st.sampled_from([edge for edge in CONNECTIONS if edge.collection == target(first)])
        )
    )


def check(origin: str, seen: Visible, first: Any, second: Any) -> None:
    district = next(iter(seen.records["districts"]))
    inner = f"second: cleverId {second.selection}"
    outer = f"first: cleverId {first.selection.replace('cleverId', inner, 1)}"
    listed = f"({ALL}) {{ nodes {{ {outer} }} }}" if first.collection != "districts" else f"{{ {outer} }}"
    asked = {"query": f"{{ {first.collection}{listed} }}"}
    answer = httpx.post(
        f"{origin}/graphql",
        json=asked,
        headers={"authorization": f"Bearer {jwt_of(seen.person, district)}"},
        timeout=60,
    ).json()
    rows = answer["data"][first.collection]
    for parent in rows if isinstance(rows, list) else rows["nodes"]:
        connection = next(value for value in parent.values() if isinstance(value, dict | None))
        children = connection["nodes"] if connection else []
        assert [child["second"] for child in children] == expected(first, seen, parent["first"])
        for child in children:
            below = {name: value for name, value in child.items() if name != "second"}
            assert list(ids_below(below)) == expected(second, seen, child["second"])


@pytest.mark.parametrize("way", WAYS)
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_two_edges_lead_anybody_to_what_they_may_see(
    way: str, data: st.DataObject, origins: dict[str, str], joins: Joins, seen_by: Callable[[str], Visible]
) -> None:
    person = data.draw(st.sampled_from(sorted(joins.users)))
    check(origins[way], seen_by(person), *data.draw(chains()))


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_edges_lead_anybody_to_what_they_may_see(
    data: st.DataObject, origins: dict[str, str], joins: Joins, seen_by: Callable[[str], Visible]
) -> None:
    person = data.draw(st.sampled_from(sorted(joins.users)))
    check(origins[data.draw(st.sampled_from(WAYS))], seen_by(person), *data.draw(chains()))


@pytest.mark.parametrize("way", WAYS)
def test_who_is_seen_for_one_role_is_listed_by_another_held_elsewhere(
    way: str, origins: dict[str, str], joins: Joins, seen_by: Callable[[str], Visible]
) -> None:
    def schools(person: str, role: str) -> set[str]:
        return set(joins.users[person]["roles"].get(role, {}).get("schools", ()))

    employees = {one for one, user in joins.users.items() if set(user["roles"]) <= {"staff", "teacher"}}
    viewer, seen = next(
        (viewer, other)
        for viewer in sorted(employees)
        for other in sorted(employees - {viewer})
        if schools(viewer, "staff") & schools(other, "staff")
        and schools(other, "teacher")
        and not schools(viewer, "staff") & schools(other, "teacher")
    )
    assert seen in seen_by(viewer).users
    teachers = next(edge for edge in CONNECTIONS if edge.covers == "District.teachers")
    check(origins[way], seen_by(viewer), teachers, next(edge for edge in CONNECTIONS if edge.covers == "User.schools"))


def test_every_connection_leads_to_a_collection() -> None:
    assert {target(edge) for edge in CONNECTIONS} < set(TYPES)
