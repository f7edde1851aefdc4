"""Commands of an app: FORMAT.md §Commands, §Needs."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import Mapping, NamedTuple, Optional, Sequence

from .archive import Archive
from .environment import Variables, resolve_config
from .errors import fail, raise_errors
from .holdings import LIBRARY
from .locations import cache_location, data_location
from .manifest import Manifest
from .needs import check_command_needs
from .place import Place

_PLACEHOLDER = re.compile(r"\{(node|python|(data|config)\.([A-Za-z0-9._-]+))\}")


class Command(NamedTuple):
    """Something that can be started, by whatever means the caller has."""

    #: The program, then its arguments.
    argv: "list[str]"
    #: The run tree, which is held as long as this process lives.
    cwd: str
    #: All of it: nothing of this process's environment is to be added.
    env: "dict[str, str]"


def declared_commands(manifest: Manifest) -> "dict[str, Sequence[str]]":
    """What ``run FILE NAME`` knows by name: the background processes, and ``migrate``."""
    found = {name: process["run"] for name, process in manifest.source.get("processes", {}).items()}
    migrate = manifest.source.get("lifecycle", {}).get("migrate")
    return found if migrate is None else {**found, "migrate": migrate["run"]}


def prepare_command(
    archive: Archive,
    run: Sequence[str],
    config: Mapping[str, str],
    cache: Optional[str] = None,
    data: Optional[str] = None,
) -> Command:
    """
    Checks what a command needs and makes ready where it runs. It sees the ``env`` of every entry point, as if it were a
    part of each; where they differ the first one counts.

    :param run: arguments with placeholders: of the manifest, or typed by a person
    :raises ZappError: NEED_*, CONFIG_*, all at once; CACHE_*; IO
    """
    manifest = archive.manifest
    values, wrong = resolve_config(manifest, config)
    raise_errors([*check_command_needs(archive, run), *wrong])
    home = data_location(manifest.name, data)
    os.makedirs(home, 0o700, exist_ok=True)
    place = Place(archive, cache_location(cache), home)
    tree = place.tree()
    entries = [entry.get("env", {}) for entry in manifest.entries.values()]
    env = _environment(home, values, place.variables(), *reversed(entries))
    library = os.path.join(tree, LIBRARY.rstrip("/"))
    if os.path.isdir(library):
        env["PYTHONPATH"] = library
    folders = {name: os.path.join(home, name) for name in manifest.data}
    argv = [_fill(argument, folders, values) for argument in run]
    program = argv[0] if os.path.dirname(argv[0]) else shutil.which(argv[0], path=env.get("PATH"))
    if program is None:
        raise fail("NEED_COMMAND", command=argv[0])
    return Command([os.path.join(tree, program), *argv[1:]], tree, env)


def _environment(home: str, *variables: Variables) -> "dict[str, str]":
    """What is listed in FORMAT.md §Needs and nothing else of ours; of two values of a variable the last."""
    found: "dict[str, Optional[str]]" = {
        "PATH": os.environ.get("PATH"),
        "HOME": home,
        "TZ": os.environ.get("TZ"),
        "LANG": "C.UTF-8",
        "NODE_ENV": "production",
    }
    for some in variables:
        found.update({name: value for name, value in some.items() if value is not None})
    return {name: value for name, value in found.items() if value is not None}


def _fill(argument: str, folders: Mapping[str, str], config: Variables) -> str:
    """A value that is not set is empty."""

    def value_of(match: "re.Match[str]") -> str:
        what, kind, name = match.groups()
        if what == "python":
            return sys.executable
        if what == "node":
            return shutil.which("node") or ""
        return (folders.get(name) if kind == "data" else config.get(name)) or ""

    return _PLACEHOLDER.sub(value_of, argument)
