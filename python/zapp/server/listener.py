from __future__ import annotations

import errno
import os
import socket
import sys
from typing import Any, Container, Optional, Tuple

from ..errors import fail
from .file_wrapper import FileWrapper

#: Connections that wait for accept(). The system cuts it to its own limit.
BACKLOG = 2048

#: Addresses of a connection as the socket module has them, ours and the peer's; None where it has to be asked for.
Ends = Tuple[Optional[Tuple[Any, ...]], Optional[Tuple[Any, ...]]]


class Origin:
    """Where connections come from, and so who is believed."""

    def __init__(
        self,
        server_name: str,
        server_port: str,
        *,
        multithread: bool,
        multiprocess: bool,
        is_trusted: bool = False,
        is_handed_over: bool = False,
        proxies: Container[str] = (),
    ):
        #: Our own front, on a socket that nobody else can reach: it says who the client is.
        self.is_trusted = is_trusted
        #: Addresses of peers that are believed as well.
        self.proxies = proxies
        #: Sockets that another process has accepted, and takes back.
        self.is_handed_over = is_handed_over
        #: Its connections end with their next response.
        self.is_ending = False
        self._environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": multithread,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
            "SERVER_SOFTWARE": "zapp",
            "SERVER_NAME": server_name,
            "SERVER_PORT": server_port,
            "SCRIPT_NAME": "",
            # Empty or missing, says PEP 3333; wsgiref and uWSGI have them empty, so nobody's code fails for them.
            "CONTENT_TYPE": "",
            "CONTENT_LENGTH": "",
        }

    def environ_of(self, sock: socket.socket, ends: Ends) -> dict[str, Any]:
        """What all requests of one connection have in common."""
        environ = dict(self._environ)
        if self.is_trusted:
            environ["REMOTE_ADDR"] = ""
            return environ
        if self.is_handed_over:
            own = ends[0] or sock.getsockname()
            environ["SERVER_NAME"], environ["SERVER_PORT"] = _plain(own[0]), str(own[1])
        peer = ends[1] or sock.getpeername()
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = _plain(peer[0]), str(peer[1])
        return environ


def _plain(address: str) -> str:
    """An IPv4 peer of a listener for both families is written as IPv4."""
    return address[7:] if address.startswith("::ffff:") else address


def listen_tcp(host: str, port: int) -> socket.socket:
    """:raises ZappError: PORT_IN_USE, IO"""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, _, _, where = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind)
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise fail("PORT_IN_USE", address=address) from error
        raise fail("IO", operation=f"listening on {address}", reason=str(error)) from error
    listener.setblocking(False)
    return listener


def listen_unix(path: str) -> socket.socket:
    """A socket that only this user can connect to. :raises ZappError: IO"""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise fail("IO", path, operation="listening", reason=str(error)) from error
    listener.setblocking(False)
    return listener
