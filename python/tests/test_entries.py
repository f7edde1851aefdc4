from __future__ import annotations

import json
import os
import threading
import unittest
from pathlib import Path
from typing import Any

import zapp

from .wsgi_case import ECHO, WSGI, WsgiCase, call


def seen(app: Any, path: str = "/", **environ: Any) -> dict[str, Any]:
    return json.loads(call(app, path, **environ).body)


class Entries(WsgiCase):
    def test_paths_under_a_mount(self) -> None:
        app = self.load(WSGI, {"zt_app.py": ECHO}, "/shop")
        for info in ("", "/", "/a b/c"):
            with self.subTest(info):
                found = seen(app, "/shop" + info, query="x=%2F&y")
                self.assertEqual((found["SCRIPT_NAME"], found["PATH_INFO"]), ("/shop", info))
                self.assertEqual(found["QUERY_STRING"], "x=%2F&y")
        # Bytes of the path are characters of latin-1, as PEP 3333 wants them.
        cafe = "/café".encode().decode("latin-1")
        self.assertEqual(seen(app, "/shop" + cafe)["PATH_INFO"], cafe)
        self.assertEqual(seen(app, "/x%y", SCRIPT_NAME="/out/shop")["PATH_INFO"], "/x%y")
        self.assertEqual(seen(app, "/x", SCRIPT_NAME="/out/shop")["SCRIPT_NAME"], "/out/shop")
        self.assertEqual(call(app, "/shop/../x").status, 400)
        self.assertEqual(call(app, "/shop//evil").status, 400)

    def test_strip_else_and_headers_of_the_route(self) -> None:
        routes = {
            "/api/*": {"entry": "main", "strip": True, "headers": {"X-Own": "2", "X-Route": "3"}},
            "/": {"static": "public", "else": {"entry": "main"}},
        }
        app = self.load({**WSGI, "routes": routes}, {"zt_app.py": ECHO, "public/a.txt": "a"})
        found = seen(app, "/api/x")
        self.assertEqual((found["SCRIPT_NAME"], found["PATH_INFO"]), ("/api", "/x"))
        headers = call(app, "/api").headers
        self.assertEqual((headers["x-own"], headers["x-route"]), ("1", "3"))
        self.assertEqual(call(app, "/a.txt").body, b"a")
        self.assertEqual(seen(app, "/a.txt", method="POST", body=b"hi")["body"], "hi")

    def test_runs_from_the_cache_with_what_it_declared(self) -> None:
        manifest = {
            "entry": {"type": "wsgi", "app": "zt_app:application", "root": "src", "env": {"MODE": "live"}},
            "config": {"PAGE_SIZE": {"type": "integer", "default": 20}},
            "data": {"files": {"path": "uploads", "env": "UPLOADS"}},
        }
        app = self.load(manifest, {"src/zt_app.py": ECHO, "uploads/seed.txt": "seed"}, config={"PAGE_SIZE": "5"})
        found = seen(app)
        self.assertTrue(found["file"].startswith(self.cache), found["file"])
        data = os.path.join(self.folder, "data", "files")
        self.assertEqual(found["env"], {"PAGE_SIZE": "5", "MODE": "live", "UPLOADS": data})
        self.assertEqual(Path(data, "seed.txt").read_text(), "seed")
        uploads = Path(found["file"]).parent.parent / "uploads"
        self.assertEqual(os.readlink(uploads), data)
        app.close()
        self.assertNotIn("UPLOADS", os.environ)

    def test_dependencies_of_the_archive(self) -> None:
        code = "from zt_lib import TEXT\n" + ECHO.replace('seen["file"] = __file__', "seen['lib'] = TEXT")
        app = self.load(WSGI, {"zt_app.py": code, "ZAPP-INF/lib/zt_lib/__init__.py": "TEXT = 'lib'\n"})
        self.assertEqual(seen(app)["lib"], "lib")

    def test_factory_is_called_once_by_many_threads(self) -> None:
        code = """
import itertools, time
calls = itertools.count()
def create_app():
    time.sleep(0.05)
    number = str(next(calls)).encode()
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [number]
    return application
"""
        app = self.load({"entry": {"type": "wsgi", "app": "zt_app:create_app", "factory": True}}, {"zt_app.py": code})
        bodies: list[bytes] = []
        threads = [threading.Thread(target=lambda: bodies.append(call(app).body)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(bodies, [b"0"] * 8)

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_each_child_of_a_fork_builds_its_own(self) -> None:
        code = "import os\nPID = os.getpid()\n" + ECHO.replace('seen["file"] = __file__', "seen['pid'] = PID")
        app = self.load(WSGI, {"zt_app.py": code})
        # As a thread of the parent that is building just now would leave it.
        app._entries["main"]._lock.acquire()
        pid = os.fork()
        if pid == 0:
            os._exit(0 if seen(app)["pid"] == os.getpid() else 1)
        app._entries["main"]._lock.release()
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertEqual(seen(app)["pid"], os.getpid())

    def test_what_pep_3333_allows(self) -> None:
        code = """
import sys
closed = []
class Body:
    def __iter__(self): return iter([b"body"])
    def close(self): closed.append(1)
def application(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        raise ValueError
    except ValueError:
        write = start_response("500 Sorry", [("Content-Type", "text/html")], sys.exc_info())
    write(b"written ")
    return Body()
"""
        routes = {"/": {"entry": "main", "headers": {"X-Route": "1"}}}
        app = self.load({**WSGI, "routes": routes}, {"zt_app.py": code})
        found = call(app)
        self.assertEqual((found.status, found.body), (500, b"written body"))
        self.assertEqual((found.headers["content-type"], found.headers["x-route"]), ("text/html", "1"))
        import zt_app  # type: ignore[import-not-found]

        self.assertEqual(zt_app.closed, [1])

    def test_code_that_does_not_load_is_a_500(self) -> None:
        pages = {"errors": {"5xx": "sorry.html"}}
        broken = {
            "ENTRY_LOAD": ("raise RuntimeError('no database')", "zt_app:application"),
            "ENTRY_EXPORT": ("application = 5", "zt_app:application"),
        }
        for code, (text, callable_) in broken.items():
            with self.subTest(code):
                entry = {"entry": {"type": "wsgi", "app": callable_}}
                app = self.load({**entry, **pages}, {"zt_app.py": text, "sorry.html": "sorry"}, name=f"{code}.zapp")
                with self.assertLogs("zapp") as logged:
                    found = call(app)
                self.assertEqual((found.status, found.body), (500, b"sorry"))
                self.assertIn(code, logged.output[0])
                app.close()
                self.tearDownModules()

    def tearDownModules(self) -> None:
        import sys

        sys.modules.pop("zt_app", None)
        sys.path[:] = [path for path in sys.path if not path.startswith(self.cache)]
        zapp.modules._brought.clear()  # type: ignore[attr-defined]


class TwoArchives(WsgiCase):
    def test_different_content_under_one_name_is_refused(self) -> None:
        self.load(WSGI, {"zt_app.py": ECHO})
        error = self.refused("ENTRY_LOAD", WSGI, {"zt_app.py": ECHO + "#"}, name="other.zapp")
        self.assertIn("zt_app", str(error))

    def test_a_file_more_in_a_package_is_different_content(self) -> None:
        lib = "ZAPP-INF/lib/zt_lib/"
        self.load(WSGI, {"zt_app.py": ECHO, f"{lib}__init__.py": ""})
        more = {"zt_app.py": ECHO, f"{lib}__init__.py": "", f"{lib}page.html": "x"}
        self.refused("ENTRY_LOAD", WSGI, more, name="other.zapp")

    def test_equal_content_is_shared_and_other_names_are_free(self) -> None:
        files = {"zt_app.py": ECHO, "zt_space/a.py": "", "setup.cfg": "1"}
        others = {"zt_app.py": ECHO, "zt_space/b.py": "", "setup.cfg": "2"}
        one = self.load({**WSGI, "name": "one"}, files, name="1.zapp")
        two = self.load({**WSGI, "name": "two"}, others, "/two")
        self.assertEqual(seen(one)["file"], seen(two, "/two")["file"])

    def test_one_that_was_never_built_lets_go(self) -> None:
        self.load(WSGI, {"zt_app.py": ECHO}).close()
        self.assertEqual(seen(self.load(WSGI, {"zt_app.py": ECHO + "#"}))["SCRIPT_NAME"], "")

    def test_the_containers_own_module_is_not_served_instead(self) -> None:
        app = self.load({"entry": {"type": "wsgi", "app": "json:dumps"}}, {"json.py": "def dumps(): pass"})
        with self.assertLogs("zapp") as logged:
            self.assertEqual(call(app).status, 500)
        self.assertIn("ENTRY_LOAD", logged.output[0])

    def test_one_variable_with_two_values(self) -> None:
        entry = {"type": "wsgi", "app": "zt_app:application"}
        self.load({"entry": {**entry, "env": {"ZT_MODE": "a"}}}, {"zt_app.py": ECHO})
        other = {"entry": {**entry, "env": {"ZT_MODE": "b"}}}
        self.refused("CONFIG_CONFLICT", other, {"zt_app.py": ECHO}, name="b.zapp")


class Needs(WsgiCase):
    def test_all_that_is_missing_is_told_at_once(self) -> None:
        manifest = {
            "entries": {
                "web": {"type": "node", "module": "app.js"},
                "api": {"type": "asgi", "app": "a:b"},
                "main": {"type": "wsgi", "app": "a:b"},
            },
            "dependencies": {
                "runtime": {"python": "<3"},
                "commands": ["no-such-program"],
                "provided": {"python": ["no-such-package", "pip"]},
            },
            "config": {"ZT_KEY": {"type": "string", "required": True}, "ZT_SIZE": {"type": "integer"}},
            "roles": {},
            "workers": {"threads": 4},
            "base": "/other",
        }
        error = self.refused("ENTRY_RUNTIME", manifest, {"app.js": ""}, config={"ZT_SIZE": "x", "ZT_NO": ""})
        codes = [found.code for found in error.findings]
        self.assertEqual(
            codes,
            "ENTRY_RUNTIME ENTRY_ASGI UNSUPPORTED_KEY MOUNT_BASE NEED_RUNTIME NEED_COMMAND NEED_PROVIDED "
            "NEED_CONFIG CONFIG_INVALID CONFIG_UNKNOWN".split(),
        )
        self.assertFalse(os.path.exists(self.cache))

    def test_mounts(self) -> None:
        site = {"routes": {"/": {"static": "public"}}}
        for mount in ("shop", "/shop/", "/a/../b", "/a b", "//"):
            with self.subTest(mount):
                self.refused("MOUNT_PATH", site, {"public/a": ""}, mount)
        self.assertEqual(self.load(site, {"public/a": ""}, "/").mount, "")
