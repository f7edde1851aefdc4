"""The promises of PEP 3333 that a loader between server and application could break; call() checks the rest of them."""

from __future__ import annotations

import threading
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import zapp

from .wsgi_case import FIXTURES, WsgiCase, call

CODE = """
class Body:
    closed = 0
    def __init__(self, parts): self.parts = iter(parts)
    def __iter__(self): return self
    def __next__(self): return next(self.parts)
    def close(self): Body.closed += 1
def broken():
    yield b"some"
    raise RuntimeError("in the middle")
def application(environ, start_response):
    environ["zt.mine"] = 1
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "8")])
    kind = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] == "HEAD":
        return Body([])
    if kind == "/file":
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    return Body(broken() if kind == "/broken" else [b"some", b"body"])
"""
MANIFEST = {
    "entry": {"type": "wsgi", "app": "zt_app:application"},
    "routes": {
        "/app/*": {"entry": "main", "strip": True, "headers": {"X-Route": "1"}},
        "/old": {"redirect": {"to": "/new"}},
        "/": {"static": "public"},
    },
}
FILES = {"zt_app.py": CODE, "public/index.html": "<p>" * 1_000, "public/docs/index.html": "docs"}


class Pep3333(WsgiCase):
    def environ(self, path: str, **more: Any) -> "dict[str, Any]":
        environ: "dict[str, Any]" = {"PATH_INFO": path, "SCRIPT_NAME": "", **more}
        setup_testing_defaults(environ)
        return environ

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        return lambda data: None

    def test_answers_of_every_kind_pass_the_validator(self) -> None:
        app = self.load(MANIFEST, FILES)
        etag = call(app, "/").headers["etag"]
        gzip = {"HTTP_ACCEPT_ENCODING": "gzip"}
        rows: "list[tuple[int, str, str, dict[str, str]]]" = [
            (200, "GET", "/", {}),
            (200, "GET", "/", gzip),
            (200, "HEAD", "/", {}),
            (200, "HEAD", "/", gzip),
            (304, "GET", "/", {"HTTP_IF_NONE_MATCH": etag}),
            (304, "HEAD", "/", {"HTTP_IF_NONE_MATCH": etag}),
            (412, "GET", "/", {"HTTP_IF_MATCH": '"other"'}),
            (206, "GET", "/", {"HTTP_RANGE": "bytes=0-9"}),
            (416, "GET", "/", {"HTTP_RANGE": "bytes=99999-"}),
            (308, "GET", "/docs", {}),
            (308, "POST", "/old", {}),
            (404, "GET", "/nothing", {}),
            (404, "HEAD", "/nothing", {}),
            (405, "POST", "/", {}),
            (400, "GET", "/../x", {}),
            (200, "GET", "/app/x", {}),
            (200, "POST", "/app/x", {}),
            (200, "HEAD", "/app/x", {}),
        ]
        hop_by_hop = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
        for status, method, path, headers in rows:
            with self.subTest(f"{method} {path} {status}"):
                found = call(app, path, method, **headers)
                self.assertEqual(found.status, status)
                self.assertFalse(hop_by_hop & set(found.headers))
                if method == "HEAD" or status == 304:
                    self.assertEqual(found.body, b"")

    def test_close_reaches_the_application_however_it_ends(self) -> None:
        app = self.load(MANIFEST, FILES)
        with self.assertRaises(RuntimeError):
            call(app, "/app/broken")
        import zt_app  # type: ignore[import-not-found]

        self.assertEqual(zt_app.Body.closed, 1)
        # A server that stops in the middle, because the client has gone.
        parts: Any = app(self.environ("/app/x"), self.start_response)
        next(iter(parts))
        parts.close()
        self.assertEqual(zt_app.Body.closed, 2)
        call(app, "/app/x", "HEAD")
        self.assertEqual(zt_app.Body.closed, 3)

    def test_what_the_server_knows_it_by_reaches_the_server(self) -> None:
        """Servers send a file in their own way only where they get the very object that they have made."""
        app = self.load(MANIFEST, FILES)
        parts = app(self.environ("/app/file", **{"wsgi.file_wrapper": FileWrapper}), self.start_response)
        self.assertIsInstance(parts, FileWrapper)
        parts.close()  # type: ignore[attr-defined]

    def test_the_environ_of_the_server_stays_as_it_was(self) -> None:
        app = self.load(MANIFEST, FILES)
        environ = self.environ("/app/x")
        before = dict(environ)
        list(app(environ, self.start_response))
        self.assertEqual(environ, before)

    def test_files_are_no_descriptors_for_the_server(self) -> None:
        """uWSGI sends a descriptor from its beginning, wherever it stands: that would be the whole archive."""
        given = []

        def wrapper(file: Any, size: int = 0) -> Any:
            given.append(file)
            return FileWrapper(file)

        app = zapp.load(FIXTURES / "requests" / "site.zapp")
        self.addCleanup(app.close)
        for path in ("/ten.txt", "/logo.png"):
            list(app(self.environ(path, **{"wsgi.file_wrapper": wrapper}), self.start_response))
        self.assertEqual(given, [])

    def test_many_threads_get_what_one_gets(self) -> None:
        app = self.load(MANIFEST, FILES)
        wanted = {path: call(app, path).body for path in ("/", "/docs/", "/app/x")}
        fresh = self.load(MANIFEST, FILES, name="again.zapp")
        wrong: "list[str]" = []

        def work() -> None:
            for _ in range(20):
                for path, body in wanted.items():
                    if call(fresh, path).body != body:
                        wrong.append(path)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
