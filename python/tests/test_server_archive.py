from __future__ import annotations

import gzip
import json

from .server_case import ServerCase
from .wsgi_case import ECHO, WSGI, WsgiCase


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
