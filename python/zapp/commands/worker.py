from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import traceback
from typing import Optional

from ..archive import Archive, open_archive
from ..errors import ZappError, fail, raise_errors
from ..needs import check_worker_needs, checked_mount

NAME = "worker"
HELP = "answer for a program of Node that has started this one (internal)"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--tree", required=True, metavar="DIR", help="the run tree of the archive")
    parser.add_argument("--entry", metavar="NAME", help="every request is for this entry point")
    parser.add_argument("--mount", default="", help="path that the app answers under")
    parser.add_argument("--socket", required=True, metavar="PATH", help="where to listen")
    parser.add_argument("--threads", type=int, default=4, metavar="N")
    parser.add_argument("--max-requests", type=int, default=0, metavar="N")
    parser.add_argument("--request-time", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--balance", metavar="PATH", help="a file that the processes of the app share")
    parser.add_argument("--server", choices=("gunicorn", "uvicorn", "hypercorn"))


def run(options: argparse.Namespace) -> int:
    from ..server.channel import open_channel
    from ..server.runner import runner_of
    from ..server.worker import WorkerOptions

    channel = open_channel()
    if channel is None:
        print("zapp worker: is started by Node, with a channel to it (NODE_CHANNEL_FD)", file=sys.stderr)
        return 2
    _leave_no_trace()
    try:
        archive = open_archive(options.file)
        raise_errors(check_worker_needs(archive))
        entry = archive.manifest.entries.get(options.entry or "main")
        if options.entry is not None and entry is None:
            raise fail("NOT_FOUND", file=options.entry)
        worker = WorkerOptions(
            archive,
            os.path.realpath(options.tree),
            options.entry,
            checked_mount(options.mount),
            options.socket,
            options.threads,
            options.max_requests,
            options.request_time,
            options.balance,
        )
        code = runner_of(_type(archive, options.entry), options.server)(worker, channel)
        if channel.has_ended:
            _end_group()
        return code
    except ZappError as error:
        _print_cause(error)
        rows = [{"code": found.code, "path": found.path, "args": dict(found.args)} for found in error.findings]
        channel.say({"type": "failed", "findings": rows})
        return 1


def _type(archive: Archive, entry: Optional[str]) -> str:
    """Of the one entry point; of the whole app: what can run all of them."""
    types = [one["type"] for name, one in archive.manifest.entries.items() if entry in (None, name)]
    return types[0] if len(types) == 1 else "asgi" if "asgi" in types else "wsgi"


def _leave_no_trace() -> None:
    """The way to this package is not one for the app's own modules."""
    for folder in os.environ.pop("PYTHONPATH", "").split(os.pathsep):
        if folder:
            sys.path[:] = [path for path in sys.path if os.path.abspath(path) != os.path.abspath(folder)]


_IMPORTLIB = os.path.dirname(importlib.__file__) + os.sep


def _print_cause(error: ZappError) -> None:
    """The app's own error with its own lines, for the app's log: how this package came to them says nothing."""
    cause = error.__cause__
    if cause is None:
        return
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    at = cause.__traceback__
    while at is not None and at.tb_frame.f_code.co_filename.startswith((own, "<frozen importlib", _IMPORTLIB)):
        at = at.tb_next
    traceback.print_exception(type(cause), cause, at)


def _end_group() -> None:
    """The parent was killed: nobody else ends what the app has started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
