from __future__ import annotations

import asyncio
import gzip
import os
from typing import Any

from .asgi_case import ASGI, ECHO, AsgiCase, Exchange, fetch, http_scope, seen


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
