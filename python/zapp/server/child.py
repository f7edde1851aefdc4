from __future__ import annotations

import gc
import os
import random
import signal
import socket
import threading

from ..wsgi import Application
from .access_log import LineLog
from .balance import Balance
from .listener import Origin
from .respond import Responder
from .server import Server

#: Seconds for running requests after SIGTERM.
STOP_GRACE = 10.0
#: The same in a process that another one takes over from.
RECYCLE_GRACE = 30.0
#: For what still runs when its connections were cut.
CUT_GRACE = 1.0


def run_child(
    app: Application,
    listener: socket.socket,
    origin: Origin,
    master: socket.socket,
    balance: Balance,
    *,
    threads: int,
    max_requests: int,
    timeout: float,
    logs: bool,
) -> int:
    """
    One process of ``serve``: imports the app and answers.

    :param master: see :class:`Prefork`; its end tells that the master has gone
    :param max_requests: 0: any number
    :param timeout: of a request in the app, in seconds; 0: none
    :returns: exit code
    :raises ZappError: ENTRY_LOAD, ENTRY_EXPORT; what building the run tree raises
    """
    catch_interrupts()
    app.start()
    server = Server(Responder(app, app.manifest.name, app.mount, log=LineLog() if logs else None), threads)
    server.acceptor.balance = balance
    server.acceptor.listen(listener, origin)

    def say(message: bytes) -> None:
        try:
            master.send(message)
        except OSError:
            pass

    def hear() -> None:
        try:
            message = master.recv(1)
        except BlockingIOError:
            return
        if message == b"C":
            server.drain(RECYCLE_GRACE, is_gentle=True)
        else:
            if not message:
                server.unwatch(master.fileno())
            server.drain(STOP_GRACE)

    if max_requests:
        server.retire_after(jittered(max_requests), lambda: say(b"T"))
    if timeout:
        server.limit_requests(timeout, lambda: say(b"T"))
    master.setblocking(False)
    server.on_cut = end_for_sure
    server.watch(master.fileno(), hear)
    catch_terminate(server)
    settle()
    say(b"R")
    server.run()
    app.close()
    return 0


def jittered(count: int) -> int:
    """Not all processes at the same moment."""
    return count + random.randrange(count // 10 + 1)


def settle() -> None:
    """What was imported stays: the collector of garbage need not look through it again and again."""
    gc.collect()
    gc.freeze()


def end_for_sure() -> None:
    """No thread can be ended from outside: one that hangs in the app must not keep the process."""
    timer = threading.Timer(CUT_GRACE, os._exit, (0,))
    timer.daemon = True
    timer.start()


def catch_interrupts() -> None:
    """Ctrl+C reaches every process of a terminal: who started this one decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def catch_terminate(server: Server) -> None:
    signal.signal(signal.SIGTERM, lambda *_: server.stop_soon(STOP_GRACE))
