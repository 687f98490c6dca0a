"""A scripted upstream: Clever's envelopes over one school's roster, which misbehaves where a test tells it to.

A script is a list of faults for a path, consumed call by call; then the path answers as it should. A fault turns the
sound reply into the one that is sent.
"""

import asyncio
import gzip
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from tests.resilience.roster import LINKS, Record, roster
from tests.servers import running

HTML = b"<!DOCTYPE html>\n<html><body><pre>Cannot GET that</pre></body></html>"
JSON = "application/json; charset=utf-8"
ANY = "*"


@dataclass(frozen=True)
class Reply:
    """What is sent: after `after_s` seconds, and with `cut` only the first bytes before the connection is closed."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("content-type", JSON),)
    after_s: float = 0.0
    cut: bool = False


Fault = Callable[[Reply], Reply]


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer with a status; header names are written with `_` for `-`."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _sound: Reply(code, body, named)


def says(value: Any) -> Fault:
    """Answer 200 with a JSON value."""
    return lambda _sound: Reply(200, msgspec.json.encode(value))


def sends(body: bytes) -> Fault:
    """Answer 200 with these bytes."""
    return lambda _sound: Reply(200, body)


def html(code: int) -> Fault:
    """Answer with a page for people."""
    return status(code, HTML, content_type="text/html; charset=utf-8")


def edited(change: Callable[[Any], Any]) -> Fault:
    """Answer with the sound body after `change`, which edits it in place or returns another."""

    def fault(sound: Reply) -> Reply:
        body = msgspec.json.decode(sound.body)
        changed = change(body)
        return replace(sound, body=msgspec.json.encode(body if changed is None else changed))

    return fault


def sound(reply: Reply) -> Reply:
    """Answer as one should."""
    return reply


def truncated(reply: Reply) -> Reply:
    """Answer with half of the JSON."""
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def hung_up(reply: Reply) -> Reply:
    """Close the connection within the body."""
    return replace(reply, cut=True)


def gzipped(reply: Reply) -> Reply:
    """Answer with a compressed body."""
    headers = (*reply.headers, ("content-encoding", "gzip"))
    return replace(reply, body=gzip.compress(reply.body), headers=headers)


def half_gzipped(reply: Reply) -> Reply:
    """Answer with the first half of a compressed body."""
    return truncated(gzipped(reply))


def not_gzipped(reply: Reply) -> Reply:
    """Announce a compressed body and send a plain one."""
    return replace(reply, headers=(*reply.headers, ("content-encoding", "gzip")))


def slow(seconds: float) -> Fault:
    """Give the sound answer late."""
    return lambda reply: replace(reply, after_s=seconds)


def elsewhere(reply: Reply) -> Reply:
    """Redirect to another host."""
    return Reply(302, b"", (("location", "http://127.0.0.1:9/v3.1/users"),))


@dataclass(frozen=True)
class Asked:
    """A call that came in; `target` is path and query without the version."""

    method: str
    version: str
    target: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for key, value in self.headers if key == name]


class Faulty:
    """The upstream as an ASGI application; `reset` between tests."""

    def __init__(self) -> None:
        self.origin = ""
        self.reset()

    def reset(self) -> None:
        """Forget scripts, calls and changes to the records."""
        self.records = roster()
        self.asked: list[Asked] = []
        # Calls whose caller hung up before they were answered, by path and query.
        self.left: list[str] = []
        self._scripts: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}

    def on(self, path: str, *faults: Fault) -> None:
        """Add faults for the next calls of a path, or of `ANY`."""
        self._scripts[path].extend(faults)

    def always(self, path: str, fault: Fault) -> None:
        """Let a path, or `ANY`, misbehave from now on."""
        self._always[path] = fault

    @property
    def targets(self) -> list[str]:
        """Return the calls so far by path and query."""
        return [asked.target for asked in self.asked]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call, or answer the server's lifespan messages."""
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        query = scope["query_string"].decode()
        raw_path = scope["raw_path"].decode()
        version, _, path = raw_path.removeprefix("/").partition("/")
        headers = tuple((name.decode(), value.decode()) for name, value in scope["headers"])
        target = f"/{path}?{query}" if query else f"/{path}"
        self.asked.append(Asked(scope["method"], version, target, headers))
        if not await _send(self._fault(f"/{path}")(self._sound(raw_path, query)), receive, send):
            self.left.append(target)

    def _fault(self, path: str) -> Fault:
        for key in (path, ANY):
            if self._scripts[key]:
                return self._scripts[key].popleft()
        return self._always.get(path) or self._always.get(ANY) or sound

    def _sound(self, raw_path: str, query: str) -> Reply:
        _, _version, collection, *rest = raw_path.split("/")
        records = self.records.get(collection)
        if records is None or len(rest) > 2:
            return html(404)(Reply())
        if not rest:
            return _json(_listing(raw_path, query, list(records.values()), counts=True))
        owner = records.get(rest[0])
        if owner is None:
            return Reply(404, b'{"error":"Resource not found"}')
        if len(rest) == 1:
            return _json({"data": owner, "links": [{"rel": "self", "uri": raw_path}]})
        target, belongs = LINKS.get((collection, rest[1]), (collection, lambda _owner, _record: False))
        return _json(_listing(raw_path, query, [r for r in self.records[target].values() if belongs(owner, r)]))


def listing(path: str, records: list[Any], **links: str) -> Any:
    """Wrap records as a page of `path`; `links` are cursors by rel, or whole URIs where they hold a slash."""
    parameter = {"next": "starting_after", "prev": "ending_before"}
    uris = {
        rel: value if "/" in value else f"{path}?{parameter[rel]}={value}"
        for rel, value in {"self": path, **links}.items()
    }
    return {
        "data": [{"data": record, "uri": path} for record in records],
        "links": [{"rel": rel, "uri": uri} for rel, uri in uris.items()],
    }


def _listing(path: str, query: str, records: list[Record], counts: bool = False) -> Any:
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    found = sorted((r for r in records if "role" not in asked or asked["role"] in r["roles"]), key=lambda r: r["id"])
    if counts and asked.get("count") == "true":
        return {"count": len(found), "links": []}
    limit, before, after = int(asked.get("limit", 100)), asked.get("ending_before"), asked.get("starting_after")
    links: dict[str, str] = {}
    if before:
        left = [r for r in found if before == "last" or r["id"] < before]
        page = left[-limit:]
        links |= {"prev": page[0]["id"]} if len(left) > limit else {}
    else:
        left = [r for r in found if after is None or r["id"] > after]
        page = left[:limit]
        links |= {"next": page[-1]["id"]} if len(left) > limit else {}
    return listing(path, page, **links)


def _json(value: Any) -> Reply:
    return Reply(200, msgspec.json.encode(value))


async def _send(reply: Reply, receive: Receive, send: Send) -> bool:
    """Send a reply; return whether the caller was there for it."""
    if reply.after_s:
        await receive()  # the request's own end; what comes next is that the caller hangs up
        with suppress(TimeoutError):
            await asyncio.wait_for(receive(), reply.after_s)
            return False
    headers = [(name.encode(), value.encode()) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.cut:
        # Returning before the end of the body makes the server close the connection.
        await send({"type": "http.response.body", "body": reply.body[:10], "more_body": True})
    else:
        await send({"type": "http.response.body", "body": reply.body})
    return True


@contextmanager
def faulty_upstream() -> Iterator[Faulty]:
    """Serve a scripted upstream."""
    app = Faulty()
    with running(app) as app.origin:
        yield app
