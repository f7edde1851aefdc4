from __future__ import annotations

import errno
import socket
import time
from collections import deque
from typing import Callable, Deque, Optional

from .balance import Balance
from .connection import ClientGone, Connection
from .crew import Crew, Member
from .limits import HEAD_TIMEOUT, IDLE_DRAIN, LINGER_TIMEOUT, MAX_CONNECTIONS, MAX_DISCARD, READ, STALL_TIMEOUT
from .listener import Origin
from .poller import ENDED, READ as CAN_READ, WRITE as CAN_WRITE, make_poller
from .refusal import Refusal
from .respond import Responder
from .territory import Territory

#: Connections that are accepted before others are looked after again; few, so that they spread over processes.
_ACCEPT_AT_ONCE = 4
#: Seconds until connections may have ended, where there are too many of them.
_RECOVERY = 0.5
#: Seconds between two looks at what has taken too long.
_TICK = 1.0
#: Seconds in which other processes may accept first.
_YIELD = 0.003


class Server:
    """
    Waits for connections, reads requests, and has a :class:`Responder` answer them in a :class:`Crew`. Everything here
    is done by the thread that holds the baton, but for what says otherwise.
    """

    def __init__(self, responder: Responder, threads: int):
        self._responder = responder
        self._poller = make_poller()
        self._connections: dict[int, Connection] = {}
        self._listeners: dict[int, tuple[socket.socket, Origin]] = {}
        self._callbacks: dict[int, Callable[[], None]] = {}
        #: Requests that have been read and wait for a thread.
        self._ready: Deque[Connection] = deque()
        #: Connections that other threads are done with.
        self._returned: Deque[Connection] = deque()
        self._crew = Crew(threads, self._lead, self._assist)
        self._crew.nudge = self.wake
        self._wishes: Deque[Callable[[], None]] = deque()
        self._is_polling = False
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)
        self._mouth.setblocking(False)
        self.watch(self._ear.fileno(), self._hear)
        self._next_tick = 0.0
        self._pauses_accept = False
        self._accept_at = 0.0
        #: Among the processes that accept from the same listener.
        self.balance: Optional[Balance] = None
        self._drains = False
        self._is_gentle = False
        self._is_leaving = False
        self._gives_back = False
        self._deadline = float("inf")
        self._retire_after = 0
        self._on_retire: Callable[[], None] = lambda: None
        #: Of what is handed over; what is not in it is handed back.
        self.territory = Territory()
        #: Takes a connection, and what was read of it, that was handed over.
        self.hand_back: Callable[[socket.socket, bytes], None] = lambda sock, data: sock.close()
        self.on_left: Callable[[], None] = lambda: None
        #: Whether nothing has to be waited for but connections.
        self.may_end: Callable[[], bool] = lambda: True
        #: Called with each signal that this process gets.
        self.on_signal: Callable[[int], None] = lambda number: None

    @property
    def crew(self) -> Crew:
        return self._crew

    @property
    def wakeup_descriptor(self) -> int:
        """For signal.set_wakeup_fd."""
        return self._mouth.fileno()

    def listen(self, listener: socket.socket, origin: Origin) -> None:
        self._listeners[listener.fileno()] = (listener, origin)
        self._poller.watch(listener.fileno())

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        self._callbacks[descriptor] = callback
        self._poller.watch(descriptor)

    def unwatch(self, descriptor: int) -> None:
        if self._callbacks.pop(descriptor, None):
            self._poller.remove(descriptor)

    def retire_after(self, requests: int, on_retire: Callable[[], None]) -> None:
        """:param on_retire: called once, when so many requests have been answered; this goes on until ``drain``"""
        self._retire_after, self._on_retire = requests, on_retire

    def limit_requests(self, seconds: float, on_timeout: Callable[[], None]) -> None:
        """
        A thread cannot be ended from outside. So when one is in the app for longer than that, the process is to be
        replaced: ``on_timeout`` is called, once; and ``drain`` cuts what does not come back.
        """

        def inspect() -> None:
            now = time.monotonic()
            for member in self._crew.members:
                if member.since and now - member.since > seconds:
                    self._crew.inspect = None
                    self._responder.tell(f"a request has run for more than {seconds:g} s; this process is replaced")
                    on_timeout()
                    return

        self._crew.inspect = inspect

    def run(self) -> None:
        """Returns when it was drained."""
        self._crew.run()
        self._responder.flush_log()
        self._poller.close()
        self._ear.close()
        self._mouth.close()

    def wake(self) -> None:
        """From any thread: the loop looks again."""
        if self._is_polling:
            try:
                self._mouth.send(b"\0")
            except OSError:
                pass

    def adopt(self, sock: socket.socket, origin: Origin, data: bytes) -> None:
        """Takes over a connection of which others have read something already."""
        if self._gives_back:
            # It was on its way when we were told to part with them.
            self.hand_back(sock, data)
        else:
            self._open(sock, origin, data)

    def drain(self, grace: float, *, is_gentle: bool = False) -> None:
        """
        Accepts no more, ends each connection after its response, those that are idle at once, and everything that is
        left after ``grace`` seconds. A second call can only make it quicker.

        :param is_gentle: clients whose connection is idle may come back once more, for IDLE_DRAIN: a request that is on
            its way already would be lost
        """
        self.limit(grace)
        self._drains = True
        self._is_gentle = is_gentle
        for listener, origin in list(self._listeners.values()):
            # Who has been let in already is served still.
            while self._accept_one(listener, origin):
                pass
            self._stop_listening(listener)
            origin.is_ending = True
        for connection in list(self._connections.values()):
            self._ask_to_end(connection)

    def stop_soon(self, grace: float) -> None:
        """``drain``, from any thread."""
        self._wishes.append(lambda: self.drain(grace))
        try:
            self._mouth.send(b"\0")
        except OSError:
            # There is something to hear already, or it has ended.
            pass

    def leave(self, *, gives_back: bool) -> None:
        """
        Parts with connections that were handed over, as soon as nothing runs on them. ``on_left`` is called when the
        last has gone.

        :param gives_back: nobody notices: what was read of a request goes with them. Else they end
        """
        self._is_leaving = True
        self._gives_back = gives_back
        for listener, origin in list(self._listeners.values()):
            if origin.is_handed_over:
                self._stop_listening(listener)
        for connection in list(self._connections.values()):
            if not connection.origin.is_handed_over:
                continue
            if not gives_back:
                self._ask_to_end(connection)
            elif connection.state == "head":
                self._hand_back(connection, connection.buffer)

    def limit(self, grace: float) -> None:
        """Everything that is left after so many seconds is cut."""
        self._deadline = min(self._deadline, time.monotonic() + grace)
        self._next_tick = 0.0

    def _stop_listening(self, listener: socket.socket) -> None:
        del self._listeners[listener.fileno()]
        self._poller.remove(listener.fileno())
        listener.close()

    def _ask_to_end(self, connection: Connection) -> None:
        if self._gives_back and connection.origin.is_handed_over:
            return
        connection.origin.is_ending = True
        if connection.state == "running":
            connection.closes = True
        elif connection.state == "head" and not connection.buffer:
            connection.deadline = min(connection.deadline, time.monotonic() + IDLE_DRAIN)
            # Something may have come of which we were not told yet.
            connection.has_input = True
            self._advance(connection)

    # ── the loop ──

    def _lead(self, me: Member) -> None:
        crew = self._crew
        while not crew.is_over:
            while self._returned:
                self._finished(self._returned.popleft())
            for _ in range(len(self._ready)):
                if not me.may_run:
                    break
                try:
                    connection = self._ready.popleft()
                except IndexError:
                    break
                now = time.monotonic()
                may_return = crew.before_app(me, now)
                self._responder.respond(connection)
                crew.after_app(me, time.monotonic())
                if not may_return or not crew.retake():
                    self._give_back(connection)
                    return
                self._finished(connection)
            if not me.may_run and crew.pass_on():
                return
            self._poll(bool(self._ready) and me.may_run)

    def _assist(self, me: Member) -> bool:
        """In a thread without the baton."""
        try:
            connection = self._ready.popleft()
        except IndexError:
            return False
        me.since = time.monotonic()
        self._responder.respond(connection)
        self._crew.after_app(me, time.monotonic())
        self._give_back(connection)
        return True

    def _give_back(self, connection: Connection) -> None:
        self._returned.append(connection)
        self.wake()

    def _poll(self, has_work: bool) -> None:
        self._responder.flush_log()
        if self._retire_after and self._responder.served >= self._retire_after:
            self._retire_after = 0
            self._on_retire()
        if self._is_leaving and self.may_end() and not any(c.origin.is_handed_over for c in self._connections.values()):
            self._is_leaving = False
            self.on_left()
        if self._drains and not self._connections and self.may_end():
            self._crew.end()
            return
        self._is_polling = True
        # Looked at after the flag is up: who returns a connection later sees the flag, and wakes us.
        timeout: Optional[float] = 0 if has_work or self._returned else _TICK if self._connections else None
        if self._pauses_accept and timeout != 0:
            timeout = max(self._accept_at - time.monotonic(), 0)
        events = self._poller.poll(timeout)
        self._is_polling = False
        connections = self._connections
        for descriptor, mask in events:
            connection = connections.get(descriptor)
            if connection is not None:
                self._event(connection, mask)
            elif descriptor in self._listeners:
                self._accept(*self._listeners[descriptor])
            elif descriptor in self._callbacks:
                self._callbacks[descriptor]()
        now = time.monotonic()
        if self._pauses_accept and now >= self._accept_at:
            self._resume_accept()
        if now >= self._next_tick:
            self._next_tick = now + _TICK
            self._tick(now)

    def _hear(self) -> None:
        try:
            data = self._ear.recv(4096)
        except BlockingIOError:
            return
        for number in data:
            if number:
                self.on_signal(number)
        while self._wishes:
            self._wishes.popleft()()

    def _tick(self, now: float) -> None:
        if now >= self._deadline:
            self._cut()
            return
        for connection in list(self._connections.values()):
            if now >= connection.deadline and connection.state not in ("ready", "running"):
                self._timed_out(connection)

    def _timed_out(self, connection: Connection) -> None:
        if connection.state == "body" or (connection.state == "head" and (connection.buffer or not connection.served)):
            if connection.buffer or connection.state == "body":
                self._refuse(connection, Refusal(408, "The request did not arrive in time."))
                return
        self._close(connection)

    def _cut(self) -> None:
        """Ends every connection, whatever it is doing."""
        for connection in list(self._connections.values()):
            if connection.state in ("ready", "running"):
                connection.abort()
            else:
                self._close(connection)
        self._crew.end()

    # ── connections ──

    def _accept(self, listener: socket.socket, origin: Origin) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            if self.balance and self.balance.is_ahead():
                self._pause_accept(_YIELD)
                return
            if not self._accept_one(listener, origin):
                return

    def _accept_one(self, listener: socket.socket, origin: Origin) -> bool:
        """:returns: whether there may be more"""
        try:
            sock, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                # It is still ready: without a pause we would ask again and again.
                self._pause_accept(_RECOVERY)
            return False
        self._open(sock, origin, b"")
        if len(self._connections) >= MAX_CONNECTIONS:
            self._pause_accept(_RECOVERY)
            return False
        return True

    def _pause_accept(self, seconds: float) -> None:
        self._pauses_accept = True
        self._accept_at = time.monotonic() + seconds
        for descriptor in self._listeners:
            self._poller.remove(descriptor)

    def _resume_accept(self) -> None:
        self._pauses_accept = False
        for listener, origin in list(self._listeners.values()):
            self._poller.watch(listener.fileno())
            if self.balance:
                # The others have had their turn.
                self._accept_one(listener, origin)

    def _open(self, sock: socket.socket, origin: Origin, data: bytes) -> None:
        try:
            sock.setblocking(False)
            if not origin.is_trusted:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, origin, data)
        except OSError:
            # It has gone already.
            sock.close()
            return
        self._connections[connection.descriptor] = connection
        self._count()
        self._poller.add(connection.descriptor)
        if data:
            self._advance(connection)

    def _event(self, connection: Connection, mask: int) -> None:
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
                    self._ready.append(connection)
                    return
                if not connection.has_input:
                    break
                if not self._read(connection):
                    return
        except Refusal as refusal:
            self._refuse(connection, refusal)
            return
        if connection.origin.is_ending and not self._is_gentle and connection.state == "head" and not connection.buffer:
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
            connection.deadline = time.monotonic() + STALL_TIMEOUT
        elif not connection.buffer and connection.served:
            connection.deadline = time.monotonic() + HEAD_TIMEOUT
        if len(data) < READ and not connection.has_end:
            # There was no more. What comes later is told of.
            connection.has_input = False
        connection.buffer = connection.buffer + data if connection.buffer else data
        return True

    def _finished(self, connection: Connection) -> None:
        """The app has answered."""
        connection.served += 1
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
        if self._gives_back and connection.origin.is_handed_over:
            self._hand_back(connection, connection.buffer)
        elif connection.buffer or connection.has_input or connection.origin.is_ending:
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
        self._finished(connection)

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

    def _count(self) -> None:
        if self.balance:
            self.balance.tell(len(self._connections))

    def _hand_back(self, connection: Connection, data: bytes) -> None:
        del self._connections[connection.descriptor]
        self._count()
        self._poller.remove(connection.descriptor)
        self.hand_back(connection.socket, data)

    def _close(self, connection: Connection) -> None:
        if self._connections.pop(connection.descriptor, None) is not None:
            self._count()
            self._poller.remove(connection.descriptor)
            connection.socket.close()
