"""The sandbox stands alone, so that it cannot share a mistake with what it tests."""

import ast
import asyncio
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

import gateway.sandbox

from .conftest import app_of

FOLDER = Path(gateway.sandbox.__file__).parent
ALLOWED = {"faker", "msgspec", "starlette"}


def outside_names(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1, f"{path.name} reaches out of the package"
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_it_imports_nothing_of_the_rest_of_the_package(path: Path) -> None:
    assert outside_names(path) <= ALLOWED | set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_no_file_and_no_function_is_long(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, node.name


def test_it_speaks_lifespan_and_declines_websockets() -> None:
    sent: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> MutableMapping[str, Any]:
        return next(messages)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    async def both() -> None:
        await app_of("tiny")({"type": "lifespan"}, receive, send)
        await app_of("tiny")({"type": "websocket", "path": "/", "headers": []}, receive, send)

    asyncio.run(both())
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]


def test_mounted_below_a_prefix_it_answers_as_at_the_root() -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/clever/v3.1/schools",
        "raw_path": b"/clever/v3.1/schools",
        "root_path": "/clever",
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer TEST_TOKEN")],
    }
    status, _, body = app_of("tiny").respond(scope)
    assert status == 200
    assert b'"uri":"/v3.1/schools"' in body
