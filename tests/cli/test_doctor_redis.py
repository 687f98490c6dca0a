"""`doctor` and Redis: whether it is reached, can be used and is set as suits a cache; its password is never told."""

import socket
from collections.abc import Callable, Iterator

import pytest

from tests.cli.conftest import Invoke, Said
from tests.cli.test_doctor import AMISS
from tests.conftest import TOKEN, Upstream
from tests.redis_server import KEY, RedisServer, redis_server

Ask = Callable[..., Said]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Run a Redis that wants a password and is set as the README says."""
    with redis_server(
        "--requirepass", "MARKED", "--maxmemory", "200000000", "--maxmemory-policy", "allkeys-lru"
    ) as server:
        yield server


@pytest.fixture
def ask(invoke: Invoke, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return a function that runs `doctor` with a Redis, where all is well with Clever."""

    def run(url: str, *arguments: str) -> Said:
        monkeypatch.setenv("GATEWAY_REDIS_URL", url)
        monkeypatch.setenv("GATEWAY_REDIS_KEY", KEY)
        said = invoke("doctor", "--clever-url", upstream.origin, "--token", TOKEN, *arguments)
        assert "MARKED" not in said.out + said.err
        return said

    return run


def about_redis(said: Said) -> list[str]:
    """Return the lines that follow those about Clever."""
    return said.out.splitlines()[8:]


def refusals(said: Said) -> list[str]:
    assert (said.status, said.err) == (1, AMISS)
    return [line for line in said.out.splitlines() if line.startswith("NOT OK")]


def test_one_that_is_set_as_it_should_be_is_fine(ask: Ask, server: RedisServer) -> None:
    with server.client(password="MARKED") as client:
        # What a trial that was refused halfway has left goes by itself a second later.
        client.flushall()
    said = ask(f"redis://:MARKED@127.0.0.1:{server.port}/0?client_name=MARKED")

    assert (said.status, said.err) == (0, "")
    answers, memory = about_redis(said)
    assert answers.endswith(f" answers at 127.0.0.1:{server.port}.")
    assert answers.startswith(("ok      Redis 7", "ok      Redis 8", "ok      Valkey "))
    assert memory == "ok      It may take 200 MB, and gives up what is used least (allkeys-lru)."
    with server.client(password="MARKED") as client:
        # What was tried has left nothing behind.
        assert client.dbsize() == 0


@pytest.mark.parametrize(
    ("most", "policy", "sentence"),
    [
        (
            "0",
            "noeviction",
            "It may take all memory that there is; set maxmemory, and maxmemory-policy to allkeys-lru.",
        ),
        (
            "3000000000",
            "noeviction",
            "It may take 3 GB and gives nothing up (noeviction): once it is full nothing more is shared; set maxmemory, "
            "and maxmemory-policy to allkeys-lru.",
        ),
        (
            "50000000",
            "volatile-ttl",
            "It may take 50 MB and does not give up first what is used least (volatile-ttl); set maxmemory-policy to "
            "allkeys-lru.",
        ),
    ],
    ids=["no bound", "noeviction", "volatile-ttl"],
)
def test_how_it_should_be_set_is_advice(ask: Ask, server: RedisServer, most: str, policy: str, sentence: str) -> None:
    with server.client(password="MARKED") as client:
        before = {**client.config_get("maxmemory"), **client.config_get("maxmemory-policy")}
        client.config_set("maxmemory", most)
        client.config_set("maxmemory-policy", policy)
        try:
            said = ask(f"redis://:MARKED@127.0.0.1:{server.port}")
        finally:
            for name, value in before.items():
                client.config_set(name, value)

    assert said.status == 0
    assert about_redis(said)[1:] == [f"advice  {sentence}"]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{port}", "redis://MARKED:MARKED@127.0.0.1:{port}"])
def test_a_password_that_it_does_not_take_is_told_apart(ask: Ask, server: RedisServer, url: str) -> None:
    [line] = refusals(ask(url.format(port=server.port)))

    assert line == (
        f"NOT OK  Redis is not reached at 127.0.0.1:{server.port}: it does not accept the user or the password of the "
        "URL, or wants one."
    )


def test_none_there_is_told(ask: Ask) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        [line] = refusals(ask(f"redis://:MARKED@127.0.0.1:{port}"))

    assert line == f"NOT OK  Redis is not reached at 127.0.0.1:{port}: the connection fails (Connection refused)."


def test_and_so_is_what_accepts_and_says_nothing(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        [line] = refusals(ask(f"rediss://:MARKED@127.0.0.1:{port}", "--seconds", "1"))

    assert line.startswith(f"NOT OK  Redis is not reached at 127.0.0.1:{port}: nothing answers in time")


def test_a_user_who_may_not_do_all_of_it_is_told(ask: Ask, server: RedisServer) -> None:
    with server.client(password="MARKED") as client:
        # Channels are not allowed unless that is said.
        client.execute_command("ACL", "SETUSER", "half", "on", ">MARKED", "~cgg:*", "+@all", "resetchannels")
        client.execute_command("ACL", "SETUSER", "whole", "on", ">MARKED", "~cgg:*", "+@all", "&cgg:*")
    [line] = refusals(ask(f"redis://half:MARKED@127.0.0.1:{server.port}"))

    assert "cannot be used: its user may not do all that the gateway does" in line
    assert ask(f"redis://whole:MARKED@127.0.0.1:{server.port}").status == 0


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--cluster-enabled", "yes"), "it is a node of a cluster"),
        (("--replicaof", "127.0.0.1 9"), "it is a replica, which takes no writes"),
        (("--maxmemory", "1"), "it is full and gives nothing up"),
        (("--rename-command", "UNLINK", ""), "it does not know all that the gateway asks"),
    ],
    ids=["cluster", "replica", "full", "without a command"],
)
def test_one_that_cannot_be_used_is_told(ask: Ask, options: tuple[str, ...], why: str) -> None:
    with redis_server(*options) as other:
        [line] = refusals(ask(other.url))

    assert f" cannot be used: {why}" in line


@pytest.mark.parametrize("more", ["?db=MARKED", "?MARKED=MARKED"], ids=["database", "option"])
def test_an_option_that_means_nothing_is_not_repeated(ask: Ask, server: RedisServer, more: str) -> None:
    [line] = refusals(ask(f"redis://:MARKED@127.0.0.1:{server.port}{more}"))

    assert "the URL" in line
    assert "GATEWAY_REDIS_URL" in line or "not reached" in line


def test_it_is_told_where_there_is_no_token_too(
    invoke: Invoke, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_REDIS_URL", f"redis://:MARKED@127.0.0.1:{server.port}")
    monkeypatch.setenv("GATEWAY_REDIS_KEY", KEY)
    said = invoke("doctor")

    assert said.status == 1
    assert [line.split()[0] for line in said.out.splitlines()] == ["NOT", "ok", "ok"]
