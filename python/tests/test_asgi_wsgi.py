from __future__ import annotations

import asyncio
import threading
from typing import Any

from .asgi_case import AsgiCase, Exchange, fetch, http_scope, seen


class Bridge(AsgiCase):
    """WSGI applications under ASGI."""

    def app(self, code: str, **manifest: Any) -> Any:
        return self.load_asgi(
            {"entry": {"type": "wsgi", "app": "zt_app:application"}, **manifest}, {"zt_app.py": code}, "/shop"
        )

    def test_environ(self) -> None:
        code = """
import json
from wsgiref.validate import validator
@validator
def application(environ, start_response):
    body = environ["wsgi.input"].read(3) + environ["wsgi.input"].read(100)
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({**seen, "body": body.decode()}).encode()]
"""
        app = self.app(code)
        headers = {"X-A": "1", "X_A": "2", "Proxy": "evil", "Content-Type": "text/plain", "Content-Length": "11"}

        async def work() -> None:
            found = await seen(app, "/shop/caf%C3%A9/a%2fb?x=%2F", method="POST", body=b"hello world", headers=headers)
            self.assertEqual((found["SCRIPT_NAME"], found["QUERY_STRING"]), ("/shop", "x=%2F"))
            self.assertEqual(found["PATH_INFO"].encode("latin-1").decode(), "/café/a/b")
            self.assertEqual((found["HTTP_X_A"], found["CONTENT_TYPE"], found["body"]), ("1", "text/plain", "hello world"))
            self.assertEqual((found["REMOTE_ADDR"], found["SERVER_PROTOCOL"]), ("192.0.2.1", "HTTP/1.1"))
            self.assertNotIn("HTTP_PROXY", found)
            self.assertEqual((await seen(app, "/shop", server=("/run/a.sock", None)))["SERVER_NAME"], "localhost")

        self.run_async(work)

    def test_streams_in_both_directions_and_closes(self) -> None:
        code = """
import threading
closed = threading.Event()
class Body:
    def __init__(self, stream): self.stream = stream
    def __iter__(self): return self
    def __next__(self):
        part = self.stream.readline()
        if not part: raise StopIteration
        return part.upper()
    def close(self): closed.set()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Body(environ["wsgi.input"])
"""
        app = self.app(code)

        async def work() -> None:
            arrived: "asyncio.Queue[Any]" = asyncio.Queue()
            answered: "asyncio.Queue[Any]" = asyncio.Queue()
            task = asyncio.ensure_future(app(http_scope("/shop/", "POST"), arrived.get, answered.put))
            await arrived.put({"type": "http.request", "body": b"one\n", "more_body": True})
            self.assertEqual((await answered.get())["status"], 200)
            # What was sent is answered before the rest has come.
            self.assertEqual((await answered.get())["body"], b"ONE\n")
            await arrived.put({"type": "http.request", "body": b"two\n"})
            self.assertEqual((await answered.get())["body"], b"TWO\n")
            self.assertFalse((await answered.get()).get("more_body"))
            await task

        self.run_async(work)
        import zt_app

        self.assertTrue(zt_app.closed.is_set())

    def test_ends_when_the_client_has_gone(self) -> None:
        code = """
import threading
closed = threading.Event()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        while True:
            yield b"x" * 1000
    finally:
        closed.set()
"""
        app = self.app(code)

        async def work() -> None:
            exchange = Exchange({"type": "http.request"})

            async def send(message: Any) -> None:
                exchange.gone.set()

            await app(http_scope("/shop/"), exchange.receive, send)

        self.run_async(work)
        import zt_app

        self.assertTrue(zt_app.closed.wait(30))

    def test_a_body_that_breaks_off_is_an_error_for_its_reader(self) -> None:
        code = """
read = []
def application(environ, start_response):
    try:
        read.append(environ["wsgi.input"].read())
    except OSError as error:
        read.append(error)
        raise
"""
        app = self.app(code)

        async def work() -> None:
            exchange = Exchange(
                {"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}
            )
            await app(http_scope("/shop/", "POST"), exchange.receive, exchange.send)
            self.assertEqual(exchange.sent, [])

        self.run_async(work)
        import zt_app

        self.assertIsInstance(zt_app.read[0], OSError)

    def test_no_more_threads_than_it_declares(self) -> None:
        code = """
import threading
gate = threading.Barrier(3)
running = []
def application(environ, start_response):
    running.append(1)
    most = len(running)
    if environ["PATH_INFO"] == "/meet":
        gate.wait(30)
    start_response("200 OK", [("Content-Type", "text/plain")])
    running.pop()
    return [str(most).encode()]
"""
        app = self.app(code, workers={"threads": 3})

        async def work() -> None:
            meeting = await asyncio.gather(*(fetch(app, "/shop/meet") for _ in range(3)))
            self.assertEqual({answer.status for answer in meeting}, {200})
            many = await asyncio.gather(*(fetch(app, "/shop/") for _ in range(50)))
            self.assertLessEqual(max(int(answer.body) for answer in many), 3)

        self.run_async(work)
        self.assertLessEqual(sum(thread.name.startswith("zapp-wsgi") for thread in threading.enumerate()), 3)

    def test_what_the_application_raises_is_the_servers(self) -> None:
        app = self.app("def application(environ, start_response):\n    raise ValueError('mine')\n")

        async def work() -> None:
            with self.assertRaisesRegex(ValueError, "mine"):
                await fetch(app, "/shop/")

        self.run_async(work)
