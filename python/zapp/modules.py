"""
Modules of archives in one process. There is one sys.modules: two archives that bring different content under one module
name cannot both have theirs, so the second is refused; equal content is shared (FORMAT.md §Needs).
"""

from __future__ import annotations

import hashlib
import os
import threading
from typing import Callable, Iterable, Optional

from .archive import Archive
from .entry import Entry
from .errors import fail
from .holdings import LIBRARY

#: Module name → digest of its content, and how many loaded apps bring it.
_brought: dict[str, tuple[str, int]] = {}
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)

#: What ``import zapp`` means, in apps too.
LOADER = "zapp"
_CODE = (".py", ".so", ".pyd")


def claim_modules(archive: Archive, roots: Iterable[str]) -> Callable[[], None]:
    """
    :param roots: folders that modules are imported from, as prefixes: empty, or ending in "/"
    :returns: lets go, for an app whose modules were never imported
    :raises ZappError: ENTRY_LOAD
    """
    mine: dict[str, str] = {}
    for root in roots:
        for name, digest in module_digests(archive, root).items():
            # The first on sys.path is the one that is imported.
            mine.setdefault(name, digest)
    for name in mine:
        if name.split(".")[0] == LOADER:
            why = f"{LOADER} is the loader's own name, which the app would be given instead: rename the app's module"
            raise fail("ENTRY_LOAD", archive.file or "", module=name, reason=why)
    with _lock:
        for name, digest in mine.items():
            if name in _brought and _brought[name][0] != digest:
                why = "another archive in this process brings different content under that name: run them in two"
                raise fail("ENTRY_LOAD", archive.file or "", module=name, reason=why)
        for name, digest in mine.items():
            _brought[name] = (digest, _brought.get(name, ("", 0))[1] + 1)

    def release() -> None:
        with _lock:
            for name, digest in mine.items():
                count = _brought[name][1] - 1
                if count:
                    _brought[name] = (digest, count)
                else:
                    del _brought[name]

    return release


def module_digests(archive: Archive, root: str) -> dict[str, str]:
    """
    What can be imported from a root, by dotted name: a package with all that lies in it, whatever it is (templates,
    data), and modules beside or in folders that are no package, since several archives may fill such a namespace.
    """
    files = [e for e in archive.entries.values() if not e.is_folder and e.path.startswith(root)]
    packages = {e.path.rpartition("/")[0] + "/" for e in files if _stem(e) == "__init__" and "/" in e.path[len(root) :]}
    units: dict[str, list[str]] = {}
    for entry in files:
        name = _unit(entry, root, packages)
        if name is not None:
            units.setdefault(name, []).append(f"{entry.path[len(root) :]} {entry.sha256}\n")
    return {name: hashlib.sha256("".join(sorted(rows)).encode()).hexdigest() for name, rows in units.items()}


def _unit(entry: Entry, root: str, packages: "set[str]") -> Optional[str]:
    """The outermost package that a file lies in, else the module that it is, else None."""
    folders = entry.path[len(root) :].split("/")[:-1]
    path = root
    for depth, folder in enumerate(folders, 1):
        if not folder.isidentifier():
            return None
        path += folder + "/"
        if path in packages:
            return _named(folders[:depth], root)
    stem = _stem(entry)
    return _named([*folders, stem], root) if stem is not None and stem.isidentifier() else None


def _named(parts: list[str], root: str) -> Optional[str]:
    # What is started by its path is no module for others; and the loader is the one that runs, not the one brought along.
    is_nobodys = parts[0] == "__main__" or (parts[0] == LOADER and root == LIBRARY)
    return None if is_nobodys else ".".join(parts)


def _stem(entry: Entry) -> Optional[str]:
    name = entry.path.rpartition("/")[2]
    return name.partition(".")[0] if name.endswith(_CODE) else None


def roots_of(archive: Archive) -> list[str]:
    """Of all entry points; dependencies behind the app's own modules."""
    roots = [entry["root"] + "/" if "root" in entry else "" for entry in archive.manifest.entries.values()]
    return list(dict.fromkeys([*roots, LIBRARY]))
