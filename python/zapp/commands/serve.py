from __future__ import annotations

import argparse
import os
import socket
import sys
from typing import TYPE_CHECKING, Callable

from ..load import load_either
from ..wsgi import Application

if TYPE_CHECKING:
    from ..asgi import AsgiApplication
    from ..server.balance import Balance

NAME = "serve"
HELP = "serve one archive"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one; default: %(default)s")
    parser.add_argument("--mount", default="", help='path that the app answers under, like "/shop"')
    parser.add_argument("--config", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--cache", default=os.environ.get("ZAPP_CACHE"), help="folder for run trees")
    parser.add_argument("--data", help="folder that holds the app's data folders")
    parser.add_argument("--processes", type=_count, metavar="N", help="default: the manifest's, else 1")
    parser.add_argument("--threads", type=_count, metavar="N", help="of each process; default: the manifest's, else 4")
    parser.add_argument(
        "--max-requests", type=_count, default=0, metavar="N", help="a process is replaced after about N requests"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="a process in which a request takes longer than that is replaced; default: none is",
    )
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a reverse proxy whose X-Forwarded-For, -Proto, -Host and -Prefix are believed",
    )
    parser.add_argument("--quiet", action="store_true", help="no access log")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10**9:
        raise argparse.ArgumentTypeError(f"must be a number from 1 on, got {text!r}")
    return int(text)


def run(options: argparse.Namespace) -> int:
    from ..server.listener import listen_tcp
    from ..server.prefork import Prefork

    if not hasattr(os, "fork"):
        print("zapp serve: is for systems with fork. Any WSGI server can load the app: zapp.load(FILE)", file=sys.stderr)
        return 2
    config = dict(pair.partition("=")[::2] for pair in options.config)
    app = load_either(options.file, options.mount, config, options.cache, options.data)
    processes = options.processes or app.manifest.source.get("workers", {}).get("processes", 1)
    with listen_tcp(options.host, options.port) as listener:
        if isinstance(app, Application):
            child = _wsgi_child(app, options, listener, processes)
        else:
            for name in ("threads", "timeout", "trusted-proxy"):
                if getattr(options, name.replace("-", "_")):
                    print(f"zapp serve: --{name} is for apps of type wsgi, and this one is of asgi", file=sys.stderr)
                    return 2
            child = _asgi_child(app, options, listener)
        host, port = listener.getsockname()[:2]
        return Prefork(processes, child, lambda: _greet(app, host, port), listener.close).run()


Child = Callable[[socket.socket, "Balance"], int]


def _wsgi_child(app: Application, options: argparse.Namespace, listener: socket.socket, processes: int) -> Child:
    """By this package's own server."""
    from ..server.child import run_child
    from ..server.listener import Origin

    threads = options.threads or app.manifest.source.get("workers", {}).get("threads", 4)
    host, port = listener.getsockname()[:2]
    proxies = frozenset(options.trusted_proxy)
    origin = Origin(host, str(port), multithread=threads > 1, multiprocess=processes > 1, proxies=proxies)

    def child(master: socket.socket, balance: "Balance") -> int:
        return run_child(
            app,
            listener,
            origin,
            master,
            balance,
            threads=threads,
            max_requests=options.max_requests,
            timeout=options.timeout,
            logs=not options.quiet,
        )

    return child


def _asgi_child(app: "AsgiApplication", options: argparse.Namespace, listener: socket.socket) -> Child:
    """By uvicorn or hypercorn."""
    from ..runners.serve_asgi import run_asgi_child

    def child(master: socket.socket, _: "Balance") -> int:
        return run_asgi_child(app, listener, master, max_requests=options.max_requests, logs=not options.quiet)

    return child


def _greet(app: "Application | AsgiApplication", host: str, port: int) -> None:
    name = f"[{host}]" if ":" in host else host
    print(f"http://{name}:{port}{app.mount}/", flush=True)
    print(f"{app.manifest.name} {app.manifest.version}; Ctrl+C ends it", file=sys.stderr, flush=True)
