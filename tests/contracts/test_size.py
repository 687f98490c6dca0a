"""Files and functions stay small enough to read: split by meaning before they grow."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 60
FILES = sorted(
    path
    for folder in ("gateway", "tests", "deploy")
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_and_no_function_is_too_long(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert source.count("\n") <= MOST_LINES
    assert {
        node.name: node.end_lineno - node.lineno
        for node in functions
        if node.end_lineno and node.end_lineno - node.lineno > MOST_LINES_OF_A_FUNCTION
    } == {}
