"""A sandbox that is told at its start to misbehave."""

import httpx
import pytest

from tests.cli.conftest import Invoke
from tests.cli.processes import started

HEADERS = {"authorization": "Bearer TEST_TOKEN"}


@pytest.mark.parametrize("command", ["sandbox", "demo"])
def test_a_fault_that_there_is_not_is_refused_with_those_that_there_are(invoke: Invoke, command: str) -> None:
    said = invoke(command, "--fault", "nonsense:rate=0.2")

    assert said.status == 2
    told = " ".join(said.err.replace("│", " ").split())
    assert "unknown fault 'nonsense'" in told
    assert "truncated-json" in told


@pytest.mark.slow
def test_the_command_resets_hangs_and_refuses_as_it_was_told() -> None:
    rules = ("500:path=/schools", "reset:path=/courses", "hang:path=/terms", "drip:path=/users,seconds=5")
    options = [option for rule in rules for option in ("--fault", rule)]
    with started("sandbox", "--preset", "tiny", "--port", "0", *options) as sandbox:
        origin = sandbox.until(r"simulated, at (\S+)/v3\.1")
        with httpx.Client(base_url=f"{origin}/v3.1", headers=HEADERS, timeout=0.5, trust_env=False) as client:
            assert client.get("/schools").status_code == 500
            with pytest.raises(httpx.ReadError, match="reset"):
                client.get("/courses")
            for path in ("/terms", "/users"):
                with pytest.raises(httpx.ReadTimeout):
                    client.get(path)
            assert client.get("/districts").status_code == 200
            in_force = client.get(f"{origin}/__sandbox/faults").json()["faults"]
            assert [rule["struck"] for rule in in_force] == [1, 1, 1, 1]
            client.post(f"{origin}/__sandbox/reset")
            assert client.get("/schools").status_code == 200
