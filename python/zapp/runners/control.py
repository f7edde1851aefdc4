from __future__ import annotations

import socket
from typing import Any, Optional, Protocol

from ..server.channel import Channel
from ..server.child import RECYCLE_GRACE, STOP_GRACE
from ..server.worker import ORPHAN_GRACE


class Control(Protocol):
    """Who has started this process, and tells it when to end."""

    @property
    def descriptor(self) -> int:
        """Readable when something was said."""

    def ready(self) -> None: ...

    def retire(self) -> None:
        """The process has answered its number of requests."""

    def hear(self) -> Optional[float]:
        """Takes what was said. Seconds for running requests, where it was to end; else None."""


class NodeControl:
    """Node, by its channel."""

    def __init__(self, channel: Channel):
        self._channel = channel
        self._grace: Optional[float] = None
        channel.on_message = self._told
        channel.on_end = self._orphaned

    @property
    def descriptor(self) -> int:
        return self._channel.descriptor

    def ready(self) -> None:
        self._channel.say({"type": "ready"})

    def retire(self) -> None:
        self._channel.say({"type": "retire"})

    def hear(self) -> Optional[float]:
        self._channel.receive()
        return self._grace

    def _told(self, message: "dict[str, Any]", sock: Optional[socket.socket]) -> None:
        if message.get("type") == "drain":
            self._grace = message["graceMs"] / 1000
        elif message.get("type") == "end":
            self._grace = STOP_GRACE
        if sock is not None:
            # Connections are handed to this package's own server only; the front proxies to others.
            sock.close()

    def _orphaned(self) -> None:
        self._grace = ORPHAN_GRACE


class MasterControl:
    """The master of ``serve``: see :class:`zapp.server.prefork.Prefork`."""

    def __init__(self, master: socket.socket):
        self._master = master
        master.setblocking(False)

    @property
    def descriptor(self) -> int:
        return self._master.fileno()

    def ready(self) -> None:
        self._say(b"R")

    def retire(self) -> None:
        self._say(b"T")

    def hear(self) -> Optional[float]:
        try:
            return RECYCLE_GRACE if self._master.recv(1) == b"C" else STOP_GRACE
        except BlockingIOError:
            return None

    def _say(self, message: bytes) -> None:
        try:
            self._master.send(message)
        except OSError:
            pass
