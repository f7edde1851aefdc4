from __future__ import annotations

import sys
from typing import Any, Iterator

from .server_case import Body, ServerCase, hello


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
