from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

from zapp.server import channel
from zapp.server.channel import Channel

from .command_case import ENV
from .wsgi_case import WSGI, WsgiCase

APP = "def application(environ, start_response): raise AssertionError"


class OneEnd(unittest.TestCase):
    def setUp(self) -> None:
        self.parent, child = socket.socketpair()
        self.addCleanup(self.parent.close)
        self.channel = Channel(child.detach())
        self.addCleanup(self.channel._socket.close)

    def test_nothing_follows_half_a_line(self) -> None:
        with mock.patch.object(channel, "_PATIENCE", 0.01):
            for _ in range(100):
                self.channel.say({"type": "access", "lines": "x" * 50_000})
        self.parent.settimeout(10)
        received = b"".join(iter(lambda: self.parent.recv(65536), b""))
        for line in received.split(b"\n")[:-1]:
            self.assertEqual(json.loads(line)["type"], "access")
        self.channel.receive()
        self.assertTrue(self.channel.has_ended)


class Orphan(WsgiCase):
    def test_a_connection_whose_return_nobody_confirms_does_not_keep_it(self) -> None:
        app = "def application(environ, start_response): ..."
        file = self.write(WSGI, {"zt_app.py": app})
        Path(self.folder, "zt_app.py").write_text(app)
        path = os.path.join(self.folder, "s")
        args = [sys.executable, "-m", "zapp", "worker", file, "--tree", self.folder, "--socket", path]
        parent, child = socket.socketpair()
        self.addCleanup(parent.close)
        env = {**ENV, "NODE_CHANNEL_FD": str(child.fileno())}
        worker = subprocess.Popen(args, env=env, cwd=self.folder, pass_fds=[child.fileno()])
        self.addCleanup(worker.wait)
        self.addCleanup(worker.kill)
        child.close()
        parent.settimeout(10)
        self.assertIn(b'"ready"', parent.recv(65536))

        # A client whose first request is for another app.
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            accepted, _ = server.accept()
        client.sendall(b"GET /other/ HTTP/1.1\r\nHost: a\r\n\r\n")
        territory = {"type": "territory", "territory": {"mount": "/shop"}}
        connection = {"cmd": "NODE_HANDLE", "type": "net.Socket", "msg": {"type": "connection", "head": ""}}
        parent.sendall(json.dumps(territory).encode() + b"\n")
        socket.send_fds(parent, [json.dumps(connection).encode() + b"\n"], [accepted.fileno()])
        said = b""
        while b'"return"' not in said:
            said += parent.recv(65536)
        for one in (accepted, client, parent):
            one.close()
        self.assertEqual(worker.wait(10), 0)
