"""Logs: what is logged is chosen field by field, and no token, name, query text or variable is among it.

structlog writes them (`shape.py`), but for the line of each request: as JSON it is put together by hand, in a fraction
of the time.
"""

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TextIO

import msgspec
import structlog

from gateway.cache.redis.events import RedisDone
from gateway.clever.district_tokens import TokensRead
from gateway.clever.events import CallSent, Misread
from gateway.observability.shape import Format, configure_structlog, formatter, is_json
from gateway.web.middleware import RequestDone
from gateway.web.signin import SignedIn

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("gateway")
_logger = logging.getLogger("gateway")
configure_structlog()
# For so long a line of the access log waits for others: a write for each costs more than all the rest of it.
_TOGETHER_S = 0.01
_LINE = (
    '{"time":"%s","level":"info","event":"request","request_id":"%s","method":"%s","route":"%s","status":%d,"ms":%.1f,'
    '"upstream_calls":%d,"error_codes":%s}\n'
)


class Lines(logging.StreamHandler[TextIO]):
    """Writes lines to a stream: those of requests together, some milliseconds later, all others at once.

    Those that wait are written before any other, and when logging ends with the process. Only `as_json` do any wait.
    """

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        super().__init__(stream)
        self.as_json = as_json
        self._waiting: list[tuple[float, RequestDone]] = []
        self._due = 0.0

    def add(self, done: RequestDone) -> None:
        """Take a request, to be written down soon."""
        now = time.time()
        self._waiting.append((now, done))
        # What was due long since was to be written by a loop that has ended.
        if not 0 <= self._due - now <= _TOGETHER_S:
            try:
                asyncio.get_running_loop().call_later(_TOGETHER_S, self.write_waiting)
            except RuntimeError:
                self.write_waiting()
            else:
                self._due = now + _TOGETHER_S

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, behind the lines that wait."""
        self.write_waiting()
        super().emit(record)

    def write_waiting(self) -> None:
        """Write the lines that wait."""
        self.acquire()
        try:
            # Another thread may be adding.
            count = len(self._waiting)
            text = _request_lines(self._waiting[:count])
            del self._waiting[:count]
            if text:
                self.stream.write(text)
                self.stream.flush()
        except Exception:  # noqa: BLE001 - logging keeps failures of a stream to itself, as its own handlers do
            self.handleError(logging.makeLogRecord({"msg": "request"}))
        finally:
            self.release()

    def close(self) -> None:
        """Write what waits; called when the process ends."""
        self.write_waiting()
        super().close()


def configure_logging(level: str, stream: TextIO | None = None, form: Format = "auto") -> None:
    """Send the gateway's and the server's logs to `stream` (stderr)."""
    # None of this is in our lines, and looking it up is what a line costs most
    # (https://docs.python.org/3/howto/logging.html#optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    flush_log()
    stream = stream or sys.stderr
    as_json = is_json(form, stream)
    handler = Lines(stream, as_json=as_json)
    handler.setFormatter(formatter(as_json=as_json, colors=stream.isatty()))
    for name in ("gateway", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())
    # httpx logs the URL of every call, ids included.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def log_request(done: RequestDone) -> None:
    """Write the access log's line for one request."""
    if not _logger.isEnabledFor(logging.INFO):
        return
    if _logger.handlers and isinstance(handler := _logger.handlers[0], Lines) and handler.as_json:
        handler.add(done)
        return
    _log.info(
        "request",
        request_id=done.request_id,
        method=done.method,
        route=done.route,
        status=done.status,
        ms=round(done.seconds * 1000, 1),
        upstream_calls=done.upstream_calls,
        error_codes=done.error_codes,
    )


def flush_log() -> None:
    """Write the lines that wait for others."""
    for handler in _logger.handlers:
        if isinstance(handler, Lines):
            handler.write_waiting()


