"""What is committed: the top level that was agreed on, and nothing that names a machine or a registry."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = {"pyproject.toml", "README.md", "gateway", "schema.graphql", "tests", "deploy", "LICENSE"}


def committed() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_the_top_level_holds_what_it_may() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in committed()}

    assert {name for name in names if not name.startswith(".")} <= TOP


def test_no_file_names_a_registry_or_a_place_on_a_machine() -> None:
    pattern = re.compile(
        r'"resolved":\s*"|registry\.npmjs|files\.pythonhosted|pypi\.org/simple|--index-url|(?<![\w/])/(root|home|work)/\w'
    )
    found = [
        str(path.relative_to(ROOT))
        for path in committed()
        if path != Path(__file__) and pattern.search(path.read_text(encoding="utf-8", errors="replace"))
    ]

    assert found == []


def test_every_dependency_has_a_range_and_an_exact_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    wanted = [one for one in wanted if not one.startswith(project["name"])]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "deploy/constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }

    assert all(re.search(r">=\d", one) for one in wanted)
    assert {re.split(r"[<>=;\[ ]", one)[0].lower() for one in wanted} <= pinned
