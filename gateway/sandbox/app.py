"""The sandbox as an ASGI application: who calls, how often they may, and which page answers.

Raw ASGI rather than a framework, so that the sandbox is never what a benchmark of its clients measures.
"""

import gc
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from . import oauth
from .answers import LIMITED, UNKNOWN_TOKEN, Answer, Headers, finished, json, no_route, refusal
from .api import Call, answer, read_call
from .connections import changed
from .faults import FaultError, Faults, Rule, read_rules
from .limits import Allowance, RateWindows, Stats
from .memo import PageMemo
from .misbehaviour import Fault, Reply, misbehave
from .presets import SIZES
from .signin import SignIn
from .tables import Record
from .tokens import Grant, Kind, bearer, grants, token_of
from .world import DistrictInfo, Progress, World, build

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_DISTRICTS = 100
# More than any form or JSON of OAuth needs, and any rules of faults.
_LARGEST_BODY = 16 * 1024


class SandboxApp:
    """Clever's Data API over generated districts, as an ASGI application."""

    def __init__(
        self,
        worlds: list[World],
        rate_limit: int | None,
        clock: Callable[[], float],
        redirect_uris: Sequence[str] = (),
    ) -> None:
        self._worlds = {token_of(index): world for index, world in enumerate(worlds)}
        self._grants = grants(worlds)
        self._disconnected: dict[str, Grant] = {}
        self._user_tokens = {token: one.user_id for token, one in self._grants.items() if one.kind is Kind.USER}
        self._sign_in = SignIn(worlds, self._grants, redirect_uris, clock)
        self._windows = None if rate_limit is None else RateWindows(rate_limit, clock)
        self._stats = Stats()
        self._memo = PageMemo()
        self._faults = Faults()

    @property
    def user_tokens(self) -> dict[str, str]:
        """User tokens of the first district's people that are there from the start, with their user ids."""
        return dict(self._user_tokens)

    def describe(self) -> list[DistrictInfo]:
        """Describe every district, in the order of their tokens."""
        return [world.info(token) for token, world in self._worlds.items()]

    def records(self, token: str) -> Mapping[str, Mapping[str, Record]]:
        """Return a district's shared records as v3.1 dicts, decoded anew: collection -> id -> record."""
        return {name: table.decoded() for name, table in self._worlds[token].tables.items()}

    def unshared(self, token: str) -> Mapping[str, Mapping[str, Record]]:
        """Return the records others refer to but the app may not see: collection -> id -> record."""
        return self._worlds[token].unshared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP call, or answer the server's lifespan messages."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            sent = await _body(receive) if scope["method"] == "POST" else b""
            status, headers, body = self.respond(scope, sent)
            if self._faults and (faults := self._struck(scope)):
                _, path, query = _asked(scope)
                await misbehave(Reply(f"{path}?{query}", status, headers, body), faults, receive, send)
                return
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        else:
            await send({"type": "websocket.close", "code": 1000})

    def misbehave(self, *rules: Rule) -> None:
        """Put rules of faults in place of those in force; none ends them all. Raises FaultError."""
        self._faults.set(rules)

    def respond(self, scope: Scope, sent: bytes = b"") -> tuple[int, Headers, bytes]:
        """Return status, headers and body for an HTTP scope and the body that was sent with it."""
        method, path, query = _asked(scope)
        asked: dict[bytes, bytes] = dict(scope["headers"])
        if path.startswith("/__sandbox/"):
            return finished(self._console(method, path, query, sent), None, {})
        if path.startswith("/oauth/"):
            page = self._sign_in.answer(path, query, method, asked, sent)
            return finished(page or oauth.answer(path, query, method, asked, self._grants), None, asked)
        allowance, reply = self._data(read_call(method, path, query), bearer(asked.get(b"authorization")))
        return finished(reply, allowance, asked)

    def _struck(self, scope: Scope) -> list[Fault]:
        template = read_call(*_asked(scope)).template
        return self._faults.strike(template) if template else []

    def _data(self, call: Call, token: str | None) -> tuple[Allowance | None, Answer]:
        template = call.template
        if template is not None:
            self._stats.calls[template] += 1
        grant = None if token is None else self._grants.get(token)
        if grant is None:
            stranger = UNKNOWN_TOKEN if template or call.identity else no_route(call.method, call.path)
            return (None if self._windows is None else self._windows.untouched()), stranger
        allowance = None if self._windows is None else self._windows.take(grant.token)
        if allowance is not None and not allowance.granted:
            self._stats.limited += 1
            return allowance, LIMITED
        if call.route is None:
            return allowance, answer(call, grant)
        key = (grant.token, call.path, call.query)
        return allowance, self._memo.get(key) or self._memo.keep(key, answer(call, grant))

    def _console(self, method: str, path: str, query: str, sent: bytes) -> Answer:
        match method, path:
            case "GET", "/__sandbox/stats":
                return json(200, {"calls": dict(sorted(self._stats.calls.items())), "limited": self._stats.limited})
            case "POST", "/__sandbox/reset":
                self._stats.forget()
                self._faults.set(())
                if self._windows is not None:
                    self._windows.forget()
                return json(200, {"reset": True})
            case "GET", "/__sandbox/districts":
                return json(200, {"districts": self.describe(), "user_tokens": self.user_tokens})
            case "GET", "/__sandbox/faults":
                return json(200, {"faults": self._faults.describe()})
            case "POST", "/__sandbox/faults":
                return self._take_rules(sent)
        action = path.removeprefix("/__sandbox/") if method == "POST" else ""
        return changed(action, query, self._grants, self._disconnected) or no_route(method, path)

    def _take_rules(self, body: bytes) -> Answer:
        try:
            self._faults.set(read_rules(body))
        except FaultError as error:
            return refusal(400, str(error))
        return json(200, {"faults": self._faults.describe()})


