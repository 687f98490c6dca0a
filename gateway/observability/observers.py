"""All who hear of what happens in one gateway: metrics and log always, the status page and traces where they are on."""

from typing import TYPE_CHECKING

from gateway.clever.client import CallSent
from gateway.observability.log import log_request
from gateway.observability.metrics import Metrics, RedisDone
from gateway.observability.recent import Recent
from gateway.web.middleware import RequestDone

if TYPE_CHECKING:
    from gateway.observability.spans import Tracing


class Observers:
    """Passes on what happens to all who want to hear of it; who they are is settled once."""

    def __init__(self, recent: Recent | None, tracing: "Tracing | None") -> None:
        self.metrics = Metrics()
        self._of_requests = [self.metrics.on_request, log_request, *([recent.on_request] if recent else [])]
        self._of_calls = [one.on_call for one in (self.metrics, recent, tracing) if one]
        self._of_redis = [one.on_redis for one in (self.metrics, recent) if one]

    def on_request(self, done: RequestDone) -> None:
        """Pass on that a request was answered."""
        for hear in self._of_requests:
            hear(done)

    def on_call(self, sent: CallSent) -> None:
        """Pass on that a call was sent to Clever."""
        for hear in self._of_calls:
            hear(sent)

    def on_redis(self, done: RedisDone) -> None:
        """Pass on that Redis was asked something."""
        for hear in self._of_redis:
            hear(done)
