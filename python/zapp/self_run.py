from __future__ import annotations

import os
from typing import Sequence

from .__main__ import main
from .commands import COMMANDS
from .tables import load_tables


def run_archive(archive: str, args: Sequence[str]) -> int:
    """
    What an archive does that is started as a program (archive_main.py): answers one CGI request, runs the command that
    is named first, else serves.

    :param archive: absolute path of the file
    :returns: the exit code
    """
    if "GATEWAY_INTERFACE" in os.environ:
        # A web server may put the words of a query without "=" here (RFC 3875 §4.4): they are nobody's options.
        return main(["cgi", archive])
    # The loader is read from the archive: after another one was renamed over it, nothing of it must be missing still.
    load_tables()
    names = {command.NAME for command in COMMANDS}
    command, rest = (args[0], args[1:]) if args and args[0] in names else ("serve", args)
    return main([command, archive, *rest])
