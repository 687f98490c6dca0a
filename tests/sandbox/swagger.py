"""Clever's published swagger files, where a copy is at hand: `CLEVER_SWAGGER_DIR`, or next to the repository."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "clever"


@lru_cache(maxsize=2)
def swagger(version: str) -> dict[str, Any]:
    """Return the swagger of `v3.0` or `v3.1`, or skip the test when there is no copy."""
    path = Path(os.environ.get("CLEVER_SWAGGER_DIR", BESIDE)) / f"swagger-{version}.yml"
    if not path.is_file():
        pytest.skip(f"no copy of Clever's {version} swagger; set CLEVER_SWAGGER_DIR")
    loaded: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return loaded


def problems(version: str, definition: str, record: dict[str, Any], where: str = "") -> list[str]:
    """List what the swagger does not allow in a record: unknown keys, wrong types, values outside an enum."""
    found = []
    properties = swagger(version)["definitions"][definition].get("properties", {})
    for key, value in record.items():
        here = f"{where}.{key}"
        if key not in properties:
            found.append(f"{here}: not in the swagger")
        else:
            found += _value_problems(version, properties[key], value, here)
    return found


def _value_problems(version: str, schema: dict[str, Any], value: Any, where: str) -> list[str]:
    if "$ref" in schema:
        return problems(version, schema["$ref"].rsplit("/", 1)[1], value, where)
    kinds: dict[str, type] = {"string": str, "boolean": bool, "array": list, "object": dict}
    if type(value) is not kinds[schema["type"]]:
        return [f"{where}: {value!r} is not a {schema['type']}"]
    if isinstance(value, list):
        return [problem for item in value for problem in _value_problems(version, schema["items"], item, where)]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is not in the enum"]
    return []
