"""The commands that go on until they are told to stop: how they start, what they say, and how they end."""

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from gateway import __version__
from tests.cli.conftest import Invoke
from tests.cli.processes import Running, run, started
from tests.conftest import Upstream

DEMO = ("demo", "--preset", "tiny", "--port", "0", "--sandbox-port", "0")
GATEWAY = r"GraphQL +(http://\S+)/graphql\b"
SANDBOX = r"Clever +(http://\S+)/v3\.1\b"


@pytest.fixture
def taken() -> Iterator[str]:
    """A port on which something else listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield str(other.getsockname()[1])


@pytest.fixture(scope="module")
def demo() -> Iterator[Running]:
    """A demo that answers."""
    with started(*DEMO) as demo:
        demo.until("Stop +(Ctrl-C)")
        yield demo


class TestTheCommandItself:
    def test_its_version_is_the_packages(self) -> None:
        done = run("--version")

        assert (done.returncode, done.stdout, done.stderr) == (0, f"clever-gateway {__version__}\n", "")

    def test_its_help_names_every_command_and_where_to_start(self, invoke: Invoke) -> None:
        said = invoke("--help")

        assert said.status == 0
        assert "clever-gateway demo" in said.out
        for command in ("demo", "serve", "sandbox", "schema", "query", "explain", "doctor"):
            assert re.search(rf"^  {command} ", said.out, re.MULTILINE)

    @pytest.mark.parametrize("command", ["demo", "serve", "sandbox", "schema", "query", "explain", "doctor"])
    def test_the_help_of_each_command_ends_in_an_example(self, invoke: Invoke, command: str) -> None:
        said = invoke(command, "-h")

        assert said.status == 0
        assert f"Example: clever-gateway {command}" in said.out

    @pytest.mark.parametrize(
        "wrong",
        [
            (),
            ("nothing",),
            ("demo", "--nothing"),
            ("demo", "--preset", "huge"),
            ("demo", "--port", "65536"),
            ("demo", "--sandbox-port", "-1"),
            ("sandbox", "--port", "65536"),
            ("sandbox", "--rate-limit", "0"),
            ("query",),
            ("explain",),
            ("doctor", "--seconds", "-1"),
            ("schema", "--check", "--write"),
        ],
        ids=" ".join,
    )
    def test_a_wrong_call_ends_with_2(self, invoke: Invoke, wrong: tuple[str, ...]) -> None:
        assert invoke(*wrong).status == 2

    def test_ctrl_c_while_it_is_still_loading_is_no_traceback(self) -> None:
        # Loading begins with the import of the commands: the first of them to be found interrupts.
        code = (
            "import builtins, sys; real = builtins.__import__\n"
            "def stop(name, *rest):\n"
            "    if name == 'gateway.cli.commands': raise KeyboardInterrupt\n"
            "    return real(name, *rest)\n"
            "builtins.__import__ = stop\n"
            "from gateway.cli import main; main()\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

        assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


class TestDemo:
    def test_it_says_what_is_where(self, demo: Running) -> None:
        gateway = demo.until(GATEWAY)

        assert demo.until("GraphiQL +(.*)") == f"{gateway}/graphiql"
        assert demo.until("Token +(.*)").startswith("TEST_TOKEN (")
        assert demo.until(SANDBOX) != gateway
        assert demo.err == ""

    def test_a_query_is_answered_with_the_token_it_names(self, demo: Running) -> None:
        token = demo.until(r"Token +(\w+)")
        query = {"query": "{ district { name schools { nodes { name } } } }"}
        headers = {"authorization": f"Bearer {token}"}
        answer = httpx.post(f"{demo.until(GATEWAY)}/graphql", json=query, headers=headers).json()

        assert answer["data"]["district"]["schools"]["nodes"]

    def test_graphiql_is_served_with_the_token_filled_in(self, demo: Running) -> None:
        page = httpx.get(f"{demo.until(GATEWAY)}/", headers={"accept": "text/html"}, follow_redirects=True)

        assert page.url.path == "/graphiql"
        assert '<meta name="demo-token" content="TEST_TOKEN">' in page.text

    def test_what_a_query_took_is_explained(self, demo: Running, invoke: Invoke) -> None:
        said = invoke(
            "explain", "{ district { name } }", "--token", "TEST_TOKEN", "--url", f"{demo.until(GATEWAY)}/graphql"
        )

        assert (said.status, said.err) == (0, "")
        assert "districts" in said.out

    @pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
    def test_the_line_to_try_works_as_it_is_printed(self, demo: Running) -> None:
        line = shlex.split(demo.until("Try +(curl .*)"))
        done = subprocess.run([*line, "-s", "--noproxy", "*"], capture_output=True, timeout=30, check=True)

        assert json.loads(done.stdout)["data"]["district"]["schools"]["nodes"]

    def test_it_answers_to_the_names_of_this_machine_alone(self, demo: Running) -> None:
        gateway = demo.until(GATEWAY)
        port = gateway.rpartition(":")[2]
        hosts = {f"localhost:{port}": 200, f"[::1]:{port}": 200, "rebound.example": 421, f"rebound.example:{port}": 421}

        assert {host: httpx.get(f"{gateway}/graphiql", headers={"host": host}).status_code for host in hosts} == hosts

    def test_the_sandbox_is_clevers_api(self, demo: Running) -> None:
        answer = httpx.get(f"{demo.until(SANDBOX)}/v3.1/schools", headers={"authorization": "Bearer TEST_TOKEN"})

        assert answer.json()["data"]

    @pytest.mark.parametrize("option", ["--port", "--sandbox-port"])
    def test_a_taken_port_is_a_sentence(self, taken: str, option: str, invoke: Invoke) -> None:
        said = invoke(*DEMO, option, taken)

        assert (said.status, said.out) == (1, "")
        assert said.err == (
            f"clever-gateway: cannot listen on 127.0.0.1:{taken} (Address already in use). "
            f"Choose another port with {option}.\n"
        )


@pytest.mark.slow
class TestTheEndOfADemo:
    @pytest.mark.parametrize(("name", "expected"), [("SIGINT", 0), ("SIGKILL", -9)])
    def test_the_sandbox_goes_with_it(self, name: str, expected: int) -> None:
        with started(*DEMO) as demo:
            demo.until("Stop +(Ctrl-C)")
            asked = time.monotonic()
            demo.process.send_signal(signal.Signals[name])

            assert demo.end() == expected
            assert time.monotonic() - asked < 8
            assert demo.err == ""
            with pytest.raises(httpx.ConnectError):
                httpx.get(demo.until(SANDBOX))

    def test_it_ends_when_told_to_even_while_a_caller_never_finishes(self) -> None:
        with started(*DEMO) as demo:
            port = int(demo.until(GATEWAY).rsplit(":", 1)[1])
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
                caller.sendall(b"Content-Length: 100\r\n\r\n{")
                # The gateway has read this much once it answers another.
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                asked = time.monotonic()
                demo.process.terminate()

                assert demo.end() == 0
                assert time.monotonic() - asked < 8
            with pytest.raises(httpx.ConnectError):
                httpx.get(demo.until(SANDBOX))


class TestServe:
    def test_it_serves_what_its_settings_say_and_warns_of_those_it_does_not_know(self, upstream: Upstream) -> None:
        variables = {"GATEWAY_CLEVER_URL": upstream.origin, "GATEWAY_CLEVER_VERSION": "v3.0", "GATEWAY_GRAPHQIL": "on"}
        with started("serve", "--port", "0", "--graphiql", **variables) as serve:
            origin = serve.until(r"GraphQL at (\S+)/graphql, over")
            query = {"query": "{ district { name } }"}
            answer = httpx.post(f"{origin}/graphql", json=query, headers={"authorization": "Bearer TEST_TOKEN"})
            graphiql = httpx.get(f"{origin}/graphiql")
            serve.process.terminate()
            status = serve.end()

        assert answer.json()["data"]["district"]["name"]
        assert graphiql.status_code == 200
        assert f"over {upstream.origin}/v3.0" in serve.err
        assert "GATEWAY_GRAPHQIL is not a setting and is ignored; did you mean GATEWAY_GRAPHIQL?" in serve.err
        logged = [json.loads(line) for line in serve.err.splitlines() if line.startswith("{")]
        assert [line["route"] for line in logged if line["event"] == "request"] == ["/graphql", "/graphiql"]
        assert (status, serve.out) == (0, "")

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (("--port", "99999"), "GATEWAY_PORT (or its option) must be at most 65535."),
            (
                ("--clever-url", "api.clever.com/v3.1"),
                "GATEWAY_CLEVER_URL (or its option) must be an origin such as https://api.clever.com, without a path "
                "and without the version.",
            ),
            (("--clever-version", "v2"), "GATEWAY_CLEVER_VERSION (or its option) must be 'v3.0' or 'v3.1'."),
        ],
    )
    def test_a_wrong_setting_is_a_sentence(self, invoke: Invoke, options: tuple[str, ...], sentence: str) -> None:
        said = invoke("serve", *options)

        assert (said.status, said.out, said.err) == (2, "", f"clever-gateway: {sentence}\n")

    def test_wrong_variables_are_a_sentence_each(self, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEWAY_DEADLINE", "soon")
        monkeypatch.setenv("GATEWAY_TOKEN", "MARKéD")
        said = invoke("serve")

        assert said.status == 2
        assert [line.split(" ")[1] for line in said.err.splitlines()] == ["GATEWAY_DEADLINE", "GATEWAY_TOKEN"]
        assert "MARK" not in said.err

    def test_a_taken_port_is_a_sentence(self, taken: str, invoke: Invoke) -> None:
        said = invoke("serve", "--port", taken)

        assert said.status == 1
        assert said.err.endswith("(Address already in use). Choose another port with --port.\n")

    @pytest.mark.parametrize("host", ["192.0.2.1", "x" * 70 + ".invalid"])
    def test_an_address_that_is_not_ours_is_a_sentence(self, host: str, invoke: Invoke) -> None:
        said = invoke("serve", "--host", host, "--port", "0")

        assert said.status == 1
        assert said.err.startswith(f"clever-gateway: cannot listen on {host}:0 (")
        assert said.err.endswith("). Choose another address with --host.\n")


class TestSandbox:
    def test_it_serves_clevers_api_and_names_its_districts(self) -> None:
        with started("sandbox", "--preset", "tiny", "--port", "0", "--seed", "7", "--rate-limit", "3") as sandbox:
            origin = sandbox.until(r"simulated, at (\S+)/v3\.1 and /v3\.0 \(preset tiny, seed 7\)")
            sandbox.until("(Try: curl)")
            answers = [
                httpx.get(f"{origin}/v3.1/districts", headers={"authorization": "Bearer TEST_TOKEN"}) for _ in range(4)
            ]
            sandbox.process.send_signal(signal.SIGINT)

            assert sandbox.end() == 0
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert answers[0].json()["data"][0]["data"]["name"] in sandbox.out
            assert sandbox.out.count("TEST_TOKEN") >= 3
            assert sandbox.err == ""
