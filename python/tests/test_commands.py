from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Iterator

import zapp

from .test_entries import ECHO, WSGI
from .wsgi_case import FIXTURES, WsgiCase

ENV = {**os.environ, "PYTHONPATH": str(Path(zapp.__file__).parent.parent)}


def run(*args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "zapp", *args], env=ENV, capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Ends a server, also where a test fails."""
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


class Commands(WsgiCase):
    def test_validate(self) -> None:
        good = str(FIXTURES / "accepted" / "plain-site.zapp")
        bad = str(FIXTURES / "rejected" / "MANIFEST_NUMBER--nan.zapp")
        self.assertEqual(run("validate", good).returncode, 0)
        found = run("validate", good, bad, "--json")
        self.assertEqual(found.returncode, 1)
        report = json.loads(found.stdout)
        self.assertFalse(report["valid"])
        row = report["findings"][0]
        self.assertEqual((row["file"], row["code"], row["path"], row["line"]), (bad, "MANIFEST_NUMBER", "zapp.json", 1))
        self.assertEqual(run("validate", "no-such-file").returncode, 2)
        self.assertEqual(run("no-such-command").returncode, 2)

    def test_inspect(self) -> None:
        found = json.loads(run("inspect", str(FIXTURES / "accepted" / "plain-site.zapp")).stdout)
        self.assertTrue(found["validated"])
        self.assertEqual(found["entries"][0]["path"], "mimetype")

    def test_hostile_names_do_not_reach_the_terminal(self) -> None:
        found = run("validate", str(FIXTURES / "rejected" / "NAME_CONTROL--escape-sequence.zapp"))
        self.assertNotIn("\x1b", found.stdout + found.stderr)

    def test_serve(self) -> None:
        path = self.write(WSGI, {"zt_app.py": ECHO})
        args = [sys.executable, "-m", "zapp", "serve", path, "--port", "0", "--mount", "/shop", "--cache", self.cache]
        with subprocess.Popen(args, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            seen: dict[str, Any] = json.load(urllib.request.urlopen(url + "a%20b?c=d", timeout=30))
            self.assertEqual((seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["QUERY_STRING"]), ("/shop", "/a b", "c=d"))
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(30), 0)