def _asked(scope: Scope) -> tuple[str, str, str]:
    return scope["method"], _raw_path(scope), scope["query_string"].decode("latin-1")


def _raw_path(scope: Scope) -> str:
    """Return the path as it was sent, below the place where the application is mounted."""
    raw = scope.get("raw_path")
    path: str = raw.decode("latin-1") if raw else quote(scope["path"])
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root else path


async def _body(receive: Receive) -> bytes:
    """Read what was sent, as far as anything here could need it."""
    body, more = b"", True
    while more:
        message = await receive()
        if len(body) <= _LARGEST_BODY:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    return body[:_LARGEST_BODY]


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Keep the garbage collector away: it would look through the growing roster again and again, and find nothing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
            gc.collect(1)  # what is left counts as old at once, not when the first page is asked for


def create_app(
    preset: str = "sandbox",
    seed: int = 1,
    *,
    districts: int = 3,
    rate_limit: int | None = 1200,
    redirect_uris: Sequence[str] = (),
    clock: Callable[[], float] = time.time,
    on_progress: Progress | None = None,
) -> SandboxApp:
    """Generate districts and return the application that serves them.

    The first district has the size of `preset`, all others are tiny. `rate_limit` is calls a minute and token,
    `None` for no limit. `redirect_uris` are where people who sign in may be sent, by default `/oauth/callback` on this
    machine. `on_progress` hears a sentence and a fraction of the whole, 0 to 1.
    """
    if preset not in SIZES:
        raise ValueError(f"unknown preset {preset!r}; there are: {', '.join(SIZES)}")
    if not 1 <= districts <= MAX_DISTRICTS:
        raise ValueError(f"districts must be from 1 to {MAX_DISTRICTS}")
    presets = [preset, *["tiny"] * (districts - 1)]
    whole = sum(SIZES[name].students for name in presets)
    worlds: list[World] = []
    done = 0
    with _garbage_kept():
        for index, name in enumerate(presets):
            share = SIZES[name].students / whole

            def progress(sentence: str, part: float, done: float = done / whole, share: float = share) -> None:
                if on_progress is not None:
                    on_progress(sentence, done + share * part)

            worlds.append(build(name, seed, index, progress))
            done += SIZES[name].students
    if on_progress is not None:
        on_progress("The sandbox is ready", 1.0)
    return SandboxApp(worlds, rate_limit, clock, redirect_uris)
