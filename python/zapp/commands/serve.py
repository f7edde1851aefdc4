from __future__ import annotations

import argparse
import os
import signal
import socketserver
import sys
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from ..load import load

NAME = "serve"
HELP = "serve one archive with the standard library's WSGI server, a thread for each request"


class ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    # The default of five connections is refused more than it is served.
    request_queue_size = 128

    def server_bind(self) -> None:
        # As WSGIServer does, without asking the DNS for the name of the address.
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()


class Handler(WSGIRequestHandler):
    def get_environ(self) -> dict[str, Any]:
        environ = super().get_environ()
        # Several fields of one name, and names with "_" that would stand for others (CVE-2015-0219).
        for name in self.headers.keys():
            if "_" in name:
                environ.pop(f"HTTP_{name.upper()}", None)
        environ.pop("HTTP_PROXY", None)
        return environ

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        pass


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one; default: %(default)s")
    parser.add_argument("--mount", default="", help='path that the app answers under, like "/shop"')
    parser.add_argument("--config", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--cache", default=os.environ.get("ZAPP_CACHE"), help="folder for run trees")
    parser.add_argument("--data", help="folder that holds the app's data folders")


def run(options: argparse.Namespace) -> int:
    config = dict(pair.partition("=")[::2] for pair in options.config)
    app = load(options.file, options.mount, config, cache=options.cache, data=options.data)
    with make_server(options.host, options.port, app, ThreadingServer, Handler) as server:
        print(f"http://{server.server_name}:{server.server_port}{app.mount}/", flush=True)
        print(f"{app.manifest.name} {app.manifest.version}; Ctrl+C ends it", file=sys.stderr)

        def stop(*_: object) -> None:
            # Not in this thread: it is the one that has to leave its loop.
            threading.Thread(target=server.shutdown).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        server.serve_forever(poll_interval=0.1)
    app.close()
    return 0
