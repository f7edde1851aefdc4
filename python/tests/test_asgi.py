from __future__ import annotations

import asyncio
import gzip
import json
import os
import threading
from functools import partial
from typing import Any

from .asgi_case import AsgiCase, Exchange, fetch, http_scope

#: Tells what it sees; greets on a WebSocket; keeps something in the state of its lifespan.
ECHO = """
import json, os
events = []
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            events.append(kind)
            scope["state"]["pool"] = "open"
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": scope["root_path"] + "|" + scope["path"]})
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    seen = {key: scope[key] for key in ("root_path", "path", "method")}
    seen["raw_path"], seen["query"] = scope["raw_path"].decode(), scope["query_string"].decode()
    seen["body"], seen["state"], seen["mode"] = body.decode(), dict(scope.get("state", {})), os.environ.get("ZT_MODE")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
"""
ASGI = {"entry": {"type": "asgi", "app": "zt_app:application"}}


async def seen(app: Any, target: str = "/", **more: Any) -> "dict[str, Any]":
    found: "dict[str, Any]" = json.loads((await fetch(app, target, **more)).body)
    return found


async def handshake(app: Any, target: str) -> "list[Any]":
    exchange = Exchange({"type": "websocket.connect"})
    scope = {**http_scope(target), "type": "websocket", "scheme": "ws"}
    del scope["method"]
    await app(scope, exchange.receive, exchange.send)
    return list(exchange.sent)


class Paths(AsgiCase):
    def test_root_path_grows_and_path_includes_it(self) -> None:
        routes = {"/api/*": {"entry": "main", "strip": True}, "/": {"entry": "main"}}
        app = self.load_asgi({**ASGI, "routes": routes}, {"zt_app.py": ECHO}, "/shop")

        async def work() -> None:
            rows = {
                "/shop": ("/shop", "/shop", "/shop"),
                "/shop/a%20b?x=%2F&y": ("/shop", "/shop/a b", "/shop/a%20b"),
                "/shop/a%2fb": ("/shop", "/shop/a/b", "/shop/a%2fb"),
                "/shop/caf%C3%A9": ("/shop", "/shop/café", "/shop/caf%C3%A9"),
                "/shop/api/v1": ("/shop/api", "/shop/api/v1", "/shop/api/v1"),
            }
            for target, (root, path, raw) in rows.items():
                with self.subTest(target):
                    found = await seen(app, target)
                    self.assertEqual((found["root_path"], found["path"], found["raw_path"]), (root, path, raw))
                    self.assertEqual(found["query"], target.partition("?")[2])
            self.assertEqual((await fetch(app, "/shopping")).status, 404)
            self.assertEqual((await fetch(app, "/shop/%2e%2e/x")).status, 400)
            self.assertEqual((await fetch(app, "/shop//evil.example")).status, 400)

        self.run_async(work)

    def test_what_is_in_front_of_the_app_may_tell_the_path_in_its_way(self) -> None:
        app = self.load_asgi(ASGI, {"zt_app.py": ECHO})
        ways = {
            "specification": {"root_path": "/out", "path": "/out/a b", "raw_path": b"/out/a%20b"},
            "path without root_path, as once": {"root_path": "/out", "path": "/a b", "raw_path": b"/a%20b"},
            "raw_path of before it was rewritten": {"root_path": "/out", "path": "/a b", "raw_path": b"/old/x"},
            "no raw_path": {"root_path": "/out", "path": "/out/a b", "raw_path": None},
        }

        async def work() -> None:
            for name, way in ways.items():
                with self.subTest(name):
                    found = await seen(app, **way)
                    self.assertEqual((found["root_path"], found["path"]), ("/out", "/out/a b"))
            # The same mount, said twice.
            inner = self.load_asgi(ASGI, {"zt_app.py": ECHO}, "/shop", name="inner.zapp")
            found = await seen(inner, root_path="/out/shop", path="/out/shop/x", raw_path=b"/out/shop/x")
            self.assertEqual((found["root_path"], found["path"]), ("/out/shop", "/out/shop/x"))

        self.run_async(work)


