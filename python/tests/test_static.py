from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import zapp

from .wsgi_case import FIXTURES, WsgiCase, call


class Accepted(WsgiCase):
    def test_each_archive_is_the_tree_beside_it(self) -> None:
        folders = json.loads((FIXTURES / "accepted" / "folders.json").read_text())
        for name, wanted in folders.items():
            with self.subTest(name), zapp.open_archive(FIXTURES / "accepted" / f"{name}.zapp") as archive:
                root = FIXTURES / "accepted" / name
                on_disk = {
                    path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
                }
                files = [entry for entry in archive.entries.values() if not entry.is_folder]
                self.assertEqual({entry.path: archive.read(entry) for entry in files}, on_disk)
                self.assertEqual(sorted(e.path for e in archive.entries.values() if e.is_folder), sorted(wanted))
                for entry in files:
                    self.assertEqual(b"".join(archive.stream(entry)), on_disk[entry.path])
                    self.assertEqual(bool(entry.mode & 0o100), os.access(root / entry.path, os.X_OK), entry.path)

    def test_digests(self) -> None:
        with zapp.open_archive(FIXTURES / "accepted" / "signature-entry.zapp") as archive:
            self.assertNotEqual(archive.digest(), archive.file_digest())
        with zapp.open_archive(FIXTURES / "accepted" / "plain-site.zapp") as archive:
            self.assertEqual(archive.digest(), archive.file_digest())


class Static(WsgiCase):
    def site(self, mount: str = "") -> zapp.Application:
        app = zapp.load(FIXTURES / "requests" / "site.zapp", mount, cache=self.cache)
        self.addCleanup(app.close)
        return app

    def test_files_conditions_and_refusals(self) -> None:
        app = self.site()
        found = call(app, "/ten.txt")
        self.assertEqual((found.status, found.body), (200, b"0123456789"))
        again = call(app, "/ten.txt", HTTP_IF_NONE_MATCH=found.headers["etag"])
        self.assertEqual((again.status, again.body), (304, b""))
        part = call(app, "/ten.txt", HTTP_RANGE="bytes=2-4")
        self.assertEqual((part.status, part.body, part.headers["content-range"]), (206, b"234", "bytes 2-4/10"))
        self.assertEqual(call(app, "/ten.txt", HTTP_RANGE="bytes=10-").status, 416)
        self.assertEqual(call(app, "/ten.txt", "HEAD").body, b"")
        self.assertEqual(call(app, "/ten.txt", "POST").status, 405)
        self.assertEqual(call(app, "/../zapp.json").status, 400)
        self.assertEqual(call(app, "/zapp.json").status, 404)
        packed = call(app, "/app.js", HTTP_ACCEPT_ENCODING="gzip")
        self.assertEqual(gzip.decompress(packed.body), call(app, "/app.js").body)

    def test_the_mount_is_what_both_sides_say(self) -> None:
        moved = {"/shop/docs/": ("", "/shop/docs"), "/out/shop/docs/": ("/out", "/shop/docs")}
        for location, (script, path) in moved.items():
            with self.subTest(location):
                found = call(self.site("/shop"), path, SCRIPT_NAME=script)
                self.assertEqual((found.status, found.headers["location"]), (308, location))
        # A container that mounts, and says so: it is the same mount, said twice.
        self.assertEqual(call(self.site("/shop"), "/docs", SCRIPT_NAME="/shop").headers["location"], "/shop/docs/")
        self.assertEqual(call(self.site(), "/docs", SCRIPT_NAME="/shop").headers["location"], "/shop/docs/")
        self.assertEqual(call(self.site("/shop"), "/shopping").status, 404)

    def test_large_files_in_every_way(self) -> None:
        data = os.urandom(1_500_000)
        text = b"".join(b"%d\n" % i for i in range(400_000))
        routes = {"routes": {"/": {"static": "public"}}}
        app = self.load(routes, {"public/big.png": data, "public/big.txt": text})
        for _ in range(2):
            self.assertEqual(call(app, "/big.png").body, data)
            self.assertEqual(call(app, "/big.txt").body, text)
            self.assertEqual(gzip.decompress(call(app, "/big.txt", HTTP_ACCEPT_ENCODING="gzip").body), text)
        for path, content in (("/big.png", data), ("/big.txt", text)):
            part = call(app, path, HTTP_RANGE="bytes=70000-1400000")
            self.assertEqual((part.status, part.body), (206, content[70000:1400001]))

    def test_damaged_content_is_a_500_and_no_byte_of_it_leaves(self) -> None:
        site = {"routes": {"/": {"static": "public"}}}
        path = self.write(site, {"public/a.bin": bytes(range(256)) * 4, "public/b": "b"})
        raw = bytearray(Path(path).read_bytes())
        with zapp.open_archive(path) as archive:
            raw[archive.entries["public/a.bin"].data_offset + 20] ^= 1
        Path(path).write_bytes(raw)
        app = zapp.load(path)
        self.addCleanup(app.close)
        with self.assertLogs("zapp") as logged:
            self.assertEqual(call(app, "/a.bin").body, b"500 Internal Server Error\n")
        self.assertRegex(logged.output[0], "public/a.bin (CRC|INFLATE|SIZE)")
        self.assertEqual(call(app, "/b").status, 200)
