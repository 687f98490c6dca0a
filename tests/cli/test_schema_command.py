"""`schema`: printed, written, compared."""

from pathlib import Path

import pytest

from gateway.schema.build import print_schema
from tests.cli.conftest import Invoke
from tests.cli.processes import ROOT


def test_it_prints_the_file_of_the_repository_exactly(invoke: Invoke) -> None:
    said = invoke("schema")

    assert (said.status, said.err) == (0, "")
    assert said.out == (ROOT / "schema.graphql").read_text(encoding="utf-8")


def test_what_it_writes_it_finds_to_be_right(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"

    assert invoke("schema", "--write", str(file)).status == 0
    assert file.read_bytes() == print_schema().encode()
    said = invoke("schema", "--check", str(file))
    assert (said.status, said.out, said.err) == (0, f"{file} is what the code prints.\n", "")


def test_it_shows_how_another_file_differs(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "[old].graphql"
    file.write_text(print_schema().replace("type Query", "type Question"), encoding="utf-8")
    said = invoke("schema", "--check", str(file))

    assert said.status == 1
    assert "-type Question" in said.out
    assert "+type Query" in said.out
    assert said.err == (
        f"clever-gateway: {file} is not what the code prints. Write it anew with: clever-gateway schema --write\n"
    )


def test_a_file_that_is_not_there_or_not_text_is_a_sentence(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    for name, reason in (("missing", "No such file or directory"), ("binary", "not text"), ("", "Is a directory")):
        said = invoke("schema", "--check", str(tmp_path / name))
        assert said.status == 1
        assert f"({reason})" in said.err


@pytest.mark.parametrize("name", ["no/such/folder/schema.graphql", "."])
def test_a_file_that_cannot_be_written_is_a_sentence(invoke: Invoke, tmp_path: Path, name: str) -> None:
    said = invoke("schema", "--write", str(tmp_path / name))

    assert said.status == 1
    assert said.err.startswith(f"clever-gateway: cannot write {tmp_path / name} (")
