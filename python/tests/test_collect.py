from __future__ import annotations

import os
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Optional

import zapp
from zapp.cache_layout import fcntl

from .make_zapp import make_zapp
from .wsgi_case import WsgiCase

PACKAGES = str(Path(zapp.__file__).parent.parent)
#: Takes a tree up, says where it is, and ends when it is told to; with "fork" its child goes on in its place.
USER = """
import os, sys
from zapp import open_archive
from zapp.run_tree import run_tree
with open_archive(sys.argv[1]) as archive:
    print(run_tree(archive, sys.argv[2], {}, int(sys.argv[3])), flush=True)
if sys.argv[4:] and os.fork():
    os._exit(0)
sys.stdin.read()
"""


@unittest.skipUnless(fcntl, "needs locks of files")
class Collect(WsgiCase):
    def user(self, version: int, budget: int = 2**40, *more: str) -> "subprocess.Popen[str]":
        path = os.path.join(self.folder, f"{version}.zapp")
        files = {"app.py": f"x = {version}\n", "lib.bin": bytes([version]) * 100_000, "same.bin": b"s" * 100_000}
        Path(path).write_bytes(make_zapp({"entry": {"type": "wsgi", "app": "app:x"}}, files))
        process = subprocess.Popen(
            [sys.executable, "-c", USER, path, self.cache, str(budget), *more],
            env={**os.environ, "PYTHONPATH": PACKAGES},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end, process)
        return process

    def tree(self, process: "subprocess.Popen[str]") -> Path:
        assert process.stdout is not None
        return Path(process.stdout.readline().strip())

    def end(self, process: "subprocess.Popen[str]") -> None:
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()
        process.wait(30)

    def once(self, version: int, budget: int = 2**40, age: Optional[int] = None) -> Path:
        process = self.user(version, budget)
        tree = self.tree(process)
        self.end(process)
        if age is not None:
            use = Path(self.cache, "python-1", "use", tree.parent.name)
            os.utime(use, (age, age))
        return tree

    def blobs(self) -> int:
        return len(os.listdir(os.path.join(self.cache, "python-1", "blobs")))

    def test_the_least_recently_used_goes_and_what_only_it_had(self) -> None:
        # Each has 200 kB of copies and 100 kB of content of its own, beside 100 kB that all have.
        one, two, three = (self.once(version, age=age) for version, age in ((1, 30), (2, 10), (3, 20)))
        self.assertEqual(self.blobs(), 2 + 3 * 2)
        four = self.once(4, 1_100_000)
        self.assertEqual([tree.exists() for tree in (one, two, three, four)], [True, False, True, True])
        self.assertEqual(self.blobs(), 2 + 3 * 2)
        self.assertEqual(os.listdir(os.path.join(self.cache, "python-1", "temp")), [])

    def test_one_in_use_stays_however_small_the_budget(self) -> None:
        user = self.user(1)
        one = self.tree(user)
        # The child of a server that has forked and gone.
        child = self.user(2, 2**40, "fork")
        two = self.tree(child)
        child.wait(30)
        three = self.once(3, 1)
        self.assertEqual([tree.exists() for tree in (one, two, three)], [True, True, True])
        self.end(user)
        four = self.once(4, 1)
        self.assertEqual([tree.exists() for tree in (one, two, three, four)], [False, True, False, True])
        # What was collected is built again.
        self.assertEqual(self.once(1), one)

    def test_users_and_collectors_at_once(self) -> None:
        """Each finds its own tree, whole, though every one of them collects all that it may."""
        users = [self.user(version % 2, 1) for version in range(4)]
        for user in users:
            tree = self.tree(user)
            self.assertEqual(sorted(os.listdir(tree)), ["app.py", "lib.bin", "same.bin", "zapp.json"])
            self.end(user)

    @unittest.skipIf(hasattr(os, "geteuid") and os.geteuid() == 0, "root writes everywhere")
    def test_works_read_only_once_filled(self) -> None:
        one = self.once(1)
        folders = [Path(self.cache), *(path for path in Path(self.cache).rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o500)
        self.addCleanup(lambda: [folder.chmod(0o700) for folder in folders])
        self.assertEqual(self.once(1), one)
