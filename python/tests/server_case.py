from __future__ import annotations

import contextlib
import io
import socket
import threading
import unittest
from typing import Any, Callable, Container, Iterator, Optional
from wsgiref.validate import validator

from zapp.server.listener import Origin, listen_tcp
from zapp.server.respond import Responder
from zapp.server.server import Server

App = Callable[..., Any]

CLOSE = b"Connection: close\r\n"


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return reply(start_response, b"hello")


def reply(start_response: Any, body: bytes) -> list[bytes]:
    # With a length: wsgiref.validate hides that the body is a list of one.
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def seen(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers with what it sees: texts of environ, and the length of the body."""
    texts = {key: value for key, value in environ.items() if isinstance(value, str)}
    length = 0
    while True:
        data = environ["wsgi.input"].read(10_000)
        if not data:
            break
        length += len(data)
    return reply(start_response, ascii({**texts, "body": length}).encode("ascii"))


class Body:
    """What an app returns; tells whether it was closed."""

    def __init__(self, parts: Iterator[bytes]):
        self._parts = parts
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        self.is_closed = True


class ServerCase(unittest.TestCase):
    """A server in this process, and clients that write bytes."""

    def serve(
        self, app: App, *, threads: int = 4, validate: bool = True, proxies: Container[str] = (), **options: Any
    ) -> int:
        """:returns: the port"""
        responder = Responder(validator(app) if validate else app, "tests", "", **options)
        server = self.server = Server(responder, threads)
        listener = listen_tcp("127.0.0.1", 0)
        port = int(listener.getsockname()[1])
        origin = Origin("127.0.0.1", str(port), multithread=True, multiprocess=False, proxies=proxies)
        server.acceptor.listen(listener, origin)
        thread = self.thread = threading.Thread(target=self.server.run)
        thread.start()
        self.port = port

        def stop() -> None:
            server.stop_soon(0.2)
            thread.join()

        self.addCleanup(stop)
        return port

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self.addCleanup(sock.close)
        return sock

    def exchange(self, data: bytes) -> bytes:
        """All that comes until the server ends the connection, which a request without keep-alive makes it do."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)

    def status(self, data: bytes) -> int:
        return int(self.exchange(data)[9:12])

    def get(self, path: str = "/", fields: str = "", body: bytes = b"") -> "Response":
        head = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n"
        return Response.parse(self.exchange(head.encode("latin-1") + body))

    @contextlib.contextmanager
    def errors(self) -> Iterator[io.StringIO]:
        """What is written to stderr."""
        with contextlib.redirect_stderr(io.StringIO()) as text:
            yield text


class Response:
    def __init__(self, status: int, fields: dict[str, str], body: bytes):
        self.status = status
        self.fields = fields
        self.body = body

    @property
    def content(self) -> bytes:
        """The body, without its chunks."""
        if self.fields.get("transfer-encoding") != "chunked":
            return self.body
        found, rest = b"", self.body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            found += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return found

    @staticmethod
    def parse(data: bytes) -> "Response":
        head, _, body = data.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        pairs = (field.partition(": ") for field in fields)
        return Response(int(line[9:12]), {name.lower(): value for name, _, value in pairs}, body)


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while True:
        part = sock.recv(65536)
        if not part:
            return data
        data += part


def read_response(sock: socket.socket, rest: Optional[bytearray] = None) -> Response:
    """One response with a Content-Length."""
    data = rest if rest is not None else bytearray()
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part:
            raise EOFError(bytes(data))
        data += part
    head, _, _ = bytes(data).partition(b"\r\n\r\n")
    response = Response.parse(head + b"\r\n\r\n")
    end = len(head) + 4 + int(response.fields.get("content-length", "0"))
    while len(data) < end:
        part = sock.recv(65536)
        if not part:
            raise EOFError(bytes(data))
        data += part
    response.body = bytes(data[len(head) + 4 : end])
    del data[:end]
    return response
