from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from ..cgi_request import CgiRequest
from ..errors import ZappError, log_lines
from ..load import load_either
from ..needs import is_mount
from ..wsgi import Application, WsgiApp

if TYPE_CHECKING:
    from ..asgi import AsgiApplication

NAME = "cgi"
HELP = "answer one CGI/1.1 request (RFC 3875): for a script that a web server starts"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--mount", default="", help="the path that clients see, where it is not the script's")
    parser.add_argument("--config", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--cache", default=os.environ.get("ZAPP_CACHE"), help="folder for run trees")
    parser.add_argument("--data", help="folder that holds the app's data folders")


def run(options: argparse.Namespace) -> int:
    with CgiRequest() as request:
        return _answer(request, options)


def _answer(request: CgiRequest, options: argparse.Namespace) -> int:
    config = dict(pair.partition("=")[::2] for pair in options.config)
    # A script's path may hold what a mount must not; then only archives for any mount can be run by it.
    found = request.script_name if is_mount(request.script_name) else ""
    mount = options.mount or found
    try:
        app = load_either(options.file, mount, config, options.cache, options.data)
    except ZappError as error:
        print("\n".join(log_lines(error)), file=sys.stderr)
        request.fail()
        return 1
    try:
        given = app.mount if options.mount else None
        return 0 if request.answer(app if isinstance(app, Application) else _as_wsgi(app), given) else 1
    finally:
        app.close()


def _as_wsgi(app: "AsgiApplication") -> WsgiApp:
    from ..cgi_asgi import as_wsgi

    return as_wsgi(app)
