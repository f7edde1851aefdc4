from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from types import FrameType
from typing import Optional, Sequence

from ..archive import open_archive
from ..command import Command, declared_commands, prepare_command
from ..errors import fail
from ..manifest import Manifest

NAME = "run"
HELP = "run a declared process, migrate, or any command (behind --) in the app's own files and environment"


def define(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [options] FILE NAME\n       %(prog)s [options] FILE -- COMMAND..."
    parser.epilog = "In a command {python}, {node}, {data.NAME} and {config.NAME} are replaced."
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("name", metavar="NAME", nargs="?", help='one of the "processes" of the app, or migrate')
    parser.add_argument("--config", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--cache", default=os.environ.get("ZAPP_CACHE"), help="folder for run trees")
    parser.add_argument("--data", help="folder that holds the app's data folders")


def run(options: argparse.Namespace) -> int:
    config = dict(pair.partition("=")[::2] for pair in options.config)
    with open_archive(options.file) as archive:
        argv = _command_of(archive.manifest, options.name, options.typed)
        if argv is None:
            return 2
        return _start(prepare_command(archive, argv, config, options.cache, options.data))


def _command_of(manifest: Manifest, name: Optional[str], typed: Sequence[str]) -> Optional[Sequence[str]]:
    known = declared_commands(manifest)
    if typed and name is None:
        return typed
    if not typed and name in known:
        return known[name]
    names = f"one of {', '.join(known)}" if known else "a command behind --, as the app declares none"
    got = "" if name is None else f", got {name}{' and a command behind --' if typed else ''}"
    print(f"zapp run: what to run must be {names}{got}", file=sys.stderr)
    return None


def _start(command: Command) -> int:
    """The exit code as a shell would tell it: of a command that a signal ended, 128 and the signal's number."""
    child: "Optional[subprocess.Popen[bytes]]" = None

    def pass_on(number: int, frame: Optional[FrameType]) -> None:
        if child is not None:
            child.send_signal(number)

    # The terminal sends an interrupt to both; what it means is the command's to say.
    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        child = subprocess.Popen(command.argv, cwd=command.cwd, env=command.env)
        code = child.wait()
    except OSError as error:
        raise fail("IO", command.argv[0], operation="start", reason=str(error)) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
