"""Logs: what is logged is chosen field by field, and no token, name, query text or variable is among it.

structlog writes them (`shape.py`), but for the line of each request: as JSON it is written without, in two thirds of
the time.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

import msgspec
import structlog

from gateway.clever.client import CallSent
from gateway.clever.district_tokens import TokensRead
from gateway.observability.shape import Format, configure_structlog, formatter, is_json
from gateway.web.middleware import RequestDone
from gateway.web.signin import SignedIn

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("gateway")
_access = logging.getLogger("gateway.access")
_calls = logging.getLogger("gateway")
configure_structlog()


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, and the event's own fields; the quick way to the same shape."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return msgspec.json.encode(line).decode()


def configure_logging(level: str, stream: TextIO | None = None, form: Format = "auto") -> None:
    """Send the gateway's and the server's logs to `stream` (stderr)."""
    # None of this is in our lines, and looking it up is what a line costs most
    # (https://docs.python.org/3/howto/logging.html#optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    stream = stream or sys.stderr
    as_json = is_json(form, stream)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(as_json=as_json, colors=stream.isatty()))
    for name in ("gateway", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())
    _access.handlers = []
    _access.propagate = not as_json
    if as_json:
        direct = logging.StreamHandler(stream)
        direct.setFormatter(JsonLines())
        _access.handlers.append(direct)
    # httpx logs the URL of every call, ids included.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def log_request(done: RequestDone) -> None:
    """Write the access log's line for one request."""
    if not _access.isEnabledFor(logging.INFO):
        return
    fields = {
        "request_id": done.request_id,
        "method": done.method,
        "route": done.route,
        "status": done.status,
        "ms": round(done.seconds * 1000, 1),
        "upstream_calls": done.upstream_calls,
        "error_codes": done.error_codes,
    }
    if _access.propagate:
        _log.info("request", **fields)
    else:
        _access.info("request", extra={"fields": fields})


def log_call(sent: CallSent) -> None:
    """Write a line for one call to Clever, by the template of its path."""
    if not _calls.isEnabledFor(logging.DEBUG):
        return
    _log.debug(
        "upstream call",
        call=sent.template,
        status=sent.status,
        ms=round(sent.seconds * 1000, 1),
        bytes=sent.bytes,
        attempt=sent.attempt,
    )


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


def log_untrusted(sha256: str) -> None:
    """Write down that a document which is not in the manifest was run: its SHA-256, which tells nothing of its text."""
    _log.warning("untrusted document", sha256=sha256)


def log_tokens(read: TokensRead) -> None:
    """Write down that the tokens of districts could not be read, or what has changed: how many, and of none which."""
    if read.problem is not None:
        _log.warning("district tokens cannot be read", reason=read.problem, districts=read.districts)
    elif read.added or read.rotated or read.gone:
        _log.info("district tokens", districts=read.districts, added=read.added, rotated=read.rotated, gone=read.gone)


def log_problem(what: str, reason: str) -> None:
    """Write down that something cannot be read that is needed to know who asks."""
    _log.warning(f"{what} cannot be read", reason=reason)


def log_internal(error: Exception) -> None:
    """Write down an unexpected error: its type and where it came from. Its message may hold data and is left out."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    places = [f"{frame.filename}:{frame.lineno}" for frame in frames]
    _log.error("internal error", type=type(error).__qualname__, at=places)
