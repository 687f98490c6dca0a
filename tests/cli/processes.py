"""The command line as a person runs it: in a process of its own, and never with a traceback on its stderr."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "gateway"]
LONGEST_S = 40
# What each process would have to compile anew takes it longer than all the rest of its start.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}


class Running:
    """A command that has not ended: what it wrote so far, and how to wait for more."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._written = {"out": "", "err": ""}
        self._more = threading.Condition()
        streams = (("out", process.stdout), ("err", process.stderr))
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in streams]
        for reader in self._readers:
            reader.start()

    @property
    def out(self) -> str:
        """Return what came on stdout."""
        return self._written["out"]

    @property
    def err(self) -> str:
        """Return what came on stderr."""
        return self._written["err"]

    def until(self, pattern: str) -> str:
        """Wait for what matches on either stream; return its first group."""
        with self._more:
            self._more.wait_for(lambda: self._match(pattern) or not self._open, timeout=LONGEST_S)
        found = self._match(pattern)
        assert found, f"no {pattern!r} in:\n{self.out}\n{self.err}"
        return found[1]

    def end(self) -> int:
        """Wait for the end of the process and of every other that holds its streams; return its status."""
        status = self.process.wait(timeout=LONGEST_S)
        for reader in self._readers:
            reader.join(timeout=LONGEST_S)
        assert not self._open, "a process that it started is still there"
        assert "Traceback" not in self.err
        assert "Fatal" not in self.err
        return status

    @property
    def _open(self) -> bool:
        return any(reader.is_alive() for reader in self._readers)

    def _match(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.out) or re.search(pattern, self.err)

    def _read(self, name: str, stream: IO[str]) -> None:
        for line in stream:
            with self._more:
                self._written[name] += line
                self._more.notify_all()
        with self._more:
            self._more.notify_all()


@contextmanager
def started(*arguments: str, **variables: str) -> Iterator[Running]:
    """Start a command that goes on until it is told to stop."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={**os.environ, **COMPILED, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    running = Running(process)
    try:
        yield running
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
        running.end()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def run(*arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={**os.environ, **COMPILED, **variables},
        input=stdin,
        capture_output=True,
        timeout=LONGEST_S,
        check=False,
    )
    out, err = (text.decode().replace("\r\n", "\n") for text in (done.stdout, done.stderr))
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)
