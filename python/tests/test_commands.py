from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from .command_case import ENV, ended, run
from .wsgi_case import ECHO, FIXTURES, WSGI, WsgiCase


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


SHOW = """
import json, os, sys
import zt_lib
print(json.dumps({"cwd": os.getcwd(), "argv": sys.argv[1:], "env": dict(os.environ), "lib": zt_lib.__file__}))
"""


class Run(WsgiCase):
    def setUp(self) -> None:
        super().setUp()
        manifest = {
            "name": "shop",
            # What no loader of this language could serve is no obstacle.
            "entries": {
                "web": {"type": "node", "module": "show.py", "env": {"MODE": "web", "ONLY_WEB": "1"}},
                "api": {"type": "asgi", "app": "a:b", "env": {"MODE": "api", "ONLY_API": "1"}},
            },
            "config": {"GREETING": {"type": "string", "required": True}, "SIZE": {"type": "integer", "default": 20}},
            "data": {"uploads": {"path": "uploads", "env": "UPLOAD_DIR"}},
            "lifecycle": {"migrate": {"run": ["{python}", "show.py", "{data.uploads}", "size={config.SIZE}", "{2}"]}},
            "processes": {"mail": {"run": ["{python}", "wait.py"]}},
        }
        wait = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nprint('ready', flush=True)\n"
        files = {"show.py": SHOW, "wait.py": wait + "signal.pause()\n", "uploads/seed.txt": "seed"}
        self.file = self.write(manifest, {**files, "ZAPP-INF/lib/zt_lib.py": ""})
        self.flags = ["--cache", self.cache, "--data", os.path.join(self.folder, "data"), "--config", "GREETING=hello"]

    def test_declared_in_the_tree_with_exactly_the_environment_of_the_format(self) -> None:
        done = run("run", *self.flags, self.file, "migrate")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        seen = json.loads(done.stdout)
        uploads = os.path.join(self.folder, "data", "uploads")
        self.assertEqual(seen["argv"], [uploads, "size=20", "{2}"])
        self.assertEqual(Path(uploads, "seed.txt").read_text(), "seed")
        self.assertTrue(seen["cwd"].startswith(self.cache))
        self.assertEqual(seen["lib"], os.path.join(seen["cwd"], "ZAPP-INF", "lib", "zt_lib.py"))
        expected = {
            "PATH": os.environ["PATH"],
            "HOME": os.path.join(self.folder, "data"),
            "TZ": os.environ.get("TZ"),
            "LANG": "C.UTF-8",
            "NODE_ENV": "production",
            "PYTHONPATH": os.path.join(seen["cwd"], "ZAPP-INF", "lib"),
            "GREETING": "hello",
            "SIZE": "20",
            "UPLOAD_DIR": uploads,
            "MODE": "web",
            "ONLY_WEB": "1",
            "ONLY_API": "1",
        }
        # The interpreter may add a variable of its own, where the locale is "C".
        seen["env"].pop("LC_CTYPE", None)
        self.assertEqual(seen["env"], {name: value for name, value in expected.items() if value is not None})

    def test_typed_word_by_word_without_a_shell(self) -> None:
        typed = ["{python}", "show.py", "$HOME;*", "", "--json", "{config.GREETING}", "--"]
        seen = json.loads(run("run", *self.flags, self.file, "--", *typed).stdout)
        self.assertEqual(seen["argv"], ["$HOME;*", "", "--json", "hello", "--"])
        code = "import os, sys; print('no', file=sys.stderr); sys.exit(9)"
        done = run("run", *self.flags, self.file, "--", "{python}", "-c", code)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (9, "", "no\n"))
        code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
        self.assertEqual(run("run", *self.flags, self.file, "--", "{python}", "-c", code).returncode, 137)

    def test_passes_signals_on(self) -> None:
        args = [sys.executable, "-m", "zapp", "run", *self.flags, self.file, "mail"]
        process = subprocess.Popen(args, env=ENV, stdout=subprocess.PIPE, text=True)
        with ended(process):
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(30), 7)

    def test_options_may_stand_between_the_file_and_the_name(self) -> None:
        done = run("run", self.file, *self.flags, "migrate")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_what_cannot_be_run_is_told_in_one_line(self) -> None:
        wrong = {
            ("nothing",): (2, "must be one of mail, migrate, got nothing"),
            (): (2, "must be one of mail, migrate"),
            ("--", "no-such-program"): (1, "NEED_COMMAND"),
            ("--", "./no-such-file"): (1, "IO"),
        }
        for words, (code, text) in wrong.items():
            with self.subTest(words):
                done = run("run", *self.flags, self.file, *words)
                self.assertEqual(done.returncode, code)
                self.assertIn(text, done.stderr)
                self.assertNotIn("Traceback", done.stderr)
        self.assertIn("NEED_CONFIG", run("run", *self.flags[:4], self.file, "migrate").stderr)
