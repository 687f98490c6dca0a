"""A command run in this process, where what it says matters and that it is a process does not."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gateway.cli import main
from tests.observability.lines import logged


@dataclass(frozen=True)
class Said:
    """The end of a command: its status and what it wrote."""

    status: int
    out: str
    err: str


Invoke = Callable[..., Said]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Return a function that runs a command line to its end."""

    def command(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["clever-gateway", *arguments])
        with pytest.raises(SystemExit) as ended, logged("error"):
            main()
        written = capsys.readouterr()
        return Said(int(ended.value.code or 0), written.out, written.err)

    return command
