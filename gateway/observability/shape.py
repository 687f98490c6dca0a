"""How lines of the log are written: as JSON objects, or for people at a terminal, by structlog."""

import logging
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

from gateway.web.facts import current_request_id

Format = Literal["auto", "json", "pretty"]


def is_json(given: Format, stream: TextIO) -> bool:
    """Say whether lines for a stream are JSON: as was said, else everywhere but at a terminal."""
    return given == "json" or (given == "auto" and not stream.isatty())


def formatter(*, as_json: bool, colors: bool = False) -> logging.Formatter:
    """Return what writes records of ours, and of the server's, as lines. Tracebacks hold data and are left out."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        _add_time,
        _add_request_id,
    ]
    renderer: Processor = _in_order if as_json else structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="time")
    return ProcessorFormatter(
        foreign_pre_chain=[*shared, _add_fields],
        processors=[ProcessorFormatter.remove_processors_meta, _without_traceback, renderer],
    )


def configure_structlog() -> None:
    """Have structlog's loggers hand their events to those of the standard library."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            _add_time,
            _add_request_id,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _add_time(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event["time"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _add_request_id(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Say which request a line is about, where it is about one."""
    if request_id := current_request_id.get():
        event.setdefault("request_id", request_id)
    return event


def _add_fields(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Add the fields that a record of the standard library brings under `extra`."""
    event.update(getattr(event["_record"], "fields", {}))
    return event


def _without_traceback(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event.pop("exc_info", None)
    event.pop("stack_info", None)
    return event


def _in_order(_logger: Any, _method: str, event: EventDict) -> str:
    """Write time, level and event first, then the event's own fields."""
    first = {name: event.pop(name) for name in ("time", "level", "event") if name in event}
    return msgspec.json.encode({**first, **event}, enc_hook=str).decode()
