from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Optional

import zapp

from .command_case import ended
from .make_zapp import Content
from .wsgi_case import WSGI, WsgiCase

PACKAGE = Path(zapp.__file__).parent
#: What pack puts into the archive of a Python app.
LOADER: Mapping[str, Content] = {
    "__main__.py": (PACKAGE / "archive_main.py").read_bytes(),
    **{
        f"ZAPP-INF/lib/zapp/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    },
}
APP = """
import os, subprocess, sys
print("printed by accident")
def application(environ, start_response):
    subprocess.run([sys.executable, "-c", "print('printed by a child')"])
    path = environ["PATH_INFO"]
    body = environ["wsgi.input"].read()
    text = {
        "/body": body,
        "/env": repr([os.environ.get("HTTP_X"), os.environ.get("REQUEST_METHOD"), environ.get("HTTP_PROXY")]).encode(),
        "/place": f"{environ['SCRIPT_NAME']}|{path}|{environ['QUERY_STRING']}|{environ['wsgi.url_scheme']}".encode(),
        "/stdin": sys.stdin.buffer.read(),
    }.get(path, path.encode("latin-1"))
    if path == "/early":
        raise RuntimeError("before start_response")
    value = "a\\r\\nSet-Cookie: b" if path == "/split" else "a"
    write = start_response("200 Fine", [("Content-Type", "text/plain"), ("X-Own", value), ("Connection", "close")])
    if path == "/str":
        return ["text"]
    if path == "/late":
        write(b"some")
        raise RuntimeError("after start_response")
    if path == "/endless":
        return endless()
    write(b"")
    return [text]
def endless():
    try:
        while True:
            yield b"x" * 65536
    finally:
        print("closed", file=sys.stderr)
"""


class Reply(NamedTuple):
    status: int
    headers: "dict[str, str]"
    body: bytes
    log: str


class SelfRun(WsgiCase):
    def setUp(self) -> None:
        super().setUp()
        self.env = {"PATH": os.environ["PATH"], "HOME": self.folder, "ZAPP_CACHE": self.cache}
        self.routes = {"/a.txt": {"static": "a.txt"}, "/": {"entry": "main"}}

    def pack(self, manifest: "Mapping[str, Any]" = {}, files: Mapping[str, Content] = {}) -> str:
        text = "static " * 1_000
        return self.write({**WSGI, "routes": self.routes, **manifest}, {"zt_app.py": APP, "a.txt": text, **LOADER, **files})

    def cgi(self, file: str, path: str = "/", method: str = "GET", body: bytes = b"", **env: str) -> Reply:
        meta = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "/cgi-bin/shop.zapp",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "CONTENT_LENGTH": str(len(body)) if body else "",
            **env,
        }
        # More than the body is there, as on a connection that stays open.
        done = subprocess.run(
            [sys.executable, "-W", "error", file, "+x", "--help"],
            env={**self.env, **meta},
            input=body + b"NEXT",
            capture_output=True,
            timeout=60,
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n"))
        self.assertRegex(fields["Status"], "^[1-5][0-9]{2} ")
        return Reply(int(fields["Status"][:3]), fields, rest, done.stderr.decode())

    def test_cgi_answers_one_request_and_nothing_else_on_stdout(self) -> None:
        file = self.pack()
        found = self.cgi(file, "/body", "POST", b"hello" * 100_000)
        self.assertEqual((found.status, found.body), (200, b"hello" * 100_000))
        self.assertEqual((found.headers["Status"], found.headers["X-Own"]), ("200 Fine", "a"))
        self.assertNotIn("Connection", found.headers)
        self.assertIn("printed by accident", found.log)
        self.assertIn("printed by a child", found.log)
        self.assertEqual(self.cgi(file, "/stdin").body, b"")
        self.assertEqual(self.cgi(file, "/body", "HEAD").body, b"")
        place = self.cgi(file, "/place", HTTPS="on", QUERY_STRING="a=%2F&b")
        self.assertEqual(place.body, b"/cgi-bin/shop.zapp|/place|a=%2F&b|https")
        self.assertEqual(self.cgi(file, "/caf\u00e9").body, "/caf\u00e9".encode())

    def test_cgi_reads_the_body_that_nobody_wants(self) -> None:
        # mod_cgid gives one socket for both directions: closed with bytes in it, it would be reset.
        body = b"x" * 100_000
        meta = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "PATH_INFO": "/a.txt"}
        env = {**self.env, **meta, "CONTENT_LENGTH": str(len(body))}
        ours, theirs = socket.socketpair()
        with ours, theirs:
            with subprocess.Popen([sys.executable, self.pack()], env=env, stdin=theirs, stdout=theirs) as process:
                theirs.close()
                ours.sendall(body)
                reply = b"".join(iter(lambda: ours.recv(65536), b""))
                self.assertEqual(process.wait(60), 0)
        self.assertTrue(reply.startswith(b"Status: 405 "), reply[:200])

    def test_cgi_takes_what_clients_write_out_of_the_environment(self) -> None:
        config = {"config": {"HTTP_X": {"type": "string", "default": "from the manifest"}}}
        found = self.cgi(self.pack(config), "/env", HTTP_X="from a client", HTTP_PROXY="http://evil.example")
        self.assertEqual(found.body, b"['from the manifest', None, None]")

    def test_cgi_answers_from_the_archive(self) -> None:
        file = self.pack()
        found = self.cgi(file, "/a.txt", HTTP_ACCEPT_ENCODING="gzip")
        self.assertEqual((found.status, found.headers["Content-Encoding"]), (200, "gzip"))
        self.assertEqual(int(found.headers["Content-Length"]), len(found.body))
        again = self.cgi(file, "/a.txt", HTTP_IF_NONE_MATCH=found.headers["ETag"], HTTP_ACCEPT_ENCODING="gzip")
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertNotIn("Content-Length", again.headers)
        self.assertEqual(self.cgi(file, "/a.txt", CONTENT_LENGTH="-1").status, 400)

    def test_cgi_tells_faults_in_the_log_only(self) -> None:
        file = self.pack()
        for path, cause in {"/early": "before start_response", "/split": "one line", "/str": "bytes"}.items():
            with self.subTest(path):
                found = self.cgi(file, path)
                self.assertEqual((found.status, found.body), (500, b"500 Internal Server Error\n"))
                self.assertNotIn("Set-Cookie", found.headers)
                self.assertIn(cause, found.log)
        late = self.cgi(file, "/late")
        self.assertEqual((late.status, late.body), (200, b"some"))
        self.assertIn("after start_response", late.log)
        unmet = self.cgi(self.pack({"dependencies": {"commands": ["no-such-program"]}}))
        self.assertEqual((unmet.status, unmet.body), (500, b"500 Internal Server Error\n"))
        self.assertIn("NEED_COMMAND", unmet.log)
        self.assertNotIn("Traceback", unmet.log)

    def test_cgi_calls_an_asgi_app_too(self) -> None:
        code = """
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["pool"] = "open"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("pool closed")
        return await send({"type": "lifespan.shutdown.complete"})
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    seen = [scope["root_path"], scope["path"], scope["query_string"].decode(), scope["state"]["pool"], str(size)]
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x-own", dict(scope["headers"])[b"x-a"])]})
    await send({"type": "http.response.body", "body": "|".join(seen).encode(), "more_body": True})
    await send({"type": "http.response.body"})
"""
        file = self.pack({"entry": {"type": "asgi", "app": "zt_asgi:application"}}, {"zt_asgi.py": code})
        found = self.cgi(file, "/caf\u00e9", "POST", b"x" * 200_000, QUERY_STRING="a=%2F", HTTP_X_A="1")
        expected = "/cgi-bin/shop.zapp|/cgi-bin/shop.zapp/caf\u00e9|a=%2F|open|200000"
        self.assertEqual((found.headers["Status"], found.body.decode()), ("201 Created", expected))
        self.assertEqual(found.headers["x-own"], "1")
        self.assertIn("pool closed", found.log)
        self.assertEqual(self.cgi(file, "/a.txt").status, 200)

    def test_cgi_ends_quietly_when_the_client_has_gone(self) -> None:
        meta = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "PATH_INFO": "/endless"}
        with subprocess.Popen(
            [sys.executable, self.pack()],
            env={**self.env, **meta},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.read(100)
            process.stdout.close()
            log = process.stderr.read().decode()
            self.assertEqual(process.wait(60), 0)
        self.assertIn("closed", log)
        self.assertNotIn("Error", log)

    def test_cgi_from_a_script_of_another_path(self) -> None:
        env = {**self.env, "PYTHONPATH": str(PACKAGE.parent), "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET"}
        env.update(SCRIPT_NAME="/cgi-bin/wrapper", PATH_INFO="/place")
        args = [sys.executable, "-m", "zapp", "cgi", self.pack({"base": "/shop"}), "--mount", "/shop"]
        done = subprocess.run(args, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertTrue(done.stdout.endswith(b"\r\n\r\n/shop|/place||http"), done)

    def test_serves_where_it_is_no_cgi_script(self) -> None:
        # Modules of the app that would be in the way of the loader, were they on its path.
        file = self.pack(files={"json.py": "raise RuntimeError", "zipfile.py": "raise RuntimeError"})
        args = [sys.executable, os.path.basename(file), "--port", "0", "--mount", "/shop"]
        server = subprocess.Popen(
            args, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with ended(server):
            assert server.stdout is not None
            url = _address(server.stdout.readline())
            os.unlink(file)
            for path in ("/shop/a.txt", "/shop/nothing%2e%2e%00"):
                try:
                    with urllib.request.urlopen(url + path, timeout=30) as answer:
                        self.assertEqual(len(answer.read()), 7_000)
                except urllib.error.HTTPError as error:
                    self.assertEqual(error.code, 400)
                    error.close()

    def test_other_commands(self) -> None:
        args = [sys.executable, self.pack(), "validate", "--json"]
        done = subprocess.run(args, env=self.env, capture_output=True, text=True, timeout=60)
        self.assertIn('"valid": true', done.stdout)

    def test_a_module_with_the_name_of_the_loader_is_refused(self) -> None:
        for name in ("zapp.py", "zapp/__init__.py", "zapp/models.py"):
            with self.subTest(name):
                error = self.refused("ENTRY_LOAD", WSGI, {"zt_app.py": "", name: ""})
                self.assertIn("loader's own name", str(error))
        self.load(WSGI, {"zt_app.py": "", "zapp/page.html": "", **LOADER})


def _address(line: str) -> str:
    match: "Optional[re.Match[str]]" = re.search("https?://[^/ ]+", line)
    assert match is not None, line
    return match.group()
