from __future__ import annotations

import io
import socket
import sys
import tempfile
from typing import Any

from zapp.server.file_wrapper import FileWrapper

from .server_case import Response, ServerCase, hello, read_response, reply

HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Answers(ServerCase):
    """What PEP 3333 lets an app do."""

    def test_lengths(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return {
                "/list": [b"one"],
                "/two": [b"one", b"two"],
                "/none": [],
                "/parts": iter([b"", b"one", b"", b"two"]),
            }[environ["PATH_INFO"]]

        self.serve(app, validate=False)
        for path, length, body in (("/list", "3", b"one"), ("/two", "6", b"onetwo"), ("/none", "0", b"")):
            found = self.get(path)
            self.assertEqual((found.fields.get("content-length"), found.body), (length, body))
        found = self.get("/parts")
        self.assertEqual(found.fields["transfer-encoding"], "chunked")
        self.assertEqual(found.body, b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")

    def test_no_body(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            status = environ["QUERY_STRING"] or "200"
            start_response(status + " x", [("Content-Length", "5")] if status != "204" else [])
            return [b"hello"]

        self.serve(app, validate=False)
        self.assertEqual(Response.parse(self.exchange(HEAD)).body, b"")
        self.assertEqual(Response.parse(self.exchange(HEAD)).fields["content-length"], "5")
        for status in ("204", "304"):
            found = self.get("/?" + status)
            self.assertEqual((found.status, found.body), (int(status), b""))
            self.assertNotIn("transfer-encoding", found.fields)
        self.assertNotIn("content-length", self.get("/?204").fields)

    def test_write_and_a_second_start_response(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "text/plain")])
            try:
                raise KeyError
            except KeyError:
                write = start_response("503 Sorry", [("Content-Type", "text/html")], sys.exc_info())
            write(b"one ")
            write(b"two ")
            return [b"three"]

        self.serve(app)
        found = self.get()
        self.assertEqual((found.status, found.fields["content-type"]), (503, "text/html"))
        self.assertEqual(found.body, b"4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n")

    def test_exc_info_after_the_head_ends_the_connection(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            write = start_response("200 OK", [("Content-Type", "text/plain")])
            write(b"one")
            try:
                raise KeyError("late")
            except KeyError:
                start_response("500 No", [("Content-Type", "text/plain")], sys.exc_info())
            return []

        self.serve(app)
        with self.errors() as text:
            answer = self.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(answer.endswith(b"3\r\none\r\n"), answer)
        self.assertIn("tests: GET /: KeyError: 'late'", text.getvalue())

    def test_what_is_between_two_hops_is_the_servers(self) -> None:
        fields = [
            ("Connection", "keep-alive"),
            ("Keep-Alive", "timeout=5"),
            ("Transfer-Encoding", "gzip"),
            ("X-Accel-Redirect", "/etc/passwd"),
            ("X-Sendfile", "/etc/passwd"),
            ("Date", "then"),
            ("X-Own", "1"),
        ]

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", fields)
            return [b"x"]

        self.serve(app, validate=False)
        found = self.get().fields
        self.assertEqual(found.pop("x-own"), "1")
        self.assertEqual(found, {"date": "then", "content-length": "1", "connection": "close"})

    def test_an_app_may_end_the_connection(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [("Connection", "close")])
            return [b"x"]

        self.serve(app, validate=False)
        self.assertIn(b"\r\nConnection: close\r\n", self.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))

    def test_files(self) -> None:
        data = bytes(range(256)) * 40_000

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            file: Any = open(name, "rb")
            if environ["PATH_INFO"] == "/memory":
                file.close()
                file = io.BytesIO(data)
            file.seek(10)
            opened.append(file)
            cut = environ["QUERY_STRING"]
            start_response("200 OK", [("Content-Length", cut)] if cut else [])
            return environ["wsgi.file_wrapper"](file)

        opened: list[Any] = []
        with tempfile.NamedTemporaryFile() as temp:
            temp.write(data)
            temp.flush()
            name = temp.name
            self.serve(app, validate=False)
            found = self.get("/file")
            self.assertEqual(found.fields["content-length"], str(len(data) - 10))
            self.assertEqual(found.body, data[10:])
            self.assertEqual(self.get("/file?100").body, data[10:110])
            with self.errors():
                self.assertEqual(self.get("/memory?100").body, data[10:110])
            self.assertEqual(len(self.get("/memory").body) > len(data), True)
            self.assertEqual(Response.parse(self.exchange(HEAD.replace(b"/ ", b"/file "))).body, b"")
        self.assertTrue(all(file.closed for file in opened))
        self.assertEqual(b"".join(FileWrapper(io.BytesIO(b"abc"), 2)), b"abc")

    def test_a_large_body_for_a_client_that_reads_late(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            return hello(environ, start_response) if environ["PATH_INFO"] == "/" else reply(start_response, b"x" * size)

        size = 900_000
        self.serve(app, threads=1)
        slow = [self.connect() for _ in range(4)]
        for sock in slow:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            sock.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        # They hold no thread, although they read nothing yet.
        self.assertEqual(self.get().body, b"hello")
        for sock in slow:
            self.assertEqual(len(read_response(sock).body), size)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(read_response(sock).body, b"hello")
