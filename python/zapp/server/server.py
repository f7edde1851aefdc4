from __future__ import annotations

import socket
import threading
import time
from collections import deque
from typing import Callable, Deque, Optional

from .acceptor import Acceptor
from .connection import Connection
from .connections import Connections
from .crew import Crew, Member
from .listener import Origin
from .poller import make_poller
from .respond import Responder

#: Seconds between two looks at what has taken too long.
_TICK = 1.0


class Server:
    """
    Waits for connections, reads requests, and has a :class:`Responder` answer them in a :class:`Crew`. Everything here
    is done by the thread that holds the baton, but for what says otherwise.
    """

    def __init__(self, responder: Responder, threads: int):
        self._responder = responder
        self._poller = make_poller()
        self.connections = Connections(self._poller, responder)
        self.acceptor = Acceptor(self._poller, self.connections)
        self._callbacks: dict[int, Callable[[], None]] = {}
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
        self._drains = False
        self._is_leaving = False
        self._deadline = float("inf")
        self._limits_time = False
        self._retire_after = 0
        self._on_retire: Callable[[], None] = lambda: None
        #: Called when the last connection that was handed over has gone, after ``leave``.
        self.on_left: Callable[[], None] = lambda: None
        #: Called when the time of ``drain`` is over. The thread of ``run`` may be in the app, and stay there.
        self.on_cut: Callable[[], None] = lambda: None
        #: Whether nothing has to be waited for but connections.
        self.may_end: Callable[[], bool] = lambda: True

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
        A request that the app takes longer for is answered 504, or cut off; what the app waits for its client is the
        client's time. A thread cannot be ended from outside, so the process is to be replaced then: ``on_timeout`` is
        called, once; and ``drain`` cuts what does not come back.
        """
        self._limits_time = True
        self.connections.request_time = seconds
        told: set[Connection] = set()
        looking = threading.Lock()

        def inspect() -> None:
            if looking.acquire(False):
                try:
                    look()
                finally:
                    looking.release()

        def look() -> None:
            now = time.monotonic()
            for member in self._crew.members:
                since, connection = member.since, member.connection
                if not since or connection is None or connection.waits_since or connection in told:
                    continue
                if now - since - connection.waited > seconds:
                    # Its connection ends: no other request will be on it.
                    told.add(connection)
                    self._responder.end_late(connection, now - since)
                    self._responder.tell(f"a request has run for more than {seconds:g} s; this process is replaced")
                    if len(told) == 1:
                        on_timeout()

        self._crew.inspect = inspect

    def _run(self, me: Member, connection: Connection) -> None:
        me.connection = connection
        if self._limits_time:
            connection.claim = [None]
        self._responder.respond(connection)

    def run(self) -> None:
        """Returns when it was drained."""
        self._crew.run()
        self._responder.flush_log(is_last=True)
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
        if self.connections.gives_back:
            # It was on its way when we were told to part with them.
            self.connections.departure.take_back(sock, data)
        else:
            self.connections.open(sock, origin, data)

    def drain(self, grace: float, *, is_gentle: bool = False) -> None:
        """
        Accepts no more, ends each connection after its response, those that are idle at once, and everything that is
        left after ``grace`` seconds. A second call can only make it quicker.

        :param is_gentle: clients whose connection is idle may come back once more, for IDLE_DRAIN: a request that is on
            its way already would be lost
        """
        self.limit(grace)
        self.connections.is_gentle = is_gentle and (self.connections.is_gentle or not self._drains)
        self._drains = True
        self.acceptor.stop()
        for connection in list(self.connections.all.values()):
            self.connections.ask_to_end(connection)

    def stop_soon(self, grace: float) -> None:
        """``drain``, from any thread or the handler of a signal."""
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
        self.acceptor.stop(handed_over_only=True)
        if gives_back:
            self.connections.give_all_back()
            return
        for connection in list(self.connections.all.values()):
            if connection.origin.is_handed_over:
                self.connections.ask_to_end(connection)

    def limit(self, grace: float) -> None:
        """Everything that is left after so many seconds is cut."""
        self._deadline = min(self._deadline, time.monotonic() + grace)
        self._next_tick = 0.0

    def _lead(self, me: Member) -> None:
        crew, ready, finished = self._crew, self.connections.ready, self.connections.finished
        while not crew.is_over:
            while self._returned:
                finished(self._returned.popleft())
            # As many as there are now: what follows on the same connections waits until all others were looked at.
            for _ in range(len(ready) if me.may_run else 0):
                try:
                    connection = ready.popleft()
                except IndexError:
                    # Others help themselves.
                    break
                may_return = crew.before_app(me, time.monotonic())
                self._run(me, connection)
                crew.after_app(me, time.monotonic())
                if not may_return or not crew.retake():
                    self._give_back(connection)
                    return
                finished(connection)
            if not me.may_run and crew.pass_on():
                return
            self._poll(me)

    def _assist(self, me: Member) -> bool:
        """In a thread without the baton."""
        try:
            connection = self.connections.ready.popleft()
        except IndexError:
            return False
        me.since = time.monotonic()
        self._run(me, connection)
        self._crew.after_app(me, time.monotonic())
        self._give_back(connection)
        return True

    def _give_back(self, connection: Connection) -> None:
        self._returned.append(connection)
        self.wake()

    def _poll(self, me: Member) -> None:
        log_pause = self._responder.flush_log()
        self._check_ends()
        if self._crew.is_over:
            return
        self._is_polling = True
        # Looked at after the flag is up: who changes something later sees the flag, and wakes us.
        if self._returned or (self.connections.ready if me.may_run else self._crew.has_idle):
            timeout: Optional[float] = 0
        else:
            pause = self.acceptor.pause()
            timeout = pause if pause is not None else _TICK if self.connections.all else None
            if log_pause is not None and (timeout is None or log_pause < timeout):
                timeout = log_pause
        events = self._poller.poll(timeout)
        self._is_polling = False
        for descriptor, mask in events:
            connection = self.connections.all.get(descriptor)
            if connection is not None:
                self.connections.event(connection, mask)
            elif self.acceptor.is_listening(descriptor):
                self.acceptor.accept(descriptor)
            elif descriptor in self._callbacks:
                self._callbacks[descriptor]()
        self.acceptor.look()
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick = now + _TICK
            self._tick(now)
            if self._crew.inspect:
                # The keeper leads, because all others are in the app, or it sleeps.
                self._crew.inspect()

    def _check_ends(self) -> None:
        if self._retire_after and self._responder.served >= self._retire_after:
            self._retire_after = 0
            self._on_retire()
        if self._is_leaving and self.may_end() and not self.connections.holds_any:
            self._is_leaving = False
            self.on_left()
        if self._drains and not self.connections.all and self.may_end():
            self._crew.end()

    def _hear(self) -> None:
        try:
            self._ear.recv(4096)
        except BlockingIOError:
            return
        while self._wishes:
            self._wishes.popleft()()

    def _tick(self, now: float) -> None:
        if now >= self._deadline:
            self.connections.cut()
            self._crew.end()
            self.on_cut()
            return
        self.connections.end_late(now)
