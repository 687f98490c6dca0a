"""A real Redis for tests: a process of its own on a free port that can be killed, restarted, paused and filled."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

LONGEST_S = 10.0
MISSING = "redis-server is not installed (Debian: apt-get install redis-server)"
KEY = "a-secret-of-32-characters-or-more"


class RedisServer:
    """A Redis that keeps nothing on disk; `restart` brings it back empty, at the same address."""

    def __init__(self, port: int, folder: str, options: tuple[str, ...]) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [*command, "--dir", self._folder, *self._options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + LONGEST_S
        while True:
            try:
                with self.client() as client:
                    client.ping()
            except redis.AuthenticationError:
                # It wants a password.
                return
            except redis.RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once, and all that it held."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again, empty."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Let it answer nothing, with connections as they are."""
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process
        os.kill(self._process.pid, signal.SIGCONT)

    def client(self, password: str | None = None) -> Any:
        """Return a client for looking at what it holds."""
        return redis.Redis(port=self.port, password=password, socket_timeout=2, protocol=2)

    def dump(self) -> dict[bytes, bytes]:
        """Return all keys, and what is under each, run together."""
        held: dict[bytes, bytes] = {}
        with self.client() as client:
            for key in client.scan_iter(count=1000):
                held[key] = b" ".join(_parts(client, key))
        return held


def _parts(client: Any, key: bytes) -> Iterator[bytes]:
    kind = client.type(key)
    if kind == b"string":
        yield client.get(key) or b""
    elif kind == b"hash":
        for pair in client.hgetall(key).items():
            yield from pair
    elif kind == b"zset":
        yield from client.zrange(key, 0, -1)
    elif kind != b"none":  # None where it was deleted or has expired since its name was read.
        raise AssertionError(f"a key of a kind that the gateway does not use: {kind!r}")


@contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    """Run a Redis; skip the test where there is none."""
    if shutil.which("redis-server") is None:
        pytest.skip(MISSING)
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(_free_port(), folder, options)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _free_port() -> int:
    """Return a free port: none that is so high that a node of a cluster finds no room for its bus 10,000 above."""
    while True:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        if port <= 55_535:
            return port
