"""`explain`: what a running gateway read for a query, as a table and as JSON."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.app import create_app
from gateway.cli.explain import pictured
from gateway.settings import Settings
from tests.cli.conftest import Invoke, Said
from tests.cli.processes import run
from tests.conftest import TOKEN, Upstream
from tests.servers import running

ROSTERS = "{ sections(first: 3) { nodes { name students { nodes { name { last } } } } } }"
DISTRICT = "{ district { name } }"


@pytest.fixture(scope="module")
def origin(upstream: Upstream) -> Iterator[str]:
    """Serve a gateway that tells its plans, with a memory."""
    settings = Settings(clever_url=upstream.origin, explain=True, public_introspection=True, log_level="error")
    with running(create_app(settings)) as origin:
        yield origin


@pytest.fixture
def explain(invoke: Invoke, origin: str) -> Invoke:
    """Return a function that has the gateway of these tests explain a query."""

    def command(*arguments: str) -> Said:
        return invoke("explain", *arguments, "--url", f"{origin}/graphql")

    return command


def test_each_step_is_a_line_with_why_below_it_and_totals_at_the_end(explain: Invoke) -> None:
    explain(DISTRICT, "--token", TOKEN)  # once more is from memory
    said = explain("{ district { name } courses(first: 3) { nodes { name } } }", "--token", TOKEN)

    assert (said.status, said.err) == (0, "")
    heading, *lines = said.out.splitlines()
    assert heading.split()[:5] == ["what", "how", "calls", "read", "ms"]
    steps = [line.split()[1:4] for line in lines if line[:2].strip().isdigit()]
    assert ["districts", "memory", "memory"] in steps
    assert any(step[0] == "courses" and step[2] == "1" for step in steps)
    assert "   everything is known" in lines
    assert "1 call to Clever" in lines[-2]
    assert "calls left of the minute" in lines[-1]


def test_nothing_of_the_roster_is_printed(explain: Invoke, upstream: Upstream) -> None:
    said = explain(ROSTERS, "--token", TOKEN)
    names = {record["name"]["last"] for record in upstream.app.records(TOKEN)["users"].values()}

    assert said.status == 0
    assert not names & set(said.out.split())


def test_the_plan_comes_as_json_where_that_is_asked_for(explain: Invoke) -> None:
    said = explain(ROSTERS, "--token", TOKEN, "--json")
    report = json.loads(said.out)

    assert (said.status, said.err) == (0, "")
    assert report["cost"].keys() == {"calls", "cached", "remaining"}
    assert report["cost"]["calls"] == sum(step["calls"]["made"] for step in report["plan"])


def test_variables_are_sent_along(explain: Invoke) -> None:
    document = "query ($n: Int) { schools(first: $n) { nodes { name } } }"

    assert explain(document, "--variables", '{"n": 1}', "--token", TOKEN).status == 0
    assert explain(document, "--variables", '{"n": "x"}', "--token", TOKEN).status == 1


def test_what_reads_nothing_has_no_plan(explain: Invoke) -> None:
    said = explain("{ __typename }")

    assert (said.status, said.out, said.err) == (0, "Nothing was read from Clever for this.\n", "")


def test_a_wrong_query_is_a_sentence_that_says_where(explain: Invoke) -> None:
    said = explain("{ nothing }", "--token", TOKEN)

    assert (said.status, said.out) == (1, "")
    assert said.err == (
        "clever-gateway: GRAPHQL_VALIDATION_FAILED at line 1, column 3: Cannot query field 'nothing' on type 'Query'.\n"
    )


def test_no_token_is_a_sentence(explain: Invoke) -> None:
    said = explain(DISTRICT)

    assert (said.status, said.out) == (1, "")
    assert said.err == "clever-gateway: the gateway wants a token: give one with --token or in GATEWAY_TOKEN.\n"


def test_a_refused_token_is_told_without_it(explain: Invoke) -> None:
    said = explain(DISTRICT, "--token", "MARKED")

    assert said.status == 1
    assert "UNAUTHENTICATED" in said.err
    assert "MARKED" not in said.err + said.out


def test_a_gateway_that_does_not_tell_its_plans_says_how_to_have_it(invoke: Invoke, gateway_origin: str) -> None:
    said = invoke("explain", DISTRICT, "--token", TOKEN, "--url", f"{gateway_origin}/graphql")

    assert (said.status, said.out) == (1, "")
    assert said.err == (
        f"clever-gateway: {gateway_origin}/graphql does not tell its plans. Start the gateway with "
        "GATEWAY_EXPLAIN=true; `clever-gateway demo` does.\n"
    )


def test_what_is_no_utf_8_gets_plain_signs(origin: str) -> None:
    arguments = ("explain", DISTRICT, "--token", TOKEN, "--url", f"{origin}/graphql")
    done = run(*arguments, PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stderr) == (0, "")
    assert "districts" in done.stdout


def test_no_gateway_is_a_sentence(invoke: Invoke) -> None:
    said = invoke("explain", DISTRICT, "--url", "http://127.0.0.1:9/graphql")

    assert said.status == 1
    assert "no gateway answers at http://127.0.0.1:9/graphql" in said.err


def step(start: float, took: float, calls: int = 1, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "relation": "users",
        "parents": 1,
        "path": "scan",
        "why": "because " * 20,
        "calls": {"estimated": 1, "made": calls},
        "bytes": {"estimated": 0, "read": 1_500_000},
        "ms": {"start": start, "took": took},
        "cached": calls == 0,
    }
    return plain | more


def test_bars_stand_where_their_time_was_and_no_line_is_too_long() -> None:
    cost = {"calls": 6, "cached": 0, "remaining": 3}
    plan = [step(0, 50, 3), step(50, 50), step(99, 0), step(50, 25, 0, parents=12)]
    stale = {"asOf": "2026-01-01T00:00:00+00:00", "reason": "REFRESHING"}
    lines = [text for text, _ in pictured({"cost": cost, "plan": plan, "stale": stale}, 72)]
    steps = [line for line in lines if line[:1].isdigit()][:4]
    first, second, instant, known = (line.rpartition(".0  ")[2] for line in steps)

    assert max(map(len, lines[:-3])) <= 72
    assert "3 (est. 1)" in steps[0]
    assert "users \N{MULTIPLICATION SIGN}12" in steps[3]
    half = len(first)
    assert (first, second) == ("█" * half, " " * half + "█" * half)
    assert (instant.strip(), instant.index("▏")) == ("▏", 2 * half - 1)
    assert known == " " * half + "░" * (half // 2)
    assert lines[-3:] == [
        "6 calls to Clever (est. 4), 6.0 MB read, 100 ms.",
        "0 reads answered from memory; 3 calls left of the minute.",
        "Some of it is past its time: as of 2026-01-01T00:00:00+00:00 (REFRESHING).",
    ]
