"""A sandbox whose token listing is counted, and answers as a test tells it to."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import httpx

from gateway.sandbox import SandboxApp
from gateway.sandbox import create_app as create_sandbox
from gateway.sandbox.world import World
from tests.servers import running

CLIENT = {"clever_client_id": "sandbox-client", "clever_client_secret": "sandbox-secret"}


@lru_cache
def _worlds(districts: int) -> list[World]:
    """Return generated districts: which tokens they have is all that tests change."""
    return list(create_sandbox("tiny", districts=districts, rate_limit=None)._worlds.values())


class Listing:
    """The sandbox, and in front of it what counts readings of the listing; `replies` stand in for its answers."""

    def __init__(self, districts: int = 2) -> None:
        self.sandbox = SandboxApp(_worlds(districts), None, time.time)
        self.read = 0
        self.replies: list[tuple[int, bytes]] = []
        self.always: tuple[int, bytes] | None = None
        self.origin = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer from `replies`, then with `always` where it is set, then as the sandbox does."""
        if scope["type"] == "http" and scope["path"] == "/oauth/tokens":
            self.read += 1
            reply = self.replies.pop(0) if self.replies else self.always
            if reply is not None:
                headers = [(b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": reply[0], "headers": headers})
                await send({"type": "http.response.body", "body": reply[1]})
                return
        await self.sandbox(scope, receive, send)

    @property
    def districts(self) -> list[str]:
        """Return the ids of all districts, in the order of their tokens."""
        return [info.id for info in self.sandbox.describe()]

    def change(self, action: str, district: str, **more: str) -> Any:
        """Rotate a district's token, or disconnect or connect it."""
        url = f"{self.origin}/__sandbox/{action}"
        response = httpx.post(url, params={"district": district, **more})
        response.raise_for_status()
        return response.json()

    def calls(self) -> dict[str, int]:
        """Return the calls to the Data API since the last time."""
        counted: dict[str, int] = httpx.get(f"{self.origin}/__sandbox/stats").json()["calls"]
        httpx.post(f"{self.origin}/__sandbox/reset").raise_for_status()
        return counted


@contextmanager
def listing(districts: int = 2) -> Iterator[Listing]:
    """Serve one."""
    served = Listing(districts)
    with running(served) as origin:
        served.origin = origin
        yield served


def page(*rows: dict[str, Any], onward: str | None = None) -> tuple[int, bytes]:
    """Return a page of the listing as a reply."""
    links = [{"rel": "next", "uri": onward}] if onward else []
    return 200, json.dumps({"data": rows, "links": links}).encode()


def row(district: str, token: str, created: str = "2024-01-01T00:00:00.000Z", kind: str = "district") -> dict[str, Any]:
    """Return a row of the listing."""
    return {"id": "x", "created": created, "owner": {"type": kind, "id": district}, "access_token": token}
