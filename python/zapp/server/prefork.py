from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Callable, Optional

from .balance import Balance

#: Seconds between a child that dies and the one that takes its place: doubled up to the second, while they die young.
_PAUSE, _MAX_PAUSE = 0.1, 30.0
#: Seconds after which a child is not young any more.
_YOUNG = 10.0
#: Seconds for children to end by themselves, a little more than they give their requests.
_STOP = 12.0


@dataclass
class _Child:
    pid: int
    slot: int
    #: Each byte is a message: ready R, retire T, to the master; drain D, recycle C, to the child.
    socket: socket.socket
    started: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    #: It wants to end, and goes on until another one is ready.
    retires: bool = False
    #: It was told to end.
    leaves: bool = False


class Prefork:
    """
    Keeps as many children as are asked for: another one for each that dies. One that retires is told to end when its
    successor is ready, so there is always somebody who accepts.
    """

    def __init__(
        self,
        processes: int,
        child: Callable[[socket.socket, Balance], int],
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
    ):
        """
        :param child: what a child does, with its socket to the master and its share of all connections; returns its
            exit code
        :param on_ready: called once, when all children are ready for the first time
        :param on_stop: called in the master when the children are told to end
        """
        self._processes = processes
        self._child = child
        self._on_ready = on_ready
        self._on_stop = on_stop
        # Twice as many: each may be about to end while its successor is there already.
        self._slots = set(range(2 * processes))
        self._balance = Balance.of(2 * processes)
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._has_started = False
        self._was_ready = False
        self._stops_at = 0.0
        self._pause = 0.0
        self._start_at = 0.0
        self._code = 0
        self._ear, self._mouth = socket.socketpair()

    def run(self) -> int:
        """
        Returns in the master, when all children have ended after SIGTERM or SIGINT, or one of the first has failed. A
        child leaves by SystemExit, so that what was registered with atexit runs.

        :returns: exit code
        """
        for end in (self._ear, self._mouth):
            end.setblocking(False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        while self._children or not self._stops_at:
            now = time.monotonic()
            if not self._stops_at and now >= self._start_at:
                for _ in range(self._missing()):
                    self._start()
            for key, _ in self._selector.select(self._timeout()):
                if key.data is None:
                    self._signals(self._ear.recv(4096))
                else:
                    self._hear(key.data)
            self._reap()
            if self._stops_at and time.monotonic() >= self._stops_at:
                self._kill()
        signal.set_wakeup_fd(-1)
        return self._code

    def _missing(self) -> int:
        # The first one alone: what is wrong is told once, and the run tree is built once.
        wanted = self._processes if self._has_started else 1
        missing = wanted - sum(not (child.retires or child.leaves) for child in self._children.values())
        return min(missing, len(self._slots))

    def _timeout(self) -> Optional[float]:
        until = self._stops_at or (self._start_at if self._missing() > 0 else 0.0)
        return max(until - time.monotonic(), 0) if until else None

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        slot = self._slots.pop()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._forget()
            self._balance.enter(slot)
            sys.exit(self._child(theirs, self._balance))
        theirs.close()
        child = self._children[pid] = _Child(pid, slot, ours)
        self._selector.register(ours, selectors.EVENT_READ, child)

    def _forget(self) -> None:
        """In a child: what is the master's. Were its sockets open here, nobody would see that the master has gone."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for child in self._children.values():
            child.socket.close()
        self._selector.close()
        self._ear.close()
        self._mouth.close()

    def _hear(self, child: _Child) -> None:
        try:
            message = child.socket.recv(1)
        except OSError:
            message = b""
        if message == b"R":
            child.is_ready = True
            self._pause = 0.0
            self._has_started = True
            self._replace()
        elif message == b"T":
            child.retires = True
        else:
            self._selector.unregister(child.socket)

    def _replace(self) -> None:
        if not self._was_ready:
            self._was_ready = self._missing() == 0 and all(child.is_ready for child in self._children.values())
            if self._was_ready:
                self._on_ready()
        for child in self._children.values():
            if child.retires and not child.leaves:
                self._tell(child, b"C")
                return

    def _signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number not in (signal.SIGTERM, signal.SIGINT):
                continue
            if self._stops_at:
                # Whoever asks twice does not want to wait.
                self._kill()
            self._stop()

    def _stop(self) -> None:
        if self._stops_at:
            return
        self._stops_at = time.monotonic() + _STOP
        for child in self._children.values():
            self._tell(child, b"D")
        self._on_stop()

    def _tell(self, child: _Child, message: bytes) -> None:
        child.leaves = True
        try:
            child.socket.send(message)
        except OSError:
            pass

    def _kill(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        self._stops_at = time.monotonic() + _STOP

    def _reap(self) -> None:
        for child in list(self._children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid == 0:
                continue
            del self._children[pid]
            if child.socket in self._selector.get_map():
                self._selector.unregister(child.socket)
            child.socket.close()
            self._balance.leave(child.slot)
            self._slots.add(child.slot)
            if not child.leaves:
                self._died(child, os.waitstatus_to_exitcode(status))

    def _died(self, child: _Child, code: int) -> None:
        if not self._was_ready:
            # It has said why. What does not start the first time needs no second.
            self._code = 1
            self._stop()
            return
        if time.monotonic() - child.started < _YOUNG:
            self._pause = min(max(self._pause * 2, _PAUSE), _MAX_PAUSE)
        self._start_at = time.monotonic() + self._pause
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        print(f"zapp: process {child.pid} has ended ({how}); another one takes its place", file=sys.stderr, flush=True)
