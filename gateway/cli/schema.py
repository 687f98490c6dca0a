"""`schema`: the schema in GraphQL's schema language, printed, written or compared."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.terminal import Failure, out
from gateway.schema.build import print_schema

FILE = Path("schema.graphql")


def schema(
    file: Annotated[Path, typer.Argument(help="The file to write or to compare with.")] = FILE,
    check: Annotated[bool, typer.Option("--check", help="Fail where the file is not what is printed.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the file.")] = False,
) -> None:
    """Print the schema; codegen tools read it."""
    if check and write:
        raise typer.BadParameter("--check compares and --write writes: give one of them")
    printed = print_schema()
    if check:
        _compare(file, printed)
    elif write:
        try:
            file.write_text(printed, encoding="utf-8", newline="\n")
        except OSError as error:
            raise Failure(f"cannot write {file} ({error.strerror}).") from None
        out.print(f"{file} written.")
    else:
        typer.echo(printed, nl=False)


def _compare(file: Path, printed: str) -> None:
    try:
        held = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise Failure(f"cannot read {file} ({reason}). Write it with: clever-gateway schema --write") from None
    if held != printed:
        lines = difflib.unified_diff(held.splitlines(), printed.splitlines(), str(file), "printed", lineterm="", n=1)
        typer.echo("\n".join(lines))
        raise Failure(f"{file} is not what the code prints. Write it anew with: clever-gateway schema --write")
    out.print(f"{file} is what the code prints.")
