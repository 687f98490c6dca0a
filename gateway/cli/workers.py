"""Several processes on one port. Each is a gateway of its own: nothing is shared but the listening socket."""

import multiprocessing
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors import Multiprocess

from gateway.cli.serving import configuration, drain_first
from gateway.cli.terminal import Failure

# A process that starts on a busy machine answers late, and must not be taken for one that hangs.
_LONGEST_SILENCE_S = 30


class _Workers(Multiprocess):
    """Starts the processes, replaces those that die, and stops them all together."""

    def __init__(self, config: Config, listener: socket.socket, on_started: Callable[[], None]) -> None:
        super().__init__(config, sockets=[listener])
        self._on_started = on_started
        self.started = False

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if not self.started and all(worker.is_ready(_LONGEST_SILENCE_S) for worker in self.processes):
            self.started = True
            self._on_started()

    def terminate_all(self) -> None:
        """Tell all to stop; whoever would connect from now on is refused, and not left waiting."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def handle_ttin(self) -> None:
        """Start no more: each has its share of the calls a minute, and there is none left."""

    def handle_ttou(self) -> None:
        """Stop none but all."""


def run_workers(
    make_app: Callable[[], Any],
    workers: int,
    listener: socket.socket,
    on_started: Callable[[], None],
    drain_s: float,
    drain_delay_s: float = 0,
) -> None:
    """Serve what `make_app` returns in each of so many processes, until told to stop by SIGINT or SIGTERM.

    It is called in each process and must be picklable. `on_started` is called when all of them serve. Requests under
    way at the end get `drain_s` seconds, and after SIGTERM more are taken for `drain_delay_s`. Raises Failure where a
    process cannot start.
    """
    config = configuration(
        partial(_in_worker, make_app, drain_delay_s),
        drain_s,
        factory=True,
        workers=workers,
        timeout_worker_healthcheck=_LONGEST_SILENCE_S,
    )
    supervisor = _Workers(config, listener, on_started)
    supervisor.run()
    if not supervisor.started and any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes):
        raise Failure("the server did not start; the lines above say why.")


def _in_worker(make_app: Callable[[], Any], drain_delay_s: float) -> Any:
    """Make the application of this process, which from now on ends when the one that started it is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    app = make_app()
    drain_first(app, drain_delay_s)
    return app


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        signal.raise_signal(signal.SIGTERM)
