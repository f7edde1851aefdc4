from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import unittest
from typing import Optional
from urllib.parse import urlsplit

from .command_case import ENV
from .wsgi_case import WSGI, WsgiCase

APP = """
import os, time
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/wait":
        while not os.path.exists(environ["QUERY_STRING"]):
            time.sleep(0.01)
    elif path == "/exit":
        os._exit(3)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""


@unittest.skipUnless(hasattr(os, "fork"), "needs fork")
class Processes(WsgiCase):
    def serve(self, *options: str, app: str = APP) -> "subprocess.Popen[str]":
        path = self.write(WSGI, {"zt_app.py": app})
        args = [sys.executable, "-m", "zapp", "serve", path, "--port", "0", "--cache", self.cache, *options]
        server = subprocess.Popen(args, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def end() -> None:
            server.kill()
            server.communicate()

        self.addCleanup(end)
        return server

    def up(self, *options: str) -> "subprocess.Popen[str]":
        server = self.serve("--quiet", *options)
        assert server.stdout is not None
        self.where = urlsplit(server.stdout.readline().strip()).netloc
        return server

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self.where, timeout=30)
        self.addCleanup(connection.close)
        return connection

    def ask(self, path: str = "/", connection: Optional[http.client.HTTPConnection] = None) -> str:
        connection = connection or self.connect()
        connection.request("GET", path)
        return connection.getresponse().read().decode()

    def pids(self, count: int) -> set[str]:
        """Of as many processes as answer: connections spread over them."""
        found: set[str] = set()
        while len(found) < count:
            found.update(self.ask(connection=one) for one in [self.connect() for _ in range(12)])
        return found

    def test_a_child_that_is_killed_costs_its_own_requests_only(self) -> None:
        server = self.up("--processes", "2")
        one, two = self.pids(2)
        kept = self.connect()
        while self.ask(connection=kept) != two:
            kept = self.connect()
        os.kill(int(one), signal.SIGKILL)
        for _ in range(50):
            self.assertEqual(self.ask(connection=kept), two)
        # Another one is there, also after one that the app has ended by itself.
        self.assertEqual(len(self.pids(2) - {one, two}), 1)
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.ask("/exit")
        self.pids(2)
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=30)
        self.assertEqual(server.returncode, 0)
        self.assertIn(f"process {one} has ended (signal 9)", errors)
        self.assertIn("(exit code 3)", errors)

    def test_recycling_loses_no_request(self) -> None:
        server = self.up("--processes", "2", "--max-requests", "40")
        seen: set[str] = set()
        failures: list[BaseException] = []

        def client(keeps: bool) -> None:
            try:
                connection = self.connect()
                # Until several have taken over from others.
                while len(seen) < 5:
                    if not keeps:
                        connection = self.connect()
                    # http.client connects anew where the server has said "Connection: close".
                    seen.add(self.ask(connection=connection))
                    if not keeps:
                        connection.close()
            except BaseException as error:
                failures.append(error)

        clients = [threading.Thread(target=client, args=(index % 2 == 0,)) for index in range(4)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        self.assertEqual(failures, [])
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=30)
        self.assertNotIn("has ended", errors)

    def test_a_request_that_runs_is_answered_before_the_end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.up("--threads", "1")
            go = os.path.join(self.folder, f"go-{number}")
            running, idle = self.connect(), self.connect()
            self.ask(connection=idle)
            running.request("GET", f"/wait?{go}")
            server.send_signal(number)
            # It accepts no more and has closed what is idle.
            self.assertEqual(idle.sock.recv(1), b"")
            with open(go, "w"):
                pass
            response = running.getresponse()
            self.assertEqual((response.status, response.getheader("Connection")), (200, "close"))
            server.communicate(timeout=30)
            self.assertEqual(server.returncode, 0)

    def test_who_asks_twice_does_not_wait(self) -> None:
        server = self.up()
        running = self.connect()
        running.request("GET", f"/wait?{self.folder}/never")
        idle = self.connect()
        self.ask(connection=idle)
        server.send_signal(signal.SIGINT)
        self.assertEqual(idle.sock.recv(1), b"")
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=8)

    def test_no_orphans(self) -> None:
        server = self.up()
        idle = self.connect()
        pid = int(self.ask(connection=idle))
        server.kill()
        self.assertEqual(idle.sock.recv(1), b"")
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break

    def test_a_request_that_takes_too_long_costs_the_process(self) -> None:
        server = self.up("--timeout", "0.2", "--threads", "2")
        first = self.ask()
        stuck = self.connect()
        stuck.request("GET", f"/wait?{self.folder}/never")
        while self.ask() == first:
            pass
        open(os.path.join(self.folder, "never"), "w").close()
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=30)
        self.assertIn("a request has run for more than 0.2 s", errors)

    def test_what_does_not_start(self) -> None:
        server = self.serve("--processes", "2", app="import no_such_module")
        output, errors = server.communicate(timeout=30)
        self.assertEqual((server.returncode, output), (1, ""))
        self.assertEqual(errors.count("ENTRY_LOAD"), 1)
        self.assertIn("no_such_module", errors)
        self.assertNotIn("Traceback", errors)

    def test_a_port_that_is_taken(self) -> None:
        self.up()
        port = self.where.partition(":")[2]
        server = self.serve("--port", port)
        _, errors = server.communicate(timeout=30)
        self.assertEqual(server.returncode, 1)
        self.assertIn("PORT_IN_USE", errors)
