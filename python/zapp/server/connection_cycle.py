from __future__ import annotations

import socket
import time
from collections import deque
from typing import Deque

from .connection import ClientGone, Connection
from .departure import Departure
from .limits import IDLE_DRAIN, MAX_DISCARD, STALL_TIMEOUT
from .listener import Ends, Origin
from .poller import ENDED, READ, WRITE, Poller
from .read_more import read_more
from .refusal import Refusal
from .respond import Responder
from .territory import Territory


class ConnectionCycle:
    """
    What becomes of a connection while no thread answers on it: see :class:`Connection` for the states. Used by the
    thread that holds the baton.
    """

    def __init__(self, poller: Poller, responder: Responder):
        self._poller = poller
        self._responder = responder
        #: By descriptor.
        self.all: dict[int, Connection] = {}
        #: Requests that have been read and wait for a thread.
        self.ready: Deque[Connection] = deque()
        #: Of what is handed over; what is not in it is handed back.
        self.territory = Territory()
        self.departure = Departure(poller, self.all)
        #: Connections that were handed over go back as soon as nothing runs on them.
        self.gives_back = False
        #: Seconds that a request may wait for a thread; 0: any number.
        self.request_time = 0.0
        #: Clients may come back once more before a connection that ends is closed.
        self.is_gentle = False
        #: When a request was answered last, by the monotonic clock.
        self.last_end = time.monotonic()

    def open(self, sock: socket.socket, origin: Origin, data: bytes, ends: Ends = (None, None)) -> None:
        """:param data: what others have read of it :param ends: its addresses, where they are known"""
        try:
            sock.setblocking(False)
            connection = Connection(sock, origin, data, ends)
        except OSError:
            # It has gone already.
            sock.close()
            self.departure.on_closed(sock)
            return
        self.all[connection.descriptor] = connection
        # Mostly the request is there already, and often all of it was read by others.
        connection.has_input = not data
        self._advance(connection)

    def event(self, connection: Connection, mask: int) -> None:
        if mask & ENDED:
            connection.has_end = True
        if mask & (READ | ENDED):
            connection.has_input = True
        state = connection.state
        if state == "head" or state == "body":
            if connection.has_input:
                self._advance(connection)
        elif state == "flushing":
            if mask & (WRITE | ENDED):
                self._flush(connection)
        elif state == "discarding":
            self._discard(connection)
        elif state == "lingering":
            self.departure.linger(connection)

    def _advance(self, connection: Connection) -> None:
        """Reads on until a request is complete, or nothing is left to be read."""
        try:
            while True:
                data = connection.buffer
                if connection.state == "head" and data and connection.parse():
                    if connection.origin.is_handed_over and not self._is_ours(connection):
                        self.departure.hand_back(connection, data)
                        return
                    connection.state = "body"
                    connection.deadline = time.monotonic() + STALL_TIMEOUT
                if connection.state == "body" and (connection.body is None or connection.body.read_ahead()):
                    connection.state = "ready"
                    if self.request_time:
                        connection.deadline = time.monotonic() + self.request_time
                    self.ready.append(connection)
                    return
                if not connection.has_input:
                    break
                if not read_more(connection):
                    self.departure.close(connection)
                    return
        except Refusal as refusal:
            self.refuse(connection, refusal)
            return
        if connection.origin.is_ending and not self.is_gentle and connection.state == "head" and not connection.buffer:
            self.departure.close(connection)
            return
        self._poller.rearm(connection.descriptor, False)

    def finished(self, connection: Connection) -> None:
        """The app has answered."""
        connection.served += 1
        self.last_end = time.monotonic()
        if connection.state == "broken":
            if connection.ends_body:
                connection.reset()
            self.departure.close(connection)
        elif connection.out:
            self._flush(connection)
        else:
            self._next(connection)

    def _flush(self, connection: Connection) -> None:
        connection.state = "flushing"
        connection.deadline = max(connection.deadline, time.monotonic() + STALL_TIMEOUT)
        try:
            is_empty = connection.flush()
        except ClientGone:
            self.departure.close(connection)
            return
        if is_empty:
            self._next(connection)
        else:
            self._poller.rearm(connection.descriptor, True)

    def _next(self, connection: Connection) -> None:
        body = connection.body
        if body is not None and not body.has_arrived and body.may_be_discarded and not connection.closes:
            connection.state = "discarding"
            connection.discarded = 0
            connection.deadline = time.monotonic() + STALL_TIMEOUT
            self._discard(connection)
            return
        if connection.closes or (body is not None and not body.has_arrived):
            self.departure.end(connection)
            return
        connection.next_request()
        if self.gives_back and connection.origin.is_handed_over:
            self.departure.hand_back(connection, connection.buffer)
        elif connection.origin.is_ending:
            self.look_once_more(connection)
        elif connection.buffer or connection.has_input:
            self._advance(connection)
        else:
            self._poller.rearm(connection.descriptor, False)

    def look_once_more(self, connection: Connection) -> None:
        """Of an idle connection that is to end: something may have come of which we were not told yet."""
        connection.deadline = min(connection.deadline, time.monotonic() + IDLE_DRAIN)
        connection.has_input = True
        self._advance(connection)

    def _discard(self, connection: Connection) -> None:
        """Reads what the app has left of the body: what follows it is the next request."""
        body = connection.body
        assert body is not None
        try:
            while connection.discarded <= MAX_DISCARD:
                connection.discarded += body.discard()
                if body.has_arrived:
                    self._next(connection)
                    return
                if not connection.has_input:
                    self._poller.rearm(connection.descriptor, False)
                    return
                if not read_more(connection):
                    self.departure.close(connection)
                    return
        except Refusal:
            # It has its answer already.
            pass
        self.departure.end(connection)

    def refuse(self, connection: Connection, refusal: Refusal) -> None:
        """After a request that is not sound nothing on its connection can be trusted to be one."""
        self._responder.refuse(connection, refusal)
        connection.closes = True
        self.finished(connection)

    def _is_ours(self, connection: Connection) -> bool:
        line, fields = connection.line, connection.fields
        assert line is not None and fields is not None
        return self.territory.has(line.method, line.target, fields.host)
