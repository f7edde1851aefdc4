from __future__ import annotations

import socket
from typing import Any

from .server_case import CLOSE, Response, ServerCase, hello, read_all, read_response, reply, seen


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
