from __future__ import annotations

import errno
import socket
import time
from typing import Any, NamedTuple, Optional, Tuple

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


class _Listener(NamedTuple):
    listener: socket.socket
    origin: Origin
    #: Of its connections; None: each has its own.
    address: Optional[Tuple[Any, ...]]


class Acceptor:
    """Accepts connections from listeners, unless there are too many of them, or others should have their turn."""

    def __init__(self, poller: Poller, connections: Connections):
        self._poller = poller
        self._connections = connections
        self._listeners: dict[int, _Listener] = {}
        #: By the monotonic clock; None: it accepts.
        self._resumes_at: Optional[float] = None
        #: Those that it does not accept from meanwhile.
        self._paused: set[int] = set()
        #: Among the processes that accept from the same listener, which is no trusted one.
        self.balance: Optional[Balance] = None
        self._is_ahead = False

    def listen(self, listener: socket.socket, origin: Origin) -> None:
        self._listeners[listener.fileno()] = _Listener(listener, origin, _prepare(listener))
        self._poller.watch(listener.fileno())

    def is_listening(self, descriptor: int) -> bool:
        return descriptor in self._listeners

    def pause(self) -> Optional[float]:
        """Seconds until it goes on; None, if it does not pause."""
        return None if self._resumes_at is None else max(self._resumes_at - time.monotonic(), 0)

    def accept(self, descriptor: int) -> None:
        """To be called when a listener is readable."""
        one = self._listeners[descriptor]
        is_shared = self.balance is not None and not one.origin.is_trusted
        for _ in range(_AT_ONCE):
            if is_shared and self.balance and self.balance.is_ahead(len(self._connections.all)):
                self._is_ahead = True
                return
            if not self._accept_one(one):
                return

    def look(self) -> None:
        """To be called now and then: tells how many there are, and goes on when a pause is over."""
        if self.balance:
            self.balance.tell(len(self._connections.all))
        if self._is_ahead:
            self._is_ahead = False
            # Who has something to answer lets the others accept meanwhile, and may not be ahead afterwards.
            if not self._connections.ready:
                self._pause(_YIELD, shared_only=True)
        if self._resumes_at is None or time.monotonic() < self._resumes_at:
            return
        self._resumes_at = None
        paused, self._paused = self._paused, set()
        for descriptor in paused & self._listeners.keys():
            self._poller.watch(descriptor)
            if self.balance:
                # The others have had their turn.
                self._accept_one(self._listeners[descriptor])

    def stop(self, *, handed_over_only: bool = False) -> None:
        """Closes listeners. Who has been let in by the system already is accepted still."""
        if self.balance:
            self.balance.leave()
            self.balance = None
        for one in list(self._listeners.values()):
            listener, origin, _ = one
            if handed_over_only and not origin.is_handed_over:
                continue
            for _ in range(BACKLOG):
                if not self._accept_one(one):
                    break
            del self._listeners[listener.fileno()]
            self._poller.remove(listener.fileno())
            listener.close()
            origin.is_ending = not handed_over_only

    def _accept_one(self, one: _Listener) -> bool:
        """:returns: whether there may be more"""
        try:
            sock, peer = one.listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                # It is still ready: without a pause we would ask again and again.
                self._pause(_RECOVERY)
            return False
        self._connections.open(sock, one.origin, b"", (one.address, peer or None))
        if len(self._connections.all) >= MAX_CONNECTIONS:
            self._pause(_RECOVERY)
            return False
        return True

    def _pause(self, seconds: float, *, shared_only: bool = False) -> None:
        self._resumes_at = time.monotonic() + seconds
        for descriptor, one in self._listeners.items():
            if not (shared_only and one.origin.is_trusted):
                self._poller.remove(descriptor)
                self._paused.add(descriptor)


def _prepare(listener: socket.socket) -> Optional[Tuple[Any, ...]]:
    """:returns: the address of its connections, unless it listens on all of the machine"""
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    # Its connections have it from there.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    address: Tuple[Any, ...] = listener.getsockname()
    return None if address[0] in ("0.0.0.0", "::") else address
