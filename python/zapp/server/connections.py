from __future__ import annotations

import time

from .connection import Connection
from .connection_cycle import ConnectionCycle
from .refusal import Refusal


class Connections(ConnectionCycle):
    """All connections of a process, and what is done to all of them. Used by the thread that holds the baton."""

    @property
    def holds_any(self) -> bool:
        """Of those that were handed over."""
        return any(connection.origin.is_handed_over for connection in self.all.values())

    def idle(self) -> float:
        """Seconds in which nothing ran on those that were handed over; 0 while something does."""
        for connection in self.all.values():
            if connection.origin.is_handed_over and connection.state != "head":
                return 0.0
        return time.monotonic() - self.last_end

    def ask_to_end(self, connection: Connection) -> None:
        """After its response, or when it is idle."""
        if self.gives_back and connection.origin.is_handed_over:
            return
        # A response that begins from now on says so. One that has begun without it does not end the connection: the
        # next request may be on its way.
        connection.origin.is_ending = True
        if connection.state == "head" and not connection.buffer:
            self.look_once_more(connection)

    def give_all_back(self) -> None:
        self.gives_back = True
        for connection in list(self.all.values()):
            if connection.origin.is_handed_over and connection.state == "head":
                self.departure.hand_back(connection, connection.buffer)

    def end_late(self, now: float) -> None:
        """Ends those that have taken too long."""
        for connection in list(self.all.values()):
            if now < connection.deadline or connection.state == "running":
                continue
            if connection.state == "ready":
                self._end_waiting(connection)
                continue
            if connection.state == "body" or (connection.state == "head" and connection.buffer):
                self.refuse(connection, Refusal(408, "The request did not arrive in time."))
            else:
                self.departure.close(connection)

    def _end_waiting(self, connection: Connection) -> None:
        """All threads are in the app, and may stay there."""
        if not self.request_time:
            return
        try:
            self.ready.remove(connection)
        except ValueError:
            # A thread has taken it just now.
            return
        self.refuse(connection, Refusal(504, "The app did not answer in time."))

    def cut(self) -> None:
        """Ends every connection, whatever it is doing."""
        for connection in list(self.all.values()):
            if connection.state in ("ready", "running"):
                connection.abort()
            else:
                self.departure.close(connection)