class Answers(AsgiCase):
    def test_files_of_any_size_conditions_and_pages(self) -> None:
        text = b"".join(b"%d\n" % i for i in range(400_000))
        routes = {"/": {"static": "public"}, "/old": {"redirect": {"to": "/new"}}}
        files = {"public/big.txt": text, "public/a.txt": "a" * 2_000, "lost.html": "lost"}
        app = self.load_asgi({"routes": routes, "errors": {"404": "lost.html"}}, files, "/shop")

        async def work() -> None:
            for _ in range(2):
                self.assertEqual((await fetch(app, "/shop/big.txt")).body, text)
                packed = await fetch(app, "/shop/big.txt", headers={"Accept-Encoding": "gzip"})
                self.assertEqual(gzip.decompress(packed.body), text)
                found = await fetch(app, "/shop/a.txt")
                self.assertEqual((found.status, found.body), (200, b"a" * 2_000))
            again = await fetch(app, "/shop/a.txt", headers={"If-None-Match": found.headers["etag"]})
            self.assertEqual((again.status, again.body), (304, b""))
            head = await fetch(app, "/shop/big.txt", "HEAD")
            self.assertEqual((head.headers["content-length"], head.body), (str(len(text)), b""))
            self.assertEqual((await fetch(app, "/shop/nothing")).body, b"lost")
            self.assertEqual((await fetch(app, "/shop/old")).headers["location"], "/shop/new")

        self.run_async(work)

    def test_a_client_that_goes_is_not_read_for(self) -> None:
        app = self.load_asgi({"routes": {"/": {"static": "public"}}}, {"public/big.bin": os.urandom(8_000_000)})

        async def work() -> None:
            exchange = Exchange({"type": "http.request"})
            await_send = exchange.send

            async def send(message: Any) -> None:
                await await_send(message)
                exchange.gone.set()
                await asyncio.sleep(0)

            await app(http_scope("/big.bin"), exchange.receive, send)
            self.assertLess(sum(len(m.get("body", b"")) for m in exchange.sent), 1_000_000)

        self.run_async(work)

    def test_entries_bodies_and_headers_of_the_route(self) -> None:
        routes = {"/": {"entry": "main", "headers": {"X-Own": "2", "X-Route": "3"}}}
        manifest = {"entry": {**ASGI["entry"], "env": {"ZT_MODE": "live"}}, "routes": routes}
        app = self.load_asgi(manifest, {"zt_app.py": ECHO})

        async def work() -> None:
            found = await seen(app, "/", method="POST", body=b"hello world")
            self.assertEqual((found["body"], found["mode"], found["state"]), ("hello world", "live", {}))
            headers = (await fetch(app)).headers
            self.assertEqual((headers["x-own"], headers["x-route"]), ("1", "3"))

        self.run_async(work)

    def test_code_that_does_not_load(self) -> None:
        pages = {"errors": {"5xx": "sorry.html"}}
        app = self.load_asgi({**ASGI, **pages}, {"zt_app.py": "raise RuntimeError('no database')", "sorry.html": "sorry"})

        async def work() -> None:
            with self.assertLogs("zapp") as logged:
                found = await fetch(app)
                self.assertEqual((found.status, found.body), (500, b"sorry"))
                exchange = Exchange({"type": "lifespan.startup"})
                await app({"type": "lifespan"}, exchange.receive, exchange.send)
            self.assertIn("ENTRY_LOAD", logged.output[0])
            self.assertEqual(exchange.sent[0]["type"], "lifespan.startup.failed")
            self.assertIn("no database", exchange.sent[0]["message"])

        self.run_async(work)

    def test_asgi_under_wsgi_names_the_way_out(self) -> None:
        error = self.refused("ENTRY_ASGI", ASGI, {"zt_app.py": ECHO})
        self.assertIn("zapp.load_asgi", error.fix)


