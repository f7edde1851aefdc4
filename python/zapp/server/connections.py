from __future__ import annotations

import socket
import time
from collections import deque
from typing import Callable, Deque

from .connection import ClientGone, Connection
from .limits import HEAD_TIMEOUT, IDLE_DRAIN, LINGER_TIMEOUT, MAX_DISCARD, MIN_RATE, READ, STALL_TIMEOUT
from .listener import Ends, Origin
from .poller import ENDED, READ as CAN_READ, WRITE as CAN_WRITE, Poller
from .refusal import Refusal
from .respond import Responder
from .territory import Territory


class Connections:
    """
    All connections of a process, and what becomes of them while no thread answers on them: see :class:`Connection`
    for the states. Used by the thread that holds the baton.
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
        #: Takes a connection, and what was read of it, that was handed over.
        self.hand_back: Callable[[socket.socket, bytes], None] = lambda sock, data: sock.close()
        #: Told of a connection that has ended here.
        self.on_closed: Callable[[socket.socket], None] = lambda sock: None
        #: Connections that were handed over go back as soon as nothing runs on them.
        self.gives_back = False
        #: Seconds that a request may wait for a thread; 0: any number.
        self.request_time = 0.0
        #: Clients may come back once more before a connection that ends is closed.
        self.is_gentle = False
        self._last_end = time.monotonic()

    @property
    def holds_any(self) -> bool:
        """Of those that were handed over."""
        return any(connection.origin.is_handed_over for connection in self.all.values())

    def idle(self) -> float:
        """Seconds in which nothing ran on those that were handed over; 0 while something does."""
        for connection in self.all.values():
            if connection.origin.is_handed_over and connection.state != "head":
                return 0.0
        return time.monotonic() - self._last_end

    def open(self, sock: socket.socket, origin: Origin, data: bytes, ends: Ends = (None, None)) -> None:
        """:param data: what others have read of it :param ends: its addresses, where they are known"""
        try:
            sock.setblocking(False)
            connection = Connection(sock, origin, data, ends)
        except OSError:
            # It has gone already.
            sock.close()
            self.on_closed(sock)
            return
        self.all[connection.descriptor] = connection
        # Mostly the request is there already, and often all of it was read by others.
        connection.has_input = not data
        self._advance(connection)

    def ask_to_end(self, connection: Connection) -> None:
        """After its response, or when it is idle."""
        if self.gives_back and connection.origin.is_handed_over:
            return
        # A response that begins from now on says so. One that has begun without it does not end the connection: the
        # next request may be on its way.
        connection.origin.is_ending = True
        if connection.state == "head" and not connection.buffer:
            self._look_once_more(connection)

    def _look_once_more(self, connection: Connection) -> None:
        """Of an idle connection that is to end: something may have come of which we were not told yet."""
        connection.deadline = min(connection.deadline, time.monotonic() + IDLE_DRAIN)
        connection.has_input = True
        self._advance(connection)

    def give_all_back(self) -> None:
        self.gives_back = True
        for connection in list(self.all.values()):
            if connection.origin.is_handed_over and connection.state == "head":
                self._hand_back(connection, connection.buffer)

    def end_late(self, now: float) -> None:
        """Ends those that have taken too long."""
        for connection in list(self.all.values()):
            if now < connection.deadline or connection.state == "running":
                continue
            if connection.state == "ready":
                self._end_waiting(connection)
                continue
            if connection.state == "body" or (connection.state == "head" and connection.buffer):
                self._refuse(connection, Refusal(408, "The request did not arrive in time."))
            else:
                self._close(connection)

    def _end_waiting(self, connection: Connection) -> None:
        """All threads are in the app, and may stay there."""
        if not self.request_time:
            return
        try:
            self.ready.remove(connection)
        except ValueError:
            # A thread has taken it just now.
            return
        self._refuse(connection, Refusal(504, "The app did not answer in time."))

    def cut(self) -> None:
        """Ends every connection, whatever it is doing."""
        for connection in list(self.all.values()):
            if connection.state in ("ready", "running"):
                connection.abort()
            else:
                self._close(connection)

    def event(self, connection: Connection, mask: int) -> None:
        if mask & ENDED:
            connection.has_end = True
        if mask & (CAN_READ | ENDED):
            connection.has_input = True
        state = connection.state
        if state == "head" or state == "body":
            if connection.has_input:
                self._advance(connection)
        elif state == "flushing":
            if mask & (CAN_WRITE | ENDED):
                self._flush(connection)
        elif state == "discarding":
            self._discard(connection)
        elif state == "lingering":
            self._linger(connection)

    def _advance(self, connection: Connection) -> None:
        """Reads on until a request is complete, or nothing is left to be read."""
        try:
            while True:
                data = connection.buffer
                if connection.state == "head" and data and connection.parse():
                    if connection.origin.is_handed_over and not self._is_ours(connection):
                        self._hand_back(connection, data)
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
                if not self._read(connection):
                    return
        except Refusal as refusal:
            self._refuse(connection, refusal)
            return
        if connection.origin.is_ending and not self.is_gentle and connection.state == "head" and not connection.buffer:
            self._close(connection)
            return
        self._poller.rearm(connection.descriptor, False)

    def _read(self, connection: Connection) -> bool:
        """:returns: False, if the connection has ended"""
        try:
            data = connection.socket.recv(READ)
        except BlockingIOError:
            connection.has_input = False
            return True
        except OSError:
            self._close(connection)
            return False
        if not data:
            if connection.state == "body":
                connection.is_ended = True
                raise Refusal(400, "The request has ended too early.")
            self._close(connection)
            return False
        if connection.state == "body":
            # A byte now and then does not keep it: what comes is worth as much time as it may take by MIN_RATE.
            worth = connection.deadline + len(data) / MIN_RATE
            connection.deadline = min(worth, time.monotonic() + STALL_TIMEOUT)
        elif not connection.buffer and connection.served:
            connection.deadline = time.monotonic() + HEAD_TIMEOUT
        if len(data) < READ and not connection.has_end:
            # There was no more. What comes later is told of.
            connection.has_input = False
        connection.buffer = connection.buffer + data if connection.buffer else data
        return True

    def finished(self, connection: Connection) -> None:
        """The app has answered."""
        connection.served += 1
        self._last_end = time.monotonic()
        if connection.state == "broken":
            if connection.ends_body:
                connection.reset()
            self._close(connection)
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
            self._close(connection)
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
            self._end(connection)
            return
        connection.next_request()
        if self.gives_back and connection.origin.is_handed_over:
            self._hand_back(connection, connection.buffer)
        elif connection.origin.is_ending:
            self._look_once_more(connection)
        elif connection.buffer or connection.has_input:
            self._advance(connection)
        else:
            self._poller.rearm(connection.descriptor, False)

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
                if not self._read(connection):
                    return
        except Refusal:
            # It has its answer already.
            pass
        self._end(connection)

    def _refuse(self, connection: Connection, refusal: Refusal) -> None:
        """After a request that is not sound nothing on its connection can be trusted to be one."""
        self._responder.refuse(connection, refusal)
        connection.closes = True
        self.finished(connection)

    def _end(self, connection: Connection) -> None:
        """
        Closes without the system throwing away, for bytes that nobody has read, what the client has not read yet
        (RFC 9112 §9.6).
        """
        body = connection.body
        if connection.is_ended or (not connection.buffer and not connection.has_input and body is None):
            self._close(connection)
            return
        connection.state = "lingering"
        connection.deadline = time.monotonic() + LINGER_TIMEOUT
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        try:
            while connection.socket.recv(READ):
                pass
        except BlockingIOError:
            self._poller.rearm(connection.descriptor, False)
            return
        except OSError:
            pass
        self._close(connection)

    def _is_ours(self, connection: Connection) -> bool:
        line, fields = connection.line, connection.fields
        assert line is not None and fields is not None
        return self.territory.has(line.method, line.target, fields.host)

    def _hand_back(self, connection: Connection, data: bytes) -> None:
        del self.all[connection.descriptor]
        self._poller.remove(connection.descriptor)
        self.hand_back(connection.socket, data)

    def _close(self, connection: Connection) -> None:
        if self.all.pop(connection.descriptor, None) is not None:
            self._poller.remove(connection.descriptor)
            connection.socket.close()
            self.on_closed(connection.socket)
