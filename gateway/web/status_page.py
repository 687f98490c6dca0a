"""`/status`: how things stand, for a person. Rendered here; a small script of its own keeps it up to date.

It names districts, operations and paths, never a token or a person of the roster. The password is its own: whoever
may look at this page may still read no data.
"""

import hmac
import secrets
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from typing import Literal

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

_FILES = Path(__file__).with_name("status")
_CHALLENGE = "The status page takes the password that GATEWAY_STATUS_PASSWORD holds.\n"
_SCALE = ("B", "kB", "MB", "GB", "TB")

State = Literal["starting", "ready", "draining"]


@dataclass(frozen=True, slots=True)
class District:
    """A district, or a token where that is all that is known, and the calls that its minute has left."""

    name: str
    id: str
    left: int
    calls: int


@dataclass(frozen=True, slots=True)
class Held:
    """What is kept of something, in bytes, and how many bytes it may be."""

    name: str
    entries: int
    bytes: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Use:
    """What is remembered of one kind of record, and how reads of it were answered."""

    kind: str
    entries: int
    bytes: int
    hits: int
    stale: int
    misses: int


@dataclass(frozen=True, slots=True)
class Operations:
    """An operation: how often it was run, how often an answer was given again, and the seconds that runs took."""

    name: str
    made: int
    kept: int
    median_s: float
    slow_s: float


@dataclass(frozen=True, slots=True)
class Fault:
    """A call to Clever that did not end well, at `at` on the wall clock."""

    at: float
    call: str
    what: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Redis:
    """Whether Redis can be asked; and of the last minute what was found and not found there, and what failed."""

    up: bool
    hits: int
    misses: int
    failures: int


@dataclass(frozen=True, slots=True)
class Status:
    """How things stand. `requests` and `calls` are those of each of the last seconds, `errors` of the minute."""

    version: str
    process: int
    state: State
    uptime_s: float
    at: float
    requests: Sequence[int]
    errors: int
    calls: Sequence[int]
    requests_waiting: int
    calls_running: int
    calls_waiting: int
    left_alone: bool
    districts: Sequence[District]
    memory: Held
    answers: Held
    kinds: Sequence[Use]
    slowest: Sequence[Operations]
    faults: Sequence[Fault]
    redis: Redis | None


