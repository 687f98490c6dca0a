"""All who hear of what happens in one gateway: metrics and log always, the status page and traces where they are on."""

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from gateway.cache.redis.events import RedisDone
from gateway.clever.events import CallSent, Misread
from gateway.observability.audit import AuditLog
from gateway.observability.log import flush_log, log_call, log_misread, log_redis, log_request
from gateway.observability.metrics import Metrics
from gateway.observability.recent import Recent
from gateway.web.middleware import RequestDone

if TYPE_CHECKING:
    from gateway.observability.spans import Tracing


class Observers:
    """Passes on what happens to all who want to hear of it; who they are is settled once.

    An async context manager while the gateway runs: at its end what waits for more is sent.
    """

    def __init__(self, recent: Recent | None, tracing: "Tracing | None", audit: AuditLog | None = None) -> None:
        self.metrics = Metrics()
        self.recent = recent
        self._tracing = tracing
        self._audit = audit
        self._open = ExitStack()
        self._of_requests = [self.metrics.on_request, log_request]
        self._of_requests += [one.on_request for one in (recent, audit) if one]
        self._of_calls = [*[one.on_call for one in (self.metrics, recent, tracing) if one], log_call]
        self._of_misread = [*[one.on_misread for one in (self.metrics, recent) if one], log_misread]
        self._of_redis = [log_redis, *[one.on_redis for one in (self.metrics, recent) if one]]

    async def __aenter__(self) -> Self:
        if self._audit is not None:
            self._open.enter_context(self._audit.reopened_on_hangup())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._open.close()
        flush_log()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)

    def on_request(self, done: RequestDone) -> None:
        """Pass on that a request was answered."""
        for hear in self._of_requests:
            hear(done)

    def on_call(self, sent: CallSent) -> None:
        """Pass on that a call was sent to Clever."""
        for hear in self._of_calls:
            hear(sent)

    def on_misread(self, misread: Misread) -> None:
        """Pass on that an answer of Clever's was of no use."""
        for hear in self._of_misread:
            hear(misread)

    def on_redis(self, done: RedisDone) -> None:
        """Pass on that Redis was asked something."""
        for hear in self._of_redis:
            hear(done)
