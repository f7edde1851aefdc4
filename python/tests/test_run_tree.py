from __future__ import annotations

import os
import stat
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Mapping

import zapp
from zapp.run_tree import run_tree

from .make_zapp import Content, make_zapp
from .wsgi_case import WsgiCase

WSGI = {"entry": {"type": "wsgi", "app": "app:application"}}


class RunTree(WsgiCase):
    def tree(self, files: Mapping[str, Content], **manifest: object) -> Path:
        with zapp.open_archive(make_zapp({**WSGI, **manifest}, files)) as archive:
            return Path(run_tree(archive, self.cache, {}))

    def test_holds_the_app_and_nothing_that_describes_the_archive(self) -> None:
        files = {"app.py": "x = 1\n", "bin/run": "#!/bin/sh\n", "ZAPP-INF/lib/lib.py": "", "node_modules/a/i.js": ""}
        root = self.tree({**files, "ZAPP-INF/build.json": '{"v":1}'})
        found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
        self.assertEqual(sorted(found), sorted([*files, "zapp.json"]))
        modes = {name: stat.S_IMODE(path.stat().st_mode) for name, path in found.items()}
        self.assertEqual((modes["app.py"], modes["bin/run"]), (0o644, 0o755))
        self.assertEqual((modes["ZAPP-INF/lib/lib.py"], modes["node_modules/a/i.js"]), (0o444, 0o444))
        self.assertEqual(stat.S_IMODE(os.stat(self.cache).st_mode), 0o700)

    def test_is_found_again_and_versions_share_no_tree(self) -> None:
        one, again, two = (self.tree({"app.py": text}) for text in ("x = 1\n", "x = 1\n", "x = 2\n"))
        self.assertEqual(one, again)
        self.assertNotEqual(one, two)
        # Of equal size, within one second: tools that compare size and time must see that they differ.
        self.assertNotEqual(int((one / "app.py").stat().st_mtime), int((two / "app.py").stat().st_mtime))
        self.assertEqual((one / "zapp.json").stat().st_mtime, (two / "zapp.json").stat().st_mtime)

    def test_files_of_a_static_route_may_stay_in_the_archive(self) -> None:
        routes = {"/": {"entry": "main"}, "/a/*": {"static": "a", "unpack": False}, "/b/*": {"static": "a/b"}}
        root = self.tree({"app.py": "", "a/1": "", "a/b/2": ""}, routes=routes)
        self.assertFalse((root / "a" / "1").exists())
        self.assertTrue((root / "a" / "b" / "2").exists())

    def test_damaged_content_leaves_no_tree(self) -> None:
        raw = bytearray(make_zapp(WSGI, {"app.py": "x = 'some text'\n"}))
        with zapp.open_archive(bytes(raw)) as archive:
            raw[archive.entries["app.py"].data_offset + 5] ^= 1
        with zapp.open_archive(bytes(raw)) as archive, self.assertRaises(zapp.ZappError):
            run_tree(archive, self.cache, {})
        self.assertEqual(os.listdir(os.path.join(self.cache, "python-1", "trees")), [])

    def test_what_a_killed_builder_left_is_swept(self) -> None:
        self.tree({"app.py": "1"})
        left = Path(self.cache, "python-1", "temp", "left")
        left.mkdir()
        self.tree({"app.py": "2"})
        self.assertFalse(left.exists())

    def test_many_processes_at_once(self) -> None:
        path = self.write(WSGI, {f"m{i}.py": "x" * i for i in range(200)})
        imports = "import sys; from zapp import open_archive; from zapp.run_tree import run_tree; "
        code = imports + "print(run_tree(open_archive(sys.argv[1]), sys.argv[2], {}))"
        env = {**os.environ, "PYTHONPATH": str(Path(zapp.__file__).parent.parent)}
        args = [sys.executable, "-c", code, path, self.cache]
        builders = [subprocess.Popen(args, env=env, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        roots = {builder.communicate()[0] for builder in builders}
        self.assertEqual([builder.returncode for builder in builders], [0] * 4)
        self.assertEqual(len(roots), 1)
        self.assertEqual(len(os.listdir(roots.pop().strip())), 201)

    @unittest.skipUnless(hasattr(os, "geteuid"), "needs owners and modes")
    def test_a_cache_that_others_can_write_to_is_refused(self) -> None:
        os.mkdir(self.cache, 0o700)
        os.chmod(self.cache, 0o770)
        self.untrusted("mode 0770")
        os.chmod(self.cache, 0o700)
        real, self.cache = self.cache, os.path.join(self.folder, "link")
        os.symlink(real, self.cache)
        self.untrusted("a link")
        parent = os.path.join(self.folder, "open")
        os.mkdir(parent)
        os.chmod(parent, 0o777)
        self.cache = os.path.join(parent, "cache")
        self.untrusted("everybody")

    def untrusted(self, why: str) -> None:
        with self.assertRaises(zapp.ZappError) as caught:
            self.tree({"app.py": ""})
        self.assertEqual(caught.exception.code, "CACHE_UNTRUSTED")
        self.assertIn(why, str(caught.exception))
