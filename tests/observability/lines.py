"""The gateway's log, caught: each line decoded, and the raw text to look for what must not be in it."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.observability.log import configure_logging, flush_log
from gateway.observability.shape import Format


class Log:
    """What was logged so far."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """Return everything as it was written."""
        flush_log()
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return the lines, each of which must be a JSON object."""
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of one event."""
        return [line for line in self.lines if line["event"] == event]


@contextmanager
def logged(level: str = "info", form: Format = "auto") -> Iterator[Log]:
    """Catch the log as it would be written, and leave the loggers as they were."""
    loggers = [logging.getLogger(name) for name in ("gateway", "uvicorn.error", "httpx")]
    before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in loggers]
    log = Log()
    configure_logging(level, log.stream, form)
    try:
        yield log
    finally:
        flush_log()
        for logger, handlers, propagate, old_level in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(old_level)
