from __future__ import annotations

import socket
import time
from typing import Callable

from .connection import Connection
from .limits import LINGER_TIMEOUT, READ
from .poller import Poller


class Departure:
    """The ways in which a connection leaves the process."""

    def __init__(self, poller: Poller, connections: dict[int, Connection]):
        """:param connections: by descriptor; who leaves is taken out"""
        self._poller = poller
        self._connections = connections
        #: Takes a connection, and what was read of it, that was handed over.
        self.take_back: Callable[[socket.socket, bytes], None] = lambda sock, data: sock.close()
        #: Told of a connection that has ended here.
        self.on_closed: Callable[[socket.socket], None] = lambda sock: None

    def close(self, connection: Connection) -> None:
        if self._connections.pop(connection.descriptor, None) is not None:
            self._poller.remove(connection.descriptor)
            connection.socket.close()
            self.on_closed(connection.socket)

    def hand_back(self, connection: Connection, data: bytes) -> None:
        """:param data: what was read of it, and nobody has answered"""
        del self._connections[connection.descriptor]
        self._poller.remove(connection.descriptor)
        self.take_back(connection.socket, data)

    def end(self, connection: Connection) -> None:
        """
        Closes without the system throwing away, for bytes that nobody has read, what the client has not read yet
        (RFC 9112 §9.6).
        """
        if connection.is_ended or (not connection.buffer and not connection.has_input and connection.body is None):
            self.close(connection)
            return
        connection.state = "lingering"
        connection.deadline = time.monotonic() + LINGER_TIMEOUT
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close(connection)
            return
        self.linger(connection)

    def linger(self, connection: Connection) -> None:
        """Throws away what comes, until the client has ended it too."""
        try:
            while connection.socket.recv(READ):
                pass
        except BlockingIOError:
            self._poller.rearm(connection.descriptor, False)
            return
        except OSError:
            pass
        self.close(connection)
