"""What README says is true: its settings, its commands' names, its example and its queries."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from graphql import DirectiveLocation, parse, validate

from gateway.app import create_app
from gateway.policy import POLICY, Group
from gateway.sandbox import create_app as create_sandbox
from gateway.schema.build import build_schema
from gateway.settings import Settings, variable
from tests.servers import running

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


KINDS = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`", str | None: "text"}


def setting_rows() -> list[str]:
    rows = []
    for name, field in Settings.model_fields.items():
        default = "none" if field.default is None else f"`{json.dumps(field.default).strip(chr(34))}`"
        values = ", ".join(f"`{choice}`" for choice in get_args(field.annotation) if isinstance(choice, str))
        values = values or {str(kind): text for kind, text in KINDS.items()}.get(str(field.annotation), "text, secret")
        rows.append(f"| `{variable(name)}` | {values} | {default} | {field.description} |")
    return rows


def test_the_table_of_settings_is_that_of_the_code() -> None:
    held = [line for line in README.splitlines() if line.startswith("| `GATEWAY_")]

    assert held == setting_rows(), "the rows must be:\n" + "\n".join(setting_rows())


def policy_rows() -> list[str]:
    """Return the rows of README's two tables of who sees what."""
    seen = {
        role: "the whole district" if rules.everything else "; ".join(rules.circles) for role, rules in POLICY.items()
    }
    granted = {
        group: "; ".join(
            f"{role}: "
            + ("everyone" if rules.everything else ", ".join(one for one, of in rules.circles.items() if group in of))
            for role, rules in POLICY.items()
            if rules.everything or any(group in of for of in rules.circles.values())
        )
        for group in Group
        if group is not Group.DETAILS
    }
    return [
        *(f"| `{role}` | {what} |" for role, what in seen.items()),
        *(f"| `{group}` | {whom} |" for group, whom in granted.items()),
    ]


def test_the_tables_of_who_sees_what_are_the_policy() -> None:
    for row in policy_rows():
        assert row in README, "the rows must be:\n" + "\n".join(policy_rows())
    assert README.count("\n| `read:") == 0


def codes_in_the_source() -> set[str]:
    """Return what looks like the code of an error in the layers that refuse."""
    files = [ROOT / "gateway/errors.py", *(ROOT / "gateway/engine").glob("*.py"), *(ROOT / "gateway/web").glob("*.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    return set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source)) - {place.name for place in DirectiveLocation}


def test_every_code_of_an_error_is_explained_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \| ([^|]+) \|$", README, re.MULTILINE)
    explained = [code for code, _, _ in rows if not code.startswith("GATEWAY_")]

    assert set(explained) == codes_in_the_source() | {"UNAUTHENTICATED", "FORBIDDEN", "OVERLOADED"}
    assert len(explained) == len(set(explained))


@pytest.mark.parametrize("document", blocks("graphql"))
def test_every_query_is_valid(document: str) -> None:
    assert validate(build_schema()._schema, parse(document)) == []


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    upstream = create_sandbox("sandbox", rate_limit=None)
    with (
        running(upstream) as clever,
        running(create_app(Settings(cache=False, clever_url=clever, log_level="error"))) as origin,
    ):
        yield origin


async def ask(origin: str, document: str, variables: dict[str, str] | None = None) -> Any:
    async with httpx.AsyncClient() as http:
        sent = {"authorization": "Bearer TEST_TOKEN"}
        body = {"query": document, "variables": variables}
        response = await http.post(f"{origin}/graphql", json=body, headers=sent, timeout=30)
        return response.json()


@pytest.mark.parametrize("document", blocks("graphql"))
async def test_every_query_runs_on_the_demo(demo: str, document: str) -> None:
    schools = await ask(demo, "{ schools(first: 1) { nodes { id } } }")
    variables = {"school": schools["data"]["schools"]["nodes"][0]["id"]} if "$school" in document else {}

    assert "errors" not in await ask(demo, document, variables)


async def test_the_first_example_has_the_answer_that_is_shown(demo: str) -> None:
    answer = await ask(demo, blocks("graphql")[0])

    assert {"data": answer["data"]} == json.loads(blocks("json")[0])


def test_the_two_commands_are_one_line_each() -> None:
    commands = [line for block in blocks("sh") for line in block.strip().splitlines()]

    assert sum(line.endswith("clever-gateway demo") for line in commands) == 1
    assert sum(line.endswith("pytest -n 3") for line in commands) == 1
