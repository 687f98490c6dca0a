"""Build the GraphiQL page's bundle while the package is built.

Node is optional: without it, or when its build fails, the package is built all the same and the page loads
GraphiQL from a CDN. Set `GATEWAY_BUILD_GRAPHIQL=off` to skip the build on purpose.
"""

import gzip
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SWITCH = "GATEWAY_BUILD_GRAPHIQL"
_SOURCES = "gateway/web/graphiql"
_INPUTS = ("package.json", "package-lock.json", "vite.config.mjs", "index.html", "src/**/*")
# What the bundler itself asks for.
_NODE_AT_LEAST = (20, 19)
_SECONDS = 300
_WORTH_PACKING = {".css", ".js", ".svg", ".ttf"}


class _NotBuilt(Exception):
    """Why there is no new bundle, in words for whoever installs the package."""


class GraphiQLBundleHook(BuildHookInterface[Any]):
    """Put a fresh GraphiQL bundle into wheels and editable installations."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the bundle where it is missing or stale, and have the wheel include it."""
        folder = Path(self.root, _SOURCES)
        try:
            _ensure_bundle(folder)
        except (_NotBuilt, OSError, subprocess.SubprocessError) as problem:
            instead = "its older bundle" if (folder / "out").is_dir() else "GraphiQL from a CDN"
            self.app.display_warning(f"GraphiQL was not built: {problem}. The page will use {instead}.")
        build_data["artifacts"].append(f"{_SOURCES}/out/**")


def _ensure_bundle(folder: Path) -> None:
    fingerprint = _fingerprint(folder)
    stamp = folder / "out" / ".built"
    if stamp.is_file() and stamp.read_bytes() == fingerprint.encode():
        return
    if os.environ.get(_SWITCH, "").lower() == "off":
        raise _NotBuilt(f"{_SWITCH} is off")

    npm, npx = _node_tools()
    deadline = time.monotonic() + _SECONDS
    _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, deadline)
    # Inside node_modules: same disk, never packaged, and nothing half built is ever under the name `out`.
    work = Path(tempfile.mkdtemp(prefix=".bundle-", dir=folder / "node_modules"))
    try:
        built = work / "new"
        _run([npx, "--no-install", "vite", "build", "--outDir", str(built)], folder, deadline)
        _pack(built / "assets")
        (built / ".built").write_bytes(fingerprint.encode())
        with suppress(FileNotFoundError):
            (folder / "out").rename(work / "old")
        built.rename(folder / "out")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _fingerprint(folder: Path) -> str:
    """Hash all that the bundle is made of."""
    digest = hashlib.sha256()
    for file in _inputs(folder):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _inputs(folder: Path) -> Iterator[Path]:
    for pattern in _INPUTS:
        yield from sorted(file for file in folder.glob(pattern) if file.is_file())


def _node_tools() -> tuple[str, str]:
    """Find npm and npx, beside a Node that is new enough."""
    # On Windows `which` finds npm.cmd through PATHEXT.
    node, npm, npx = (shutil.which(name) for name in ("node", "npm", "npx"))
    if node is None or npm is None or npx is None:
        raise _NotBuilt("Node and npm are not on the PATH")
    asked = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    said = asked.stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < _NODE_AT_LEAST:
        wanted = ".".join(map(str, _NODE_AT_LEAST))
        raise _NotBuilt(f"Node {said.strip() or '(unknown version)'} is older than {wanted}")
    return npm, npx


def _run(command: list[str], folder: Path, deadline: float) -> None:
    """Run a command in `folder`; on time-out end everything it started."""
    name = " ".join([Path(command[0]).stem, *command[1:3]])
    # A file, not a pipe: a grandchild that survives would keep a pipe, and so the build, open.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603  (the commands are above, none of them comes from outside)
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",
        )
        try:
            code = process.wait(max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _end(process)
            raise _NotBuilt(f"`{name}` took longer than {_SECONDS} seconds") from None
        except BaseException:
            _end(process)
            raise
        if code != 0:
            output.seek(0)
            raise _NotBuilt(f"`{name}` failed ({_gist(output.read().decode(errors='replace'))})")


def _end(process: "subprocess.Popen[bytes]") -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _gist(output: str) -> str:
    """Pick the lines that say what went wrong."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    lines = [line.strip() for line in plain.splitlines() if line.strip()] or ["it said nothing"]
    first = next((number for number, line in enumerate(lines) if "error" in line.lower()), 0)
    return " ".join(lines[first : first + 2])[:200]


def _pack(assets: Path) -> None:
    """Put a gzipped sibling beside each file that shrinks."""
    for file in sorted(assets.iterdir()):
        if file.suffix not in _WORTH_PACKING:
            continue
        content = file.read_bytes()
        # No time stamp: the same sources make the same wheel.
        packed = gzip.compress(content, compresslevel=9, mtime=0)
        if len(packed) < len(content) * 0.9:
            file.with_name(f"{file.name}.gz").write_bytes(packed)