def _request_lines(done: Sequence[tuple[float, RequestDone]]) -> str:
    """Return the same as structlog would: nothing in it needs escaping, and it is written for every request."""
    lines = []
    latest, stamp = -1, ""
    for at, one in done:
        # Those that are written together came within a few milliseconds.
        if (millisecond := int(at * 1000)) != latest:
            latest, stamp = millisecond, _stamp(millisecond)
        codes = msgspec.json.encode(one.error_codes).decode() if one.error_codes else "[]"
        what = one.request_id, one.method, one.route, one.status, one.seconds * 1000, one.upstream_calls
        lines.append(_LINE % (stamp, *what, codes))
    return "".join(lines)


def _stamp(millisecond: int) -> str:
    second, rest = divmod(millisecond, 1000)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def log_call(sent: CallSent) -> None:
    """Write a line for one call to Clever, by the template of its path."""
    if not _logger.isEnabledFor(logging.DEBUG):
        return
    _log.debug(
        "upstream call",
        call=sent.template,
        status=sent.status,
        ms=round(sent.seconds * 1000, 1),
        bytes=sent.bytes,
        attempt=sent.attempt,
    )


def log_misread(misread: Misread) -> None:
    """Write a line for an answer of Clever's that was of no use."""
    if _logger.isEnabledFor(logging.DEBUG):
        _log.debug("upstream misread", call=misread.template, fault=misread.fault, attempt=misread.attempt)


def log_redis(done: RedisDone) -> None:
    """Write down that Redis is lost or there again; every other exchange at debug level."""
    if done.action == "link":
        level = logging.WARNING if done.outcome == "down" else logging.INFO
        _log.log(level, "redis", extra={"fields": {"state": done.outcome}})
    elif _log.isEnabledFor(logging.DEBUG):
        fields = {"action": done.action, "outcome": done.outcome, "ms": round(done.seconds * 1000, 1)}
        _log.debug("redis exchange", extra={"fields": {**fields, "bytes": done.bytes}})


def log_untrusted(sha256: str) -> None:
    """Write down that a document which is not in the manifest was run: its SHA-256, which tells nothing of its text."""
    _log.warning("untrusted document", sha256=sha256)


def log_internal(error: Exception) -> None:
    """Write down an unexpected error: its type and where it came from. Its message may hold data and is left out."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = [f"{frame.filename}:{frame.lineno}" for frame in frames]
    _log.error("internal error", type=type(error).__qualname__, at=places)


def log_sign_in(done: SignedIn) -> None:
    """Write down how a sign-in ended; the person by a pseudonym that changes with each process."""
    who = {"viewer": done.viewer.pseudonym} if done.viewer else {}
    level = logging.ERROR if done.outcome == "app_refused" else logging.INFO
    _log.log(level, "sign-in", outcome=done.outcome, **who)


def log_own_secret() -> None:
    """Warn that sessions are encrypted with a secret that nobody else has."""
    problem = "GATEWAY_SESSION_SECRET is not set: sessions end with this process, and no other process knows them"
    _log.warning("sessions of this process alone", problem=problem)


def log_no_sign_in() -> None:
    """Warn that nobody can sign in, as it is not known where browsers are."""
    problem = "GATEWAY_PUBLIC_URL is not set: Clever could not lead people back, so that there is no /login"
    _log.warning("no sign-in", problem=problem)


def log_tokens(read: TokensRead) -> None:
    """Write down that the tokens of districts could not be read, or what has changed: how many, and of none which."""
    if read.problem is not None:
        _log.warning("district tokens cannot be read", reason=read.problem, districts=read.districts)
    elif read.added or read.rotated or read.gone:
        _log.info("district tokens", districts=read.districts, added=read.added, rotated=read.rotated, gone=read.gone)


def log_problem(what: str, reason: str) -> None:
    """Write down that something cannot be read that is needed to know who asks."""
    _log.warning(f"{what} cannot be read", reason=reason)
