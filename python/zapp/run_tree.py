"""Run trees: code always runs from an unpacked copy (FORMAT.md §Run tree; cache_layout.py says where it lies)."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
import time
from typing import Iterable, Mapping, Optional

from .archive import Archive
from .cache_layout import CacheLayout, fcntl
from .collect import BUDGET, collect
from .entry import Entry
from .errors import fail
from .tree_plan import plan_tree
from .tree_use import hold_tree
from .trust import trust_folder


def run_tree(archive: Archive, cache: str, links: Mapping[str, str], budget: int = BUDGET) -> str:
    """
    The root of the archive's run tree, built where it is missing, and held against collection as long as this process
    lives. Several processes may ask at once, and any may be killed.

    :param cache: absolute; made where it is not there
    :param links: absolute paths of folders outside, by their path in the tree
    :param budget: bytes; what a build adds may send older trees away
    :raises ZappError: CACHE_UNTRUSTED, CACHE_NONE, CACHE_READ_ONLY, IO; what reading the archive raises
    """
    trust_folder(cache)
    layout = CacheLayout(cache)
    name = layout.tree_name(archive, links)
    tree = os.path.join(layout.trees, name)
    try:
        hold_tree(layout, name)
        if not _is_complete(tree):
            layout.make()
            hold_tree(layout, name)
            with layout.locked():
                if not _is_complete(tree):
                    _build(layout, tree, archive, links)
                    # A tree is complete without it: what cannot be collected now is left to the next build.
                    with contextlib.suppress(OSError, ValueError, KeyError):
                        collect(layout, budget)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise fail("CACHE_READ_ONLY", cache, dir=cache) from error
        raise fail("IO", cache, operation="the cache", reason=str(error)) from error
    return os.path.join(tree, "app")


def _is_complete(tree: str) -> bool:
    return os.path.exists(os.path.join(tree, "tree.json"))


def _build(layout: CacheLayout, tree: str, archive: Archive, links: Mapping[str, str]) -> None:
    if fcntl:
        # Only the holder of the lock builds: what lies here is of builders that were killed.
        for name in os.listdir(layout.temp):
            shutil.rmtree(os.path.join(layout.temp, name), ignore_errors=True)
    temp = tempfile.mkdtemp(dir=layout.temp)
    try:
        made = os.path.join(temp, "tree")
        app = os.path.join(made, "app")
        os.makedirs(app)
        plan = plan_tree(archive, links)
        record = {
            "contentDigest": archive.content_digest,
            "bytes": sum(entry.size for entry in plan.own),
            "blobs": {blob_name(entry): entry.size for entry in (*plan.shared, *plan.own)},
        }
        for folder in plan.folders:
            os.mkdir(os.path.join(app, folder))
        builder = _Builder(layout, temp, archive)
        for entry in plan.shared:
            builder.share(entry, os.path.join(app, entry.path))
        for entry in plan.own:
            builder.copy(entry, os.path.join(app, entry.path))
        for path, target in links.items():
            os.symlink(target, os.path.join(app, path), target_is_directory=True)
        _write(os.path.join(made, "tree.json"), [json.dumps(record).encode()])
        try:
            os.rename(made, tree)
        except OSError:
            if not _is_complete(tree):
                raise
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def blob_name(entry: Entry) -> str:
    return entry.sha256 + ("x" if entry.mode == 0o755 else "")


class _Builder:
    def __init__(self, layout: CacheLayout, temp: str, archive: Archive):
        self._layout = layout
        self._temp = temp
        self._archive = archive
        self._second: Optional[int] = None

    def share(self, entry: Entry, target: str) -> None:
        blob = self._blob(entry)
        try:
            os.link(blob, target)
        except OSError:
            # A file system that has no links, or no more of them for this file.
            shutil.copy2(blob, target)

    def copy(self, entry: Entry, target: str) -> None:
        # With the blob's modification time, so that equal content keeps it from version to version.
        shutil.copy2(self._blob(entry), target)
        os.chmod(target, entry.mode)
        copied = os.open(target, os.O_RDWR)
        try:
            os.fsync(copied)
        finally:
            os.close(copied)

    def _blob(self, entry: Entry) -> str:
        """The file of the content, verified and flushed when it first came into this cache."""
        blob = os.path.join(self._layout.blobs, blob_name(entry))
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(blob)
            # Who runs as root can write through a read-only link; that leaves a time that is no whole second.
            if found.st_size == entry.size and found.st_mtime_ns % 10**9 == 0:
                return blob
            os.unlink(blob)
        temp = os.path.join(self._temp, "blob")
        _write(temp, self._archive.stream(entry))
        second = self._take_second()
        os.utime(temp, (second, second))
        os.chmod(temp, entry.mode & 0o555)
        os.rename(temp, blob)
        return blob

    def _take_second(self) -> int:
        """
        One for each build, and no two builds have the same: tools that tell versions of a file by size and time in
        seconds must not take one version for another.
        """
        if self._second is None:
            file = os.path.join(self._layout.root, "second")
            try:
                with open(file, encoding="ascii") as stream:
                    last = int(stream.read())
            except (FileNotFoundError, ValueError):
                last = 0
            self._second = max(int(time.time()), last + 1)
            temp = os.path.join(self._temp, "second")
            _write(temp, [str(self._second).encode()])
            os.replace(temp, file)
        return self._second


def _write(file: str, parts: Iterable[bytes]) -> None:
    with open(file, "xb") as stream:
        for part in parts:
            stream.write(part)
        stream.flush()
        os.fsync(stream.fileno())


def data_folders(archive: Archive, root: str) -> dict[str, str]:
    """
    Makes the data folders of an app that are not there yet, each filled once with what the archive holds at its path.
    What is there already is never touched: it is the app's, whatever version wrote it.

    :returns: absolute paths by key of the manifest's ``data``
    """
    made = {}
    for name, folder in archive.manifest.data.items():
        target = os.path.join(root, name)
        if not os.path.isdir(target):
            os.makedirs(root, 0o700, exist_ok=True)
            _seed(archive, folder["path"] + "/", root, target)
        made[name] = target
    return made


def _seed(archive: Archive, prefix: str, root: str, target: str) -> None:
    temp = tempfile.mkdtemp(dir=root, prefix=".seed-")
    try:
        for entry in archive.entries.values():
            if not entry.path.startswith(prefix) or entry.path == prefix:
                continue
            file = os.path.join(temp, entry.path[len(prefix) :])
            os.makedirs(file if entry.is_folder else os.path.dirname(file), exist_ok=True)
            if not entry.is_folder:
                _write(file, archive.stream(entry))
                os.chmod(file, entry.mode)
        try:
            os.rename(temp, target)
        except OSError:
            # Another starter was quicker: its folder counts.
            if not os.path.isdir(target):
                raise
    finally:
        shutil.rmtree(temp, ignore_errors=True)
