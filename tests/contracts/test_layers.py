"""Imports point one way, and each dependency has one owner."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gateway"

# Each may import itself and anything to its right.
LAYERS = [
    "cli", "app", "web", "engine", "schema", "loaders", "access", "cache", "clever", "policy", "identity", "errors",
]  # fmt: skip
WIRED = {"settings", "observability", "sandbox"}
MAY_IMPORT = {layer: set(LAYERS[position:]) for position, layer in enumerate(LAYERS)}
MAY_IMPORT["app"] |= WIRED
MAY_IMPORT["cli"] |= WIRED
MAY_IMPORT |= {
    "settings": {"settings"},
    "observability": {"observability", *LAYERS[LAYERS.index("web") :]},
    "sandbox": {"sandbox"},
    "__main__": {"cli"},
    "__init__": set(),
}
VERSION = {"gateway"}

OWNERS = {
    "httpx": {"clever", "app", "cli"},
    "aiohttp": {"clever"},
    "multidict": {"clever"},
    "yarl": {"clever"},
    "strawberry": {"schema"},
    "graphql": {"schema", "engine"},
    "aiodataloader": {"loaders"},
    "redis": {"cache"},
    "zstandard": {"cache"},
    "starlette": {"web", "app"},
    "uvicorn": {"cli"},
    "typer": {"cli"},
    "rich": {"cli"},
    "pydantic": {"settings", "cli"},
    "pydantic_settings": {"settings"},
    "prometheus_client": {"observability"},
    "opentelemetry": {"observability"},
    "structlog": {"observability"},
    "faker": {"sandbox"},
    "authlib": {"clever"},
    "joserfc": {"web"},
    "cryptography": {"web", "cache"},
}

FILES = sorted(path for path in PACKAGE.rglob("*.py") if "node_modules" not in path.parts)


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Return the dotted names of everything a file imports, relative imports made absolute."""
    inside = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = inside[: len(inside) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "gateway":
                yield from (f"gateway.{name.name}" for name in node.names)
            else:
                yield module


def id_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=id_of)
def test_no_import_points_upwards(path: Path) -> None:
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("gateway.")} - {"__version__"}

    assert ours <= MAY_IMPORT[layer_of(path)]


@pytest.mark.parametrize("path", FILES, ids=id_of)
def test_a_dependency_is_used_by_its_owner_only(path: Path) -> None:
    used = {name.split(".")[0] for name in imports_of(path)} & OWNERS.keys()

    assert {name for name in used if layer_of(path) not in OWNERS[name]} == set()


def test_every_layer_of_the_order_has_a_place_or_is_still_to_come() -> None:
    present = {layer_of(path) for path in FILES}

    assert present - set(MAY_IMPORT) == set()
    assert set(LAYERS) - present <= {"policy"}


def test_only_the_base_class_touches_aiodataloader() -> None:
    users = [id_of(path) for path in FILES if "aiodataloader" in imports_of(path)]

    assert users == ["gateway/loaders/base.py"]


def test_only_the_transport_touches_aiohttp() -> None:
    users = [id_of(path) for path in FILES if {"aiohttp", "multidict", "yarl"} & set(imports_of(path))]

    assert users == ["gateway/clever/transport.py"]


@pytest.mark.parametrize("path", FILES, ids=id_of)
def test_the_environment_is_read_in_settings_alone(path: Path) -> None:
    source = path.read_text(encoding="utf-8")

    assert layer_of(path) == "settings" or not any(word in source for word in ("os.environ", "getenv"))