def status_routes(password: str, status: Callable[[], Status], path: str = "/status") -> list[BaseRoute]:
    """Return the route of the status page, for whoever gives the password by HTTP Basic; the user's name is any."""
    page = Template((_FILES / "page.html").read_text(encoding="utf-8"))
    style, script = ((_FILES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    expected = sha256(password.encode()).digest()

    async def show(request: Request) -> Response:
        given = sha256(_password(request.headers.get("authorization", ""))).digest()
        if not hmac.compare_digest(given, expected):
            challenge = {"www-authenticate": 'Basic realm="status", charset="UTF-8"', "cache-control": "no-store"}
            return PlainTextResponse(_CHALLENGE, 401, challenge)
        if "main" in request.query_params:
            # What the script asks for.
            return HTMLResponse(render(status()), headers={"cache-control": "no-store"})
        nonce = secrets.token_urlsafe(16)
        headers = {
            "cache-control": "no-store",
            "content-security-policy": (
                f"default-src 'none'; img-src data:; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
                "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
        }
        content = page.substitute(nonce=nonce, style=style, script=script, main=render(status()))
        return HTMLResponse(content, headers=headers)

    return [Route(path, show)]


def _password(authorization: str) -> bytes:
    """Return the password of an Authorization header, empty where it has none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return b64decode(value.strip(), validate=True).partition(b":")[2]
    except (NotBase64, ValueError):
        return b""


def render(status: Status) -> str:
    """Return the page's main part."""
    state = "Clever is left alone" if status.left_alone else status.state
    tone = "bad" if status.left_alone else "good" if status.state == "ready" else "fair"
    return "".join(
        (
            f'<main data-state="{tone}"><header><h1>Clever GraphQL gateway</h1>',
            f'<p class="state {tone}">{escape(state)}</p>',
            f'<p class="quiet">version {escape(status.version)} · up {_lasted(status.uptime_s)} · '
            f"process {status.process} · {_time(status.at)} UTC</p>",
            "</header>",
            _tiles(status),
            '<div class="columns">',
            _section("Calls left of the minute", _district_rows(status.districts)),
            _section("Cache", _cache_rows(status)),
            _section("Slowest operations", _operation_rows(status.slowest), "wide operations"),
            _section("Recent upstream faults", _fault_rows(status.faults), "wide"),
            "</div></main>",
        )
    )


def _section(title: str, content: str, kind: str = "narrow") -> str:
    return f'<section class="{kind}"><h2>{title}</h2>{content}</section>'


def _tiles(status: Status) -> str:
    latest = status.requests[-10:]
    per_second = sum(latest) / max(1, len(latest))
    tiles = [
        (
            "Requests a second",
            f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.1f}",
            "over ten seconds",
            _spark(status.requests),
        ),
        ("Requests with errors", f"{status.errors:,}", f"of {sum(status.requests):,} in the last minute", ""),
        ("Calls to Clever", f"{sum(status.calls):,}", "in the last minute", _spark(status.calls)),
        (
            "Calls under way",
            f"{status.calls_running:,}",
            f"{status.calls_waiting:,} calls and {status.requests_waiting:,} requests wait",
            "",
        ),
    ]
    if status.redis is not None:
        found = status.redis.hits + status.redis.misses
        share = f"{status.redis.hits / found:.0%}" if found else "-"
        more = f"{status.redis.failures:,} failures" if status.redis.failures else "no failures"
        about = f"of {found:,} reads in the last minute; {more}"
        tiles.append(("Found in Redis", share if status.redis.up else "not there", about, ""))
    return (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{name}</dt><dd><strong>{value}</strong> <span>{about}</span>{drawing}</dd></div>"
            for name, value, about, drawing in tiles
        )
        + "</dl>"
    )


def _spark(counts: Sequence[int]) -> str:
    """Draw the counts of the last minute as a line; the numbers beside it say the same."""
    top, last = max([1, *counts]), max(1, len(counts) - 1)
    points = " ".join(f"{100 * index / last:.1f},{20 - 18 * count / top:.1f}" for index, count in enumerate(counts))
    return (
        f'<svg viewBox="0 0 100 21" preserveAspectRatio="none" aria-hidden="true"><polyline points="{points}"/></svg>'
    )


def _district_rows(districts: Sequence[District]) -> str:
    if not districts:
        return '<p class="quiet">No district has been read yet.</p>'
    rows = (
        f"<tr><th scope=row>{escape(one.name)}"
        + (f"<small>{escape(one.id)}</small>" if one.id and one.id != one.name else "")
        + f"</th><td class=bar>{_meter(one.left, one.calls, f'{one.left} of {one.calls} calls left', plain=False)}</td>"
        f"<td class=number>{one.left:,} <small>of {one.calls:,}</small></td></tr>"
        for one in districts
    )
    return _table(("District", "", "#Left"), rows)


def _cache_rows(status: Status) -> str:
    held = "".join(
        f"<tr><th scope=row>{name}</th><td class=bar>{_meter(one.bytes, one.capacity, words)}</td>"
        f"<td class=number>{_size(one.bytes)} <small>of {_size(one.capacity)}</small></td></tr>"
        for name, one in (("Records", status.memory), ("Answers", status.answers))
        for words in (f"{_size(one.bytes)} of {_size(one.capacity)} used",)
        if one.capacity
    )
    rows = (
        f"<tr><th scope=row>{escape(one.kind)}</th><td class=number>{one.entries:,}</td>"
        f"<td class=number>{_size(one.bytes)}</td>{_rate(one)}</tr>"
        for one in status.kinds
    )
    if not held:
        return '<p class="quiet">Nothing is kept: GATEWAY_CACHE is off.</p>'
    kinds = _table(("Kind", "#Entries", "#Memory", "#From memory"), rows) if status.kinds else ""
    return f"<table><tbody>{held}</tbody></table>{kinds}"


def _rate(one: Use) -> str:
    reads = one.hits + one.stale + one.misses
    if not reads:
        return "<td class=number>-</td>"
    stale = f"<small> · {one.stale / reads:.0%} stale</small>" if one.stale else ""
    return f"<td class=number>{(one.hits + one.stale) / reads:.0%} <small>of {reads:,}</small>{stale}</td>"


def _operation_rows(operations: Sequence[Operations]) -> str:
    if not operations:
        return '<p class="quiet">No operation has been run yet.</p>'
    top = max(one.slow_s for one in operations)
    rows = (
        f"<tr><th scope=row>{escape(one.name)}</th><td class=number>{_ms(one.median_s)}</td>"
        f"<td class=number>{_ms(one.slow_s)}</td>"
        f"<td class=bar>{_meter(one.slow_s, top, _ms(one.slow_s))}</td>"
        f"<td class=number>{one.made:,}</td><td class=number>{one.kept:,}</td></tr>"
        for one in operations
    )
    return _table(("Operation", "#Median", "#95%", "", "#Run", "#Given again"), rows)


def _fault_rows(faults: Sequence[Fault]) -> str:
    if not faults:
        return '<p class="quiet">None since the start.</p>'
    rows = (
        f"<tr><td>{_time(one.at)}</td><th scope=row><code>{escape(one.call)}</code></th><td>{escape(one.what)}</td>"
        f"<td class=number>{one.attempt}</td></tr>"
        for one in faults
    )
    return _table(("Time (UTC)", "Call", "What happened", "#Try"), rows)


def _table(names: Iterable[str], rows: Iterable[str]) -> str:
    """Return a table; a column whose name begins with `#` holds numbers."""
    head = "".join(_head(name) for name in names)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _head(name: str) -> str:
    kind = " class=number" if name.startswith("#") else ""
    return f"<th scope=col{kind}>{name.removeprefix('#')}</th>" if name else "<td class=bar></td>"


def _meter(value: float, most: float, words: str, *, plain: bool = True) -> str:
    """Draw a bar; `words` say the same to whoever does not see it. Unless `plain`, it is bad to have little left."""
    bounds = "" if plain else f" low={most * 0.05:g} high={most * 0.25:g} optimum={most:g}"
    return (
        f'<meter min=0 max={most or 1:g} value={value:g}{bounds} aria-label="{escape(words)}">{escape(words)}</meter>'
    )


def _size(count: float) -> str:
    for unit in _SCALE:
        if count < 1000 or unit == _SCALE[-1]:
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"


def _time(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f'<time datetime="{moment.isoformat(timespec="seconds")}">{moment:%H:%M:%S}</time>'


def _ms(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _lasted(seconds: float) -> str:
    minutes, _ = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    for most, words in (
        (days, f"{days} d {hours} h"),
        (hours, f"{hours} h {minutes} min"),
        (minutes, f"{minutes} min"),
    ):
        if most:
            return words
    return f"{int(seconds)} s"
