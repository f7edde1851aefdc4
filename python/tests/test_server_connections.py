from __future__ import annotations

import ast
import socket
from typing import Any
from unittest import mock

from zapp.server import server as server_module
from zapp.server.poller import SelectorPoller

from .server_case import CLOSE, ServerCase, hello, read_all, read_response, seen


class Connections(ServerCase):
    def test_pipelined(self) -> None:
        self.serve(seen)
        requests = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % index for index in range(99)]
        with self.connect() as sock:
            sock.sendall(b"\r\n" + b"".join(requests) + b"GET /99 HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
            rest = bytearray()
            for index in range(100):
                found = ast.literal_eval(read_response(sock, rest).body.decode())
                self.assertEqual(found["PATH_INFO"], f"/{index}")
            self.assertEqual(sock.recv(1), b"")

    def test_a_half_closed_connection_gets_its_answer(self) -> None:
        self.serve(hello)
        with self.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            sock.shutdown(socket.SHUT_WR)
            self.assertTrue(read_all(sock).endswith(b"hello"))

    def test_http_1_0(self) -> None:
        def stream(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return iter([b"a", b"b"])

        self.serve(stream)
        answer = self.exchange(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        self.assertNotIn(b"chunked", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\nab"))

    def test_http_1_0_keep_alive(self) -> None:
        self.serve(hello)
        with self.connect() as sock:
            for _ in range(2):
                sock.sendall(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
                self.assertEqual(read_response(sock).fields["connection"], "keep-alive")
        self.assertTrue(self.exchange(b"GET / HTTP/1.0\r\n\r\n").endswith(b"hello"))

    def test_a_slow_app_keeps_nobody_waiting(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            if environ["PATH_INFO"] == "/slow":
                release.recv(1)
            return hello(environ, start_response)

        release, hold = socket.socketpair()
        self.addCleanup(release.close)
        self.addCleanup(hold.close)
        self.serve(app, threads=3)
        slow = [self.connect() for _ in range(2)]
        for sock in slow:
            sock.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(20):
            self.assertEqual(self.get().body, b"hello")
        hold.sendall(b"xx")
        for sock in slow:
            self.assertEqual(read_response(sock).body, b"hello")

    def test_requests_wait_when_every_thread_is_busy(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            release.recv(1)
            return hello(environ, start_response)

        release, hold = socket.socketpair()
        self.addCleanup(release.close)
        self.addCleanup(hold.close)
        self.serve(app, threads=1)
        waiting = [self.connect() for _ in range(5)]
        for sock in waiting:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        # Somebody listens still: what is no request is refused although all threads are busy.
        self.assertEqual(self.status(b"GET / HTTP/3.0\r\n\r\n"), 505)
        hold.sendall(b"xxxxx")
        for sock in waiting:
            self.assertEqual(read_response(sock).body, b"hello")


class OtherSystems(Connections):
    """Without epoll."""

    def setUp(self) -> None:
        patcher = mock.patch.object(server_module, "make_poller", SelectorPoller)
        patcher.start()
        self.addCleanup(patcher.stop)
