from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Optional
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import zapp

from .make_zapp import Content, make_zapp

FIXTURES = Path(__file__).resolve().parent.parent.parent / "fixtures"

#: Answers with what it sees.
ECHO = """
import json, os
def application(environ, start_response):
    keys = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD")
    seen = {key: environ[key] for key in keys}
    seen["file"] = __file__
    seen["body"] = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0)).decode()
    seen["env"] = {key: os.environ.get(key) for key in ("PAGE_SIZE", "MODE", "UPLOADS")}
    start_response("200 OK", [("Content-Type", "application/json"), ("X-Own", "1")])
    return [json.dumps(seen).encode()]
"""
WSGI = {"entry": {"type": "wsgi", "app": "zt_app:application"}}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def call(app: Any, path: str = "/", method: str = "GET", query: str = "", **environ: Any) -> Answer:
    """Calls an application through wsgiref.validate, which raises for every break of PEP 3333."""
    body = environ.pop("body", b"")
    full: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": query}
    full["wsgi.input"] = io.BytesIO(body)
    full["CONTENT_LENGTH"] = str(len(body)) if body else ""
    full.update(environ)
    setup_testing_defaults(full)
    started: list[tuple[str, dict[str, str]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, {name.lower(): value for name, value in headers}))
        return written.append

    parts = validator(app)(full, start_response)
    try:
        data = b"".join(parts)
    finally:
        parts.close()
    status, headers = started[-1]
    return Answer(int(status[:3]), headers, b"".join(written) + data)


class WsgiCase(unittest.TestCase):
    """Archives in a folder of their own, with a cache beside them; modules and paths are put back afterwards."""

    def setUp(self) -> None:
        # Under the home folder would be no better: the parents of a temporary folder are sticky or this user's.
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="zapp-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.cache = os.path.join(self.folder, "cache")
        modules, path = set(sys.modules), list(sys.path)

        def restore() -> None:
            for name in set(sys.modules) - modules:
                del sys.modules[name]
            sys.path[:] = path
            zapp.modules._brought.clear()  # type: ignore[attr-defined]

        self.addCleanup(restore)

    def write(self, manifest: Mapping[str, Any], files: Mapping[str, Content], name: str = "app.zapp") -> str:
        path = os.path.join(self.folder, name)
        Path(path).write_bytes(make_zapp(manifest, files))
        return path

    def load(
        self, manifest: Mapping[str, Any], files: Mapping[str, Content], mount: str = "", **options: Any
    ) -> zapp.Application:
        name: Optional[str] = options.pop("name", None)
        path = self.write(manifest, files, name or "app.zapp")
        app = zapp.load(path, mount, cache=self.cache, data=os.path.join(self.folder, "data"), **options)
        self.addCleanup(app.close)
        return app

    def refused(self, code: str, *args: Any, **options: Any) -> zapp.ZappError:
        with self.assertRaises(zapp.ZappError) as caught:
            self.load(*args, **options)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return caught.exception
