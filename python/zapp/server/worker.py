from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, Optional

from ..archive import Archive
from ..python_entry import PythonEntry
from ..wsgi import Application
from .access_log import HostLog
from .balance import Balance
from .channel import Channel
from .child import catch_interrupts, catch_terminate, end_for_sure, jittered, settle
from .listener import BACKLOG, Origin, listen_unix
from .respond import Responder, WsgiApp
from .server import Server
from .territory import Territory

#: Seconds for running requests when the parent has gone.
ORPHAN_GRACE = 2.0


@dataclass(frozen=True)
class WorkerOptions:
    archive: Archive
    #: The root of the run tree.
    tree: str
    #: Every request is for this entry point; None: the whole app answers.
    entry: Optional[str]
    mount: str
    socket_path: str
    threads: int
    #: 0: any number.
    max_requests: int
    #: Seconds for a request; 0: any number.
    request_time: float
    #: File in which the processes of the app tell each other how many connections they have.
    balance: Optional[str]


def run_wsgi(options: WorkerOptions, channel: Channel) -> int:
    """
    A worker process that Node has started: answers on a private Unix socket, and on connections that it is handed.

    :returns: exit code, when it was drained
    :raises ZappError: ENTRY_LOAD, ENTRY_EXPORT, IO
    """
    return _Worker(options, channel).run()


class _Worker:
    def __init__(self, options: WorkerOptions, channel: Channel):
        self._options = options
        self._channel = channel
        entries = {
            name: PythonEntry(name, entry, lambda: options.tree)
            for name, entry in options.archive.manifest.entries.items()
            if entry["type"] == "wsgi" and options.entry in (None, name)
        }
        app: WsgiApp
        if options.entry is None:
            whole = Application(options.archive, options.mount, entries, lambda: None)
            whole.start()
            app = whole
        else:
            app = entries[options.entry].get()
        strip = options.mount if options.entry is not None else None
        name = options.archive.manifest.name
        self._responder = Responder(app, name, options.mount, strip=strip)
        self._server = Server(self._responder, options.threads)
        self._log = HostLog(channel.say)
        self._has_host = False
        #: Of connections that the host counts: the number by which it is told that one has ended.
        self._places: dict[socket.socket, int] = {}
        many = options.threads > 1
        self._front = Origin("localhost", "80", multithread=many, multiprocess=True, is_trusted=True)
        self._handed = Origin("", "", multithread=many, multiprocess=True, is_handed_over=True)

    def run(self) -> int:
        server, channel = self._server, self._channel
        listener = listen_unix(self._options.socket_path)
        server.acceptor.listen(listener, self._front)
        channel.on_message = self._told
        channel.on_end = self._orphaned
        server.watch(channel.descriptor, channel.receive)
        server.connections.departure.take_back = self._give_back
        server.connections.departure.on_closed = self._closed
        server.on_left = lambda: channel.say({"type": "drained"})
        server.may_end = lambda: not channel.is_returning
        server.on_cut = end_for_sure
        if self._options.max_requests:
            server.retire_after(jittered(self._options.max_requests), lambda: channel.say({"type": "retire"}))
        if self._options.request_time:
            server.limit_requests(self._options.request_time, lambda: channel.say({"type": "retire"}))
        catch_interrupts()
        catch_terminate(server)
        settle()
        channel.say({"type": "ready"})
        server.run()
        return 0

    def _told(self, message: dict[str, Any], sock: Optional[socket.socket]) -> None:
        kind = message.get("type")
        if kind == "connection" and sock is not None:
            if "place" in message:
                self._places[sock] = message["place"]
            self._server.adopt(sock, self._handed, str(message.get("head", "")).encode("latin-1"))
        elif kind == "listen" and sock is not None:
            sock.setblocking(False)
            # The host has only bound it.
            sock.listen(BACKLOG)
            if self._options.balance:
                self._server.acceptor.balance = Balance.join(self._options.balance)
            self._server.acceptor.listen(sock, self._handed)
            self._channel.say({"type": "listening"})
        elif kind == "territory":
            self._has_host = True
            self._server.connections.territory = Territory.of(message["territory"])
            self._responder.log = self._log
        elif kind == "accessLog":
            self._log.writes = message["format"] != "off"
        elif kind == "drain":
            self._drain(message["graceMs"] / 1000, bool(message.get("last")))
        elif kind == "activity":
            self._channel.say({"type": "activity", "idleMs": self._server.connections.idle() * 1000})
        elif kind == "end":
            self._server.drain(float("inf"))
        elif sock is not None:
            sock.close()

    def _drain(self, grace: float, is_last: bool) -> None:
        """
        A host asks on the private socket for as long as connections that it keeps itself need it, and says when that is
        over. It takes back what it has handed over, unless nobody is there any more (``is_last``).
        """
        self._server.limit(grace)
        if self._has_host:
            self._server.leave(gives_back=not is_last)
        else:
            self._server.drain(grace)

    def _give_back(self, sock: socket.socket, data: bytes) -> None:
        message: dict[str, Any] = {"type": "return", "head": data.decode("latin-1")}
        if sock in self._places:
            message["place"] = self._places.pop(sock)
        self._channel.give_back(sock, message)

    def _closed(self, sock: socket.socket) -> None:
        if sock in self._places:
            self._channel.say({"type": "ended", "places": [self._places.pop(sock)]})

    def _orphaned(self) -> None:
        self._server.unwatch(self._channel.descriptor)
        self._server.drain(ORPHAN_GRACE)
