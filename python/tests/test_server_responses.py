from __future__ import annotations

import gzip
import io
import json
import socket
import sys
import tempfile
from typing import Any, Iterator

from zapp.server.access_log import LineLog
from zapp.server.file_wrapper import FileWrapper

from .server_case import Response, ServerCase, hello, read_response, reply
from .test_entries import ECHO, WSGI
from .wsgi_case import WsgiCase

HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Body:
    """What an app returns; tells whether it was closed."""

    def __init__(self, parts: Iterator[bytes]):
        self._parts = parts
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        self.is_closed = True


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


class Misbehaving(ServerCase):
    """After each of these apps the server goes on."""

    def check(self, app: Any, status: int, message: str) -> bytes:
        """:param status: 0: half of an answer, and the end of the connection"""
        self.serve(app, validate=False)
        with self.errors() as text:
            answer = self.exchange(b"GET /boom?%1b HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        if status:
            self.assertEqual(int(answer[9:12]), status, answer)
            self.assertTrue(
                answer.endswith(b"500 Internal Server Error\nThe app has failed.\n") or status != 500, answer
            )
        self.assertIn(f"tests: GET /boom?%1b: {message}", text.getvalue())
        return answer

    def test_raises(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            raise ZeroDivisionError("early")

        self.check(app, 500, "ZeroDivisionError: early")

    def test_exits(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            sys.exit(3)

        self.check(app, 500, "SystemExit: 3")

    def test_raises_after_start_response(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [])
            raise ZeroDivisionError("late")

        self.check(app, 500, "ZeroDivisionError: late")

    def test_raises_in_its_body(self) -> None:
        def parts() -> Iterator[bytes]:
            yield b"one"
            raise ZeroDivisionError("in the body")

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [])
            return body

        body = Body(parts())
        answer = self.check(app, 0, "ZeroDivisionError: in the body")
        self.assertTrue(answer.endswith(b"3\r\none\r\n"), answer)
        self.assertTrue(body.is_closed)

    def test_half_of_a_body_that_only_the_end_of_the_connection_ends(self) -> None:
        def parts() -> Iterator[bytes]:
            yield b"one"
            raise ZeroDivisionError

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [])
            return parts()

        self.serve(app, validate=False)
        with self.errors(), self.assertRaises(ConnectionResetError):
            self.exchange(b"GET / HTTP/1.0\r\n\r\n")

    def test_close_raises(self) -> None:
        class Bad(Body):
            def close(self) -> None:
                raise ZeroDivisionError("closing")

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [("Connection", "close")])
            return Bad(iter([b"x"]))

        self.check(app, 200, "close(): ZeroDivisionError: closing")

    def test_does_not_call_start_response(self) -> None:
        self.check(lambda environ, start_response: [b"x"], 500, "RuntimeError: the app did not call start_response")

    def test_returns_nothing(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [])

        self.check(app, 500, "TypeError: ")

    def test_returns_str(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [])
            return ["text"]

        self.check(app, 500, "TypeError: a body must be bytes, got str")

    def test_bad_heads(self) -> None:
        heads: list[tuple[Any, Any]] = [
            ("200 OK", [("X", "a\r\nSet-Cookie: b=c")]),
            ("200 OK", [("X", "a\nSet-Cookie: b=c")]),
            ("200 OK", [("X", "a\rb")]),
            ("200 OK", [("X", "a\0b")]),
            ("200 OK", [("X", "\u20ac")]),
            ("200 OK", [("X\r\nY", "a")]),
            ("200 OK", [("X Y", "a")]),
            ("200 OK", [("", "a")]),
            ("200 OK", [(b"X", b"a")]),
            ("200 OK", [("X", 5)]),
            ("200 OK", [("Content-Length", "+5")]),
            ("200 OK", [("Content-Length", "5"), ("Content-Length", "6")]),
            ("200 OK\r\nX: y", []),
            ("101 Switching Protocols", []),
            ("20 OK", []),
            (b"200 OK", []),
            (200, []),
        ]

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response(*heads[int(environ["QUERY_STRING"])])
            return [b"x"]

        self.serve(app, validate=False)
        for index, head in enumerate(heads):
            with self.subTest(head), self.errors() as text:
                found = self.get(f"/?{index}")
                self.assertEqual((found.status, found.fields.get("set-cookie")), (500, None))
                self.assertIn("Error: ", text.getvalue())

    def test_a_body_that_is_too_long_is_cut(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [("Content-Length", "3")])
            return iter([b"on", b"e two", b"three"])

        answer = self.check(app, 200, "the body is 9 bytes longer than its Content-Length")
        self.assertTrue(answer.endswith(b"\r\n\r\none"), answer)

    def test_a_body_that_is_too_short_ends_the_connection(self) -> None:
        def app(environ: dict[str, Any], start_response: Any) -> Any:
            start_response("200 OK", [("Content-Length", "30")])
            return iter([b"one"])

        answer = self.check(app, 0, "RuntimeError: the body is 27 bytes shorter than its Content-Length")
        self.assertEqual(answer.count(b"Date: "), 1)

    def test_a_client_that_goes_is_nobodys_fault(self) -> None:
        def parts() -> Iterator[bytes]:
            while True:
                yield b"x" * 100_000

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            if environ["PATH_INFO"] == "/":
                return hello(environ, start_response)
            start_response("200 OK", [])
            return body

        body = Body(parts())
        self.serve(app, threads=1, validate=False)
        with self.errors() as text:
            with self.connect() as sock:
                sock.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
                sock.recv(10)
            self.assertEqual(self.get().body, b"hello")
        self.assertEqual(text.getvalue(), "")
        self.assertTrue(body.is_closed)


