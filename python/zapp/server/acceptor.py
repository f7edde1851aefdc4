from __future__ import annotations

import errno
import socket
import time
from typing import Optional

from .balance import Balance
from .connections import Connections
from .limits import MAX_CONNECTIONS
from .listener import BACKLOG, Origin
from .poller import Poller

#: Connections that are accepted before others are looked after again; few, so that they spread over processes.
_AT_ONCE = 4
#: Seconds until connections may have ended, where there are too many of them.
_RECOVERY = 0.5
#: Seconds in which other processes may accept first.
_YIELD = 0.003


class Acceptor:
    """Accepts connections from listeners, unless there are too many of them, or others should have their turn."""

    def __init__(self, poller: Poller, connections: Connections):
        self._poller = poller
        self._connections = connections
        self._listeners: dict[int, tuple[socket.socket, Origin]] = {}
        #: By the monotonic clock; None: it accepts.
        self._resumes_at: Optional[float] = None
        #: Among the processes that accept from the same listener.
        self.balance: Optional[Balance] = None

    def listen(self, listener: socket.socket, origin: Origin) -> None:
        self._listeners[listener.fileno()] = (listener, origin)
        self._poller.watch(listener.fileno())

    def is_listening(self, descriptor: int) -> bool:
        return descriptor in self._listeners

    def pause(self) -> Optional[float]:
        """Seconds until it goes on; None, if it does not pause."""
        return None if self._resumes_at is None else max(self._resumes_at - time.monotonic(), 0)

    def accept(self, descriptor: int) -> None:
        """To be called when a listener is readable."""
        listener, origin = self._listeners[descriptor]
        for _ in range(_AT_ONCE):
            if self.balance and self.balance.is_ahead(len(self._connections.all)):
                self._pause(_YIELD)
                return
            if not self._accept_one(listener, origin):
                return

    def look(self) -> None:
        """To be called now and then: tells how many there are, and goes on when a pause is over."""
        if self.balance:
            self.balance.tell(len(self._connections.all))
        if self._resumes_at is None or time.monotonic() < self._resumes_at:
            return
        self._resumes_at = None
        for listener, origin in list(self._listeners.values()):
            self._poller.watch(listener.fileno())
            if self.balance:
                # The others have had their turn.
                self._accept_one(listener, origin)

    def stop(self, *, handed_over_only: bool = False) -> None:
        """Closes listeners. Who has been let in by the system already is accepted still."""
        for listener, origin in list(self._listeners.values()):
            if handed_over_only and not origin.is_handed_over:
                continue
            for _ in range(BACKLOG):
                if not self._accept_one(listener, origin):
                    break
            del self._listeners[listener.fileno()]
            self._poller.remove(listener.fileno())
            listener.close()
            origin.is_ending = not handed_over_only

    def _accept_one(self, listener: socket.socket, origin: Origin) -> bool:
        """:returns: whether there may be more"""
        try:
            sock, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                # It is still ready: without a pause we would ask again and again.
                self._pause(_RECOVERY)
            return False
        self._connections.open(sock, origin, b"")
        if len(self._connections.all) >= MAX_CONNECTIONS:
            self._pause(_RECOVERY)
            return False
        return True

    def _pause(self, seconds: float) -> None:
        self._resumes_at = time.monotonic() + seconds
        for descriptor in self._listeners:
            self._poller.remove(descriptor)
