"""Logs as JSON lines. What is logged is chosen field by field: no token, name, query text or variable is among it."""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from gateway.cache.redis.events import RedisDone
from gateway.clever.client import CallSent
from gateway.web.facts import current_request_id
from gateway.web.middleware import RequestDone

_log = logging.getLogger("gateway")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, and the event's own fields."""

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


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send the gateway's and the server's logs to `stream` (stderr) as JSON lines."""
    # None of this is in our lines, and looking it up is what a line costs most
    # (https://docs.python.org/3/howto/logging.html#optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("gateway", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())
    # httpx logs the URL of every call, ids included.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def log_request(done: RequestDone) -> None:
    """Write the access log's line for one request."""
    fields = {
        "request_id": done.request_id,
        "method": done.method,
        "route": done.route,
        "status": done.status,
        "ms": round(done.seconds * 1000, 1),
        "upstream_calls": done.upstream_calls,
        "error_codes": done.error_codes,
    }
    _log.info("request", extra={"fields": fields})


def log_call(sent: CallSent) -> None:
    """Write a line for one call to Clever, by the template of its path."""
    fields = {
        "call": sent.template,
        "status": sent.status,
        "ms": round(sent.seconds * 1000, 1),
        "bytes": sent.bytes,
        "attempt": sent.attempt,
    }
    _log.debug("upstream call", extra={"fields": fields})


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
    _log.warning("untrusted document", extra={"fields": {"request_id": current_request_id.get(), "sha256": sha256}})


def log_internal(error: Exception) -> None:
    """Write down an unexpected error: its type and where it came from. Its message may hold data and is left out."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    fields = {
        "request_id": current_request_id.get(),
        "type": type(error).__qualname__,
        "at": [f"{frame.filename}:{frame.lineno}" for frame in frames],
    }
    _log.error("internal error", extra={"fields": fields})