class Log(ServerCase):
    def test_one_line_for_each_request(self) -> None:
        self.serve(hello, log=LineLog())
        with self.errors() as text:
            self.get('/a"b%00')
            self.status(b"\x00\r\n\r\n")
            self.status(b"GET /b HTTP/1.1\r\n\r\n")
            self.server.stop_soon(5)
            self.thread.join()
        lines = text.getvalue().splitlines()
        time = r"20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}Z 127\.0\.0\.1 "
        self.assertRegex(lines[0], "^" + time + r'"GET /a\\x22b%00 HTTP/1\.1" 200 [0-9]+ [0-9]+\.[0-9]ms /$')
        self.assertRegex(lines[1], "^" + time + r'"-" 400 [0-9]+ [0-9.]+ms -$')
        self.assertRegex(lines[2], "^" + time + r'"GET /b HTTP/1\.1" 400 ')
        self.assertEqual(len(lines), 3)


class Loaded(ServerCase, WsgiCase):
    def test_an_archive(self) -> None:
        """Between the server and the loader, and between the loader and the app, wsgiref.validate finds nothing."""
        code = "from wsgiref.validate import validator\n" + ECHO + "\napplication = validator(application)\n"
        routes = {"/": {"static": "public", "else": {"entry": "main"}}, "/old": {"redirect": {"to": "/new"}}}
        app = self.load({**WSGI, "routes": routes}, {"zt_app.py": code, "public/a.txt": "a" * 5000}, "/shop")
        self.serve(app)
        self.assertEqual(self.get("/shop/a.txt").body, b"a" * 5000)
        self.assertEqual(self.get("/shop/a.txt", "Range: bytes=1-2\r\n").body, b"aa")
        gzipped = self.get("/shop/a.txt", "Accept-Encoding: gzip\r\n")
        self.assertEqual(gzip.decompress(gzipped.body), b"a" * 5000)
        etag = gzipped.fields["etag"]
        found = self.get("/shop/a.txt", f"Accept-Encoding: gzip\r\nIf-None-Match: {etag}\r\n")
        self.assertEqual((found.status, found.body), (304, b""))
        self.assertEqual(self.get("/shop/old").fields["location"], "/shop/new")
        self.assertEqual(self.get("/other").status, 404)
        self.assertEqual(self.get("/shop/%2e%2e/x").status, 400)
        for path, info in (("/x", "/x"), ("/a%2Fb", "/a/b"), ("/caf%C3%A9?x", "/café".encode().decode("latin-1"))):
            seen = json.loads(self.get("/shop" + path, "Content-Length: 2\r\n", b"hi").content)
            self.assertEqual((seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["body"]), ("/shop", info, "hi"))