class WebSockets(AsgiCase):
    def test_only_where_they_are_declared(self) -> None:
        routes = {"/": {"entry": "main"}, "/live/*": {"entry": "main", "websocket": True, "strip": True}}
        app = self.load_asgi({**ASGI, "routes": routes}, {"zt_app.py": ECHO}, "/shop")
        every = {"entry": {**ASGI["entry"], "websocket": True}}
        everywhere = self.load_asgi(every, {"zt_app.py": ECHO}, name="every.zapp")

        async def work() -> None:
            accepted = await handshake(app, "/shop/live/a")
            self.assertEqual(accepted[1]["text"], "/shop/live|/shop/live/a")
            self.assertEqual((await handshake(everywhere, "/x"))[0]["type"], "websocket.accept")
            for target in ("/shop/a", "/other", "/shop/live/%2e%2e"):
                with self.subTest(target):
                    self.assertEqual([m["type"] for m in await handshake(app, target)], ["websocket.close"])

        self.run_async(work)


class Lifespans(AsgiCase):
    async def cycle(self, app: Any, then: Any) -> "list[str]":
        told = asyncio.Event()
        done = asyncio.Event()
        sent: "list[Any]" = []

        async def receive() -> Any:
            if not sent:
                return {"type": "lifespan.startup"}
            await done.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            sent.append(message)
            told.set()

        task = asyncio.ensure_future(app({"type": "lifespan", "state": {}}, receive, send))
        await told.wait()
        await then()
        done.set()
        await task
        return [message["type"] for message in sent]

    def test_reaches_every_entry_and_its_state_every_request(self) -> None:
        manifest = {
            "entries": {
                "a": ASGI["entry"],
                "old": {"type": "asgi", "app": "zt_old:application"},
                "w": {"type": "wsgi", "app": "zt_wsgi:application"},
            },
            "routes": {"/": {"entry": "a"}, "/old": {"entry": "old"}, "/w": {"entry": "w"}},
        }
        # Does not know the protocol, as many that are written by hand.
        old = "async def application(scope, receive, send):\n    assert scope['type'] == 'http'\n"
        old += "    await send({'type': 'http.response.start', 'status': 204, 'headers': []})\n"
        old += "    await send({'type': 'http.response.body', 'body': b''})\n"
        wsgi = "def application(environ, start):\n    start('200 OK', [])\n    return [b'wsgi']\n"
        app = self.load_asgi(manifest, {"zt_app.py": ECHO, "zt_old.py": old, "zt_wsgi.py": wsgi})

        async def then() -> None:
            self.assertEqual((await seen(app, state={"server": 1}))["state"], {"server": 1, "pool": "open"})
            self.assertEqual((await fetch(app, "/old")).status, 204)
            self.assertEqual((await fetch(app, "/w")).body, b"wsgi")

        async def work() -> None:
            for _ in range(2):
                told = await self.cycle(app, then)
                self.assertEqual(told, ["lifespan.startup.complete", "lifespan.shutdown.complete"])

        self.run_async(work)
        import zt_app  # type: ignore[import-not-found]

        self.assertEqual(zt_app.events, ["lifespan.startup", "lifespan.shutdown"] * 2)

    def test_failures_are_passed_on(self) -> None:
        code = """
async def application(scope, receive, send):
    await receive()
    if KIND == "startup":
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise RuntimeError("no database")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    raise RuntimeError("it does not close")
"""

        async def work() -> None:
            for kind in ("startup", "shutdown"):
                with self.subTest(kind):
                    module = f"zt_{kind}"
                    manifest = {"entry": {"type": "asgi", "app": f"{module}:application"}}
                    app = self.load_asgi(manifest, {f"{module}.py": f"KIND = {kind!r}\n{code}"}, name=f"{kind}.zapp")
                    told = await self.cycle(app, partial(asyncio.sleep, 0))
                    self.assertEqual(told[-1], f"lifespan.{kind}.failed")

        self.run_async(work)


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
