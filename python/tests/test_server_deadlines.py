from __future__ import annotations

import socket
import sys
from typing import Any
from unittest import mock

from .server_case import ServerCase, hello, read_all, read_response, seen

#: Each module has its own name for them.
TIMES = ("HEAD_TIMEOUT", "KEEP_ALIVE", "STALL_TIMEOUT", "LINGER_TIMEOUT")


class Slow(ServerCase):
    """Clients that take their time; the times are cut short."""

    def setUp(self) -> None:
        times = {"_TICK": 0.05, **dict.fromkeys(TIMES, 0.2)}
        for module in [module for name, module in sys.modules.items() if name.startswith("zapp.server.")]:
            for name, seconds in times.items():
                if hasattr(module, name):
                    patcher = mock.patch.object(module, name, seconds)
                    patcher.start()
                    self.addCleanup(patcher.stop)

    def status_of(self, data: bytes) -> bytes:
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)[9:12]

    def test_heads_and_bodies_that_do_not_come(self) -> None:
        self.serve(seen)
        self.assertEqual(self.status_of(b""), b"")
        self.assertEqual(self.status_of(b"GET / HTTP/1.1\r\nHos"), b"408")
        self.assertEqual(self.status_of(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"), b"408")
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n"
        self.assertEqual(self.status_of(head + b"x" * 100_000), b"408")
        # After an answer a connection that stays silent ends without a word.
        with self.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            read_response(sock)
            self.assertEqual(sock.recv(1), b"")

    def test_a_body_that_trickles(self) -> None:
        self.serve(seen)
        # A byte now and then keeps no thread for ever; nor, where it is too little for a thread, the connection.
        for begun in (70_000, 10):
            with self.connect() as sock:
                sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + b"x" * begun)
                sock.settimeout(0.05)
                while True:
                    sock.sendall(b"x")
                    try:
                        answer = sock.recv(100)
                        break
                    except socket.timeout:
                        pass
            self.assertEqual(answer[9:12], b"408")

    def test_a_client_that_does_not_read(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            if environ["PATH_INFO"] == "/":
                return hello(environ, start_response)
            start_response("200 OK", [])
            return (b"x" * 100_000 for _ in range(1000))

        self.serve(app, threads=1, validate=False)
        with self.connect() as sock:
            sock.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
            # Its thread is free again.
            self.assertEqual(self.get().body, b"hello")
            self.assertFalse(read_all(sock).endswith(b"0\r\n\r\n"))
