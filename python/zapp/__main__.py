"""python -m zapp. Exit codes: 0 done, 1 what was checked is bad, 2 the command line is wrong."""

from __future__ import annotations

import argparse
import sys
from typing import Optional, Sequence

from . import __version__
from .commands import COMMANDS
from .errors import ZappError, log_lines

#: Cured by another command line.
_USAGE = frozenset(["NOT_FOUND", "NOT_A_FILE", "MOUNT_PATH"])


def main(args: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m zapp", description="Check and serve .zapp archives.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        own = commands.add_parser(command.NAME, help=command.HELP, description=command.HELP)
        command.define(own)
        own.set_defaults(run=command.run)
    given = list(sys.argv[1:] if args is None else args)
    # What stands behind the first -- is somebody else's command line.
    end = given.index("--") if given[:1] == ["run"] and "--" in given else len(given)
    options, rest = parser.parse_known_args(given[:end])
    if options.command == "run" and options.name is None and rest and not rest[0].startswith("-"):
        # To argparse a NAME that may be missing is missing where an option stands between FILE and it.
        options.name = rest.pop(0)
    if rest:
        parser.error("unrecognized arguments: " + " ".join(rest))
    options.typed = given[end + 1 :]
    try:
        return int(options.run(options))
    except ZappError as error:
        print("\n".join(log_lines(error)), file=sys.stderr)
        return 2 if error.code in _USAGE else 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
