from __future__ import annotations

import ast
import socket
from typing import Any
from unittest import mock

from zapp.server import body as body_module
from zapp.server import connection as connection_module
from zapp.server import connections as connections_module
from zapp.server import server as server_module
from zapp.server.poller import SelectorPoller

from .server_case import Response, ServerCase, hello, read_all, read_response, reply, seen

CLOSE = b"Connection: close\r\n"

#: What is sent, in the place of a request, and the status that it is answered with (SECURITY: HTTP attacks).
REFUSED = [
    (400, b"GET / HTTP/1.1\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a/../b@c\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n"),
    # Framing.
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n0123456789"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n"),
    (501, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
    (400, b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: x\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    # Chunks.
    *(
        (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        for body in (
            b"+3\r\nabc\r\n0\r\n\r\n",
            b"0x3\r\nabc\r\n0\r\n\r\n",
            b" 3\r\nabc\r\n0\r\n\r\n",
            b"\r\n",
            b"3_0\r\n",
            b"3\r\nabcd\r\n0\r\n\r\n",
            b"3\nabc\n0\n\n",
            b"3\r\nabc0\r\n\r\n",
            b"3;" + b"x" * 1000 + b"\r\nabc\r\n0\r\n\r\n",
            b"3;\x00\r\nabc\r\n0\r\n\r\n",
            b"fffffffffffffffff\r\n",
            b"0\r\nno colon\r\n\r\n",
            b"0\r\nX: " + b"x" * 5000 + b"\r\n\r\n",
            b"0\r\n" + b"X: y\r\n" * 1500 + b"\r\n",
        )
    ),
    # Request line.
    (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    (505, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    (505, b"GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (400, b"GET /\r\n\r\n"),
    (400, b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    (501, b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (501, b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (405, b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (405, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET http://other/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    (417, b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Length\r\n\r\n"),
    # Sizes.
    (414, b"GET /" + b"x" * 8192 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    (414, b"GET /" + b"x" * 20_000),
    (431, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 101 + b"\r\n"),
    (431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17_000 + b"\r\n\r\n"),
    (431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17_000),
]


class Refused(ServerCase):
    def test_what_no_app_gets_to_see(self) -> None:
        called: list[str] = []

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            environ["wsgi.input"].read()
            called.append(environ["PATH_INFO"])
            return hello(environ, start_response)

        self.serve(app)
        for status, data in REFUSED:
            with self.subTest(data[:120]):
                # Whatever follows must not be answered either.
                answer = self.exchange(
                    data + (b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n" if data[-2:] == b"\r\n" else b"")
                )
                self.assertEqual(int(answer[9:12]), status, answer)
                self.assertEqual(answer.count(b"\r\nDate: "), 1)
                self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertEqual(called, [])

    def test_a_head_that_arrives_byte_by_byte(self) -> None:
        self.serve(seen)
        with self.connect() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
                sock.sendall(bytes([byte]))
            found = ast.literal_eval(read_response(sock).body.decode())
        self.assertEqual((found["PATH_INFO"], found["body"]), ("/slow", 3))


class Environ(ServerCase):
    def setUp(self) -> None:
        self.serve(seen)

    def seen(self, path: str = "/", fields: str = "", line: str = "GET {} HTTP/1.1") -> dict[str, Any]:
        head = f"{line.format(path)}\r\nHost: a:80\r\nConnection: close\r\n{fields}\r\n"
        found: dict[str, Any] = ast.literal_eval(Response.parse(self.exchange(head.encode("latin-1"))).body.decode())
        return found

    def test_what_pep_3333_asks_for(self) -> None:
        found = self.seen("/a%20b/%C3%A9?x=%2F&y", "X-A: 1\r\nX-A: 2\r\nCookie: a=1\r\nCookie: b=2\r\n")
        self.assertEqual(found["PATH_INFO"], "/a b/é".encode().decode("latin-1"))
        self.assertEqual((found["SCRIPT_NAME"], found["QUERY_STRING"]), ("", "x=%2F&y"))
        self.assertEqual((found["HTTP_X_A"], found["HTTP_COOKIE"]), ("1, 2", "a=1; b=2"))
        self.assertEqual((found["REMOTE_ADDR"], found["SERVER_PROTOCOL"]), ("127.0.0.1", "HTTP/1.1"))
        self.assertEqual(self.seen("http://a:80/x")["PATH_INFO"], "/x")
        self.assertEqual(self.seen(line="GET / HTTP/1.0")["SERVER_PROTOCOL"], "HTTP/1.0")

    def test_what_a_client_may_not_say(self) -> None:
        fields = (
            "X_Forwarded_For: 6.6.6.6\r\nContent_Length: 5\r\nProxy: http://evil\r\nForwarded: for=6.6.6.6\r\n"
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /evil\r\nX-Real-IP: 6.6.6.6\r\n"
            "Upgrade: h2c\r\nHTTP2-Settings: x\r\nX-Mine: 1\r\n"
        )
        found = self.seen(fields=fields + "Connection: X-Mine, X-Forwarded-For, Upgrade, HTTP2-Settings\r\n")
        self.assertNotIn("evil", repr(found))
        self.assertNotIn("6.6.6.6", repr(found))
        self.assertEqual((found["SCRIPT_NAME"], found["HTTP_X_FORWARDED_PROTO"]), ("", "http"))
        self.assertEqual(found["HTTP_X_FORWARDED_FOR"], "127.0.0.1")
        for name in ("HTTP_UPGRADE", "HTTP_HTTP2_SETTINGS", "HTTP_X_MINE", "HTTP_PROXY"):
            self.assertNotIn(name, found)
        self.assertEqual(found["CONTENT_LENGTH"], "")

    def test_what_a_trusted_proxy_may_say(self) -> None:
        fields = (
            "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n"
            "X-Forwarded-Prefix: /shop\r\n"
        )
        self.serve(seen, proxies=["127.0.0.1"])
        found = self.seen("/x", fields)
        self.assertEqual((found["REMOTE_ADDR"], found["wsgi.url_scheme"]), ("192.0.2.7", "https"))
        self.assertEqual((found["SERVER_NAME"], found["SERVER_PORT"]), ("shop.example", "443"))
        self.assertEqual((found["SCRIPT_NAME"], found["PATH_INFO"]), ("/shop", "/x"))
        found = self.seen("/x", "X-Forwarded-Host: a/../b@c\r\nX-Forwarded-Proto: javascript\r\n")
        self.assertEqual((found["HTTP_HOST"], found["wsgi.url_scheme"]), ("a:80", "http"))
        self.assertEqual(found["REMOTE_ADDR"], "127.0.0.1")

    def test_fields_of_one_request_are_not_those_of_the_next(self) -> None:
        with self.connect() as sock:
            for index, fields in enumerate([b"X-A: 1\r\n", b"X-A: 1\r\n", b"", b"X-B: 1\r\n"]):
                sock.sendall(b"GET /%d HTTP/1.1\r\nHost: a\r\n%b\r\n" % (index, fields))
                found = ast.literal_eval(read_response(sock).body.decode())
                # What this server adds to every request: who the client is, and the request's id.
                names = {name for name in found if name.startswith("HTTP_X_") and "FORWARDED" not in name}
                names.discard("HTTP_X_REQUEST_ID")
                self.assertEqual(names, {"HTTP_X_A"} if index < 2 else {"HTTP_X_B"} if index == 3 else set())
                self.assertEqual(found["PATH_INFO"], f"/{index}")


class Bodies(ServerCase):
    def test_lengths(self) -> None:
        self.serve(seen)
        for size in (0, 1, 65_535, 65_537, 10_000_000):
            with self.subTest(size):
                body = b"x" * size
                head = b"POST / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"Content-Length: %d\r\n\r\n" % size
                self.assertIn(f"'body': {size}}}".encode(), self.exchange(head + body))
                head = b"POST / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n"
                chunks = [body[at : at + 50_000] for at in range(0, size, 50_000)]
                coded = b"".join(b"%x;a=b\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
                end = b"0\r\nX-Trailer: 1\r\nHost: evil\r\n\r\n"
                answer = self.exchange(head + coded + end)
                self.assertIn(f"'body': {size}}}".encode(), answer)
                self.assertNotIn(b"evil", answer)

    def test_the_ways_to_read(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            if environ["REQUEST_METHOD"] == "GET":
                return hello(environ, start_response)
            body = environ["wsgi.input"]
            found = [
                body.readline(),
                body.readline(3),
                body.read(2),
                next(iter(body)),
                body.readlines(1),
                body.readlines(),
            ]
            found += [body.read(), body.read(5), body.readline()]
            return reply(start_response, repr(found).encode())

        self.serve(app, validate=False)
        parts = [b"one\n", b"two", b" t", b"hree\n", b"four\n", b"five\n", b"six"]
        expected = repr([b"one\n", b"two", b" t", b"hree\n", [b"four\n"], [b"five\n", b"six"], b"", b"", b""]).encode()
        text = b"".join(parts)
        # What follows on the connection is not of the body.
        after = b"GET / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n"
        whole = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b%b" % (len(text), text, after)
        self.assertIn(expected, self.exchange(whole))
        coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertIn(expected, self.exchange(head + coded + after))
        # A long one is read from the connection, part by part.
        long = b"y" * 100_000 + b"\n"
        self.assertIn(
            repr(b"one\n").encode(),
            self.exchange(
                b"POST / HTTP/1.1\r\nHost: a\r\n"
                + CLOSE
                + b"Content-Length: %d\r\n\r\n%b%b" % (len(text + long), text, long)
            ),
        )

    def test_expect(self) -> None:
        self.serve(seen)
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n" + CLOSE + b"\r\n"
        with self.connect() as sock:
            sock.sendall(head)
            self.assertEqual(sock.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            sock.sendall(b"abc")
            self.assertIn(b"'body': 3}", read_all(sock))

    def test_expect_of_an_app_that_does_not_read(self) -> None:
        self.serve(hello)
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        answer = self.exchange(head)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)

    def test_what_an_app_does_not_read_is_no_request(self) -> None:
        self.serve(hello)
        body = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        small = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        with self.connect() as sock:
            for _ in range(3):
                sock.sendall(small)
                self.assertEqual(read_response(sock).body, b"hello")
        medium = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500_000
        chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7a120\r\n" + medium[-500_000:]
        with self.connect() as sock:
            for request in (medium, chunked + b"\r\n0\r\n\r\n", small):
                sock.sendall(request)
                self.assertEqual(read_response(sock).body, b"hello")
        # More than that is not read for nothing: the connection ends, but not before the answer is there.
        large = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000
        self.assertEqual(Response.parse(self.exchange(large)).body, b"hello")
        broken = chunked + b"no chunk\r\n" + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        self.assertEqual(self.exchange(broken).count(b"Date: "), 1)

    def test_a_client_that_leaves_in_the_middle(self) -> None:
        failures: list[BaseException] = []

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            try:
                environ["wsgi.input"].read()
            except OSError as error:
                failures.append(error)
                raise
            return hello(environ, start_response)

        self.serve(app, validate=False)
        with self.connect() as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000)
            sock.shutdown(socket.SHUT_WR)
            self.assertIn(b"HTTP/1.1 400 ", read_all(sock))
        self.assertEqual(len(failures), 1)
        self.assertEqual(self.get().status, 200)


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


class Slow(ServerCase):
    """Clients that take their time; the times are cut short."""

    def setUp(self) -> None:
        for name, seconds in (
            ("_TICK", 0.05),
            ("HEAD_TIMEOUT", 0.2),
            ("KEEP_ALIVE", 0.2),
            ("STALL_TIMEOUT", 0.2),
            ("LINGER_TIMEOUT", 0.2),
        ):
            for module in (body_module, connection_module, connections_module, server_module):
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


class OtherSystems(Connections):
    """Without epoll."""

    def setUp(self) -> None:
        patcher = mock.patch.object(server_module, "make_poller", SelectorPoller)
        patcher.start()
        self.addCleanup(patcher.stop)
