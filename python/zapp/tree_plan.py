from __future__ import annotations

from typing import Iterable, NamedTuple

from .archive import Archive
from .entry import Entry
from .holdings import LIBRARY, METADATA, MIMETYPE
from .manifest import Manifest
from .name_table import folders_above


class TreePlan(NamedTuple):
    """Where the entries of an archive go when its run tree is built. FORMAT.md §Run tree."""

    #: Parents before their children.
    folders: list[str]
    #: Files of dependencies: read-only, shared between trees.
    shared: list[Entry]
    #: The app's own files: copies that it may write to.
    own: list[Entry]


def plan_tree(archive: Archive, links: Iterable[str]) -> TreePlan:
    """:param links: paths that will be links, so that what the archive holds there stays out"""
    linked = list(links)
    left_out = _LeftOut(archive.manifest)
    folders: set[str] = set()
    shared, own = [], []
    for entry in archive.entries.values():
        path = entry.path
        if not _belongs_to_app(path) or any(_is_inside(path.rstrip("/"), link) for link in linked):
            continue
        if not entry.is_folder:
            if _is_dependency(path):
                shared.append(entry)
            elif not left_out.has(path):
                own.append(entry)
            else:
                continue
        folders.update(folders_above(path))
    for link in linked:
        folders.update(folders_above(link))
    return TreePlan(sorted(folders), shared, own)


def _belongs_to_app(path: str) -> bool:
    """The project as its author left it, and what may be imported; not what describes the archive."""
    return path != MIMETYPE and (not path.startswith(METADATA) or path.startswith(LIBRARY))


def _is_dependency(path: str) -> bool:
    return path.startswith(LIBRARY) or "/node_modules/" in f"/{path}"


class _LeftOut:
    """
    Files that no code is going to read: a static route says ``unpack: false``, and no other static route with a folder
    as deep or deeper wants them. A folder that holds a module or a file of ``executable`` is wanted whole.
    """

    def __init__(self, manifest: Manifest):
        statics = [route for route in manifest.routes if route.kind == "static"]
        needed = [entry["module"] for entry in manifest.entries.values() if "module" in entry]
        needed += manifest.executable
        self._off = [
            route.target
            for route in statics
            if not route.unpack and not any(_is_inside(file, route.target) for file in needed)
        ]
        self._on = [route.target for route in statics if route.unpack]

    def has(self, path: str) -> bool:
        return bool(self._off) and _depth(self._off, path) > _depth(self._on, path)


def _depth(folders: list[str], path: str) -> int:
    """Length of the longest of the folders that hold the path; -1: none does."""
    return max((len(folder) for folder in folders if _is_inside(path, folder)), default=-1)


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
