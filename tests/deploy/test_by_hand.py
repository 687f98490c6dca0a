"""What the Dockerfile says, done by hand where there is no Docker: its steps, its command, its health check."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.processes import Running
from tests.conftest import TOKEN, Upstream
from tests.deploy.dockerfile import stages
from tests.deploy.files import DEPLOY, ROOT

resource: Any = pytest.importorskip("resource")

NODE, BUILD, LAST = stages(DEPLOY / "Dockerfile")
SECONDS = 600
OFFLINE = re.compile("NewConnectionError|ConnectTimeout|name resolution|Network is unreachable|ProxyError")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(SECONDS + 60),
    pytest.mark.skipif(sys.platform != "linux", reason="the image is one for Linux"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="GraphiQL is built with Node"),
    pytest.mark.skipif(
        f"python:{sys.version_info.major}.{sys.version_info.minor}-" not in LAST.base,
        reason=f"the image has another Python: {LAST.base}",
    ),
]


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """Do the steps of the image's build; return where its /opt/gateway is."""
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        Path(folder).chmod(0o755)
        root, source = Path(folder, "gateway"), Path(folder, "src")
        for line in BUILD.all("COPY"):
            if not line.startswith("--from"):
                *names, target = line.split()
                for name in names:
                    _copy(ROOT / name, source / target / Path(name).name if target.endswith("/") else source / target)
        for line in BUILD.all("RUN"):
            # The others put Node in its place, which is there.
            if "/opt/gateway" in line:
                command = line.replace("/opt/gateway", str(root)).replace("python -m venv", f"{sys.executable} -m venv")
                done = subprocess.run(
                    command, shell=True, cwd=source, capture_output=True, text=True, timeout=SECONDS, check=False
                )
                if done.returncode and OFFLINE.search(done.stdout + done.stderr):
                    pytest.skip("the image's packages cannot be fetched: no network")
                assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        yield root


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        ignored = [
            line.rpartition("/")[2] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        ]
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*filter(None, (*ignored[2:], "__pycache__"))))
    else:
        shutil.copy(source, target)


def environment(image: Path, **more: str) -> dict[str, str]:
    """Return the variables that the image sets, and no others of this machine."""
    said = {name: value.replace("/opt/gateway", str(image)) for name, value in LAST.environment.items()}
    said["PATH"] = said["PATH"].replace("$PATH", os.environ["PATH"])
    return {**said, **more}


def test_it_serves_is_healthy_and_ends_when_it_is_told_to(image: Path, upstream: Upstream) -> None:
    variables = environment(
        image, GATEWAY_PORT="0", GATEWAY_HOST="127.0.0.1", GATEWAY_CLEVER_URL=upstream.origin, GATEWAY_GRAPHIQL="true"
    )
    entry, *rest = [*LAST.command("ENTRYPOINT"), *LAST.command("CMD")]
    process = subprocess.Popen(
        [str(image / "bin" / entry), *rest],
        cwd="/",
        env=variables,
        # As on a root that is not written to: a write to any file fails.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = Running(process)
    try:
        origin = running.until(r"GraphQL at (\S+)/graphql, over")
        check = LAST.command("HEALTHCHECK")
        port = {"GATEWAY_PORT": origin.rpartition(":")[2]}
        well = subprocess.run(check, env={**variables, **port}, timeout=20, check=False)
        ill = subprocess.run(check, env={**variables, "GATEWAY_PORT": "9"}, stderr=subprocess.DEVNULL, check=False)
        page = httpx.get(f"{origin}/graphiql")
        answer = httpx.post(
            f"{origin}/graphql", json={"query": "{ district { name } }"}, headers={"authorization": f"Bearer {TOKEN}"}
        )
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert running.end() == 0
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()

    assert time.monotonic() - began < 10
    assert (well.returncode, ill.returncode != 0) == (0, True)
    assert answer.json()["data"]["district"]["name"]
    assert page.status_code == 200
    assert "CDN" not in page.text


def test_it_carries_what_traces_take(image: Path) -> None:
    code = "import gateway.observability.spans as spans; spans.open_spans('otlp').close()"
    done = subprocess.run(
        [str(image / "bin/python"), "-c", code], cwd="/", env=environment(image), capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr
