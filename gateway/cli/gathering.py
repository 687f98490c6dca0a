"""Gathering: the answers of one turn of the event loop go out together, each in one piece.

uvicorn writes the head and the body of an answer one after the other, and the loop sends each at once: that is two
system calls an answer, and whoever reads it is woken twice. Where many are answered in one turn, a reader on the same
machine, as a proxy is, is woken again for each. For a small answer this is a quarter of what serving it takes.

What is written waits until the loop's next turn, but not behind the work of others that takes long.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

# The first of those that wait, waits no longer than this and the step of another request that is under way.
_LONGEST_S = 0.001
# What is larger goes out at once: it is not worth a copy, and whoever writes much has to be told to pause.
_LARGE = 64 * 1024


class Outbox:
    """What the connections of one event loop are about to send."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._clock = clock
        self._waiting: list[GatheringTransport] = []
        self._since = 0.0

    def add(self, transport: "GatheringTransport") -> None:
        """Send what a transport holds in the next turn, or now where others have waited for long."""
        self._waiting.append(transport)
        if len(self._waiting) == 1:
            self._since = self._clock()
            self._loop.call_soon(self.send)

    def hurry(self) -> None:
        """Send now if some have waited for long."""
        if self._clock() - self._since >= _LONGEST_S:
            self.send()

    def send(self) -> None:
        """Send all that waits."""
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            try:
                transport.send()
            except Exception as error:  # noqa: BLE001 - whatever it is, it costs this connection alone
                self._loop.call_exception_handler({"message": "an answer was not sent", "exception": error})


class GatheringTransport:
    """A transport that holds what is written for a moment; all else is the one's below."""

    __slots__ = ("_below", "_held", "_outbox")

    def __init__(self, below: asyncio.Transport, outbox: Outbox) -> None:
        self._below = below
        self._outbox = outbox
        self._held = b""

    def write(self, data: bytes) -> None:
        """Write bytes, soon."""
        held = self._held
        if len(held) + len(data) >= _LARGE:
            self._held = b""
            self._below.writelines((held, data) if held else (data,))
        elif held:
            self._held = held + data
            self._outbox.hurry()
        elif data:
            self._held = data
            self._outbox.add(self)

    def send(self) -> None:
        """Send what is held."""
        held, self._held = self._held, b""
        if held and not self._below.is_closing():
            self._below.write(held)

    def close(self) -> None:
        """Send what is held, and close the connection after it."""
        self.send()
        self._below.close()

    def is_closing(self) -> bool:
        """Say whether the connection is closed, or is being closed."""
        return self._below.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)


# Of each server that runs, by what its connections share.
_outboxes: WeakKeyDictionary[ServerState, Outbox] = WeakKeyDictionary()


class GatheringProtocol(HttpToolsProtocol):
    """uvicorn's protocol, on transports that gather."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to serve a connection."""
        outbox = _outboxes.get(self.server_state)
        if outbox is None:
            outbox = _outboxes[self.server_state] = Outbox(self.loop)
        gathering: Any = GatheringTransport(transport, outbox)
        super().connection_made(gathering)
