"""
Run trees: code always runs from an unpacked copy (FORMAT.md §Run tree).

    <cache>/python-1/blobs/<sha256>[x]            content, read-only; x: executable
    <cache>/python-1/trees/<name>-<version>-<key>/app/   the tree; tree.json beside it says that it is complete
    <cache>/python-1/temp/                         what is being built
    <cache>/python-1/second                        the last modification time that was given
    <cache>/python-1/lock                          held by the process that builds
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from typing import Iterable, Iterator, Mapping, Optional

from .archive import Archive
from .entry import Entry
from .errors import fail
from .tree_plan import plan_tree
from .trust import trust_folder

try:
    import fcntl
except ImportError:  # Windows: there two builders at once do the work twice, and the first to rename wins.
    fcntl = None  # type: ignore[assignment]


def run_tree(archive: Archive, cache: str, links: Mapping[str, str]) -> str:
    """
    The root of the archive's run tree, built where it is missing. Several processes may ask at once, and any may be
    killed.

    :param cache: absolute; made where it is not there
    :param links: absolute paths of folders outside, by their path in the tree
    :raises ZappError: CACHE_UNTRUSTED, CACHE_NONE, CACHE_READ_ONLY, IO; what reading the archive raises
    """
    trust_folder(cache)
    layout = _Layout(os.path.join(cache, "python-1"))
    tree = layout.tree(archive, links)
    if not _is_complete(tree):
        try:
            with _locked(layout):
                if not _is_complete(tree):
                    _build(layout, tree, archive, links)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise fail("CACHE_READ_ONLY", cache, dir=cache) from error
            raise fail("IO", cache, operation="the cache", reason=str(error)) from error
    return os.path.join(tree, "app")


class _Layout:
    def __init__(self, root: str):
        self.root = root
        self.blobs = os.path.join(root, "blobs")
        self.trees = os.path.join(root, "trees")
        self.temp = os.path.join(root, "temp")

    def tree(self, archive: Archive, links: Mapping[str, str]) -> str:
        """One tree per content and place of its data. Name and version are there for people who read a stack trace."""
        key = json.dumps([archive.content_digest, sorted(links.items())]).encode()
        manifest = archive.manifest
        name = f"{manifest.name}-{manifest.version}-{hashlib.sha256(key).hexdigest()[:32]}"
        return os.path.join(self.trees, name)


def _is_complete(tree: str) -> bool:
    return os.path.exists(os.path.join(tree, "tree.json"))


@contextlib.contextmanager
def _locked(layout: _Layout) -> Iterator[None]:
    for folder in (layout.root, layout.blobs, layout.trees, layout.temp):
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
    lock = os.open(os.path.join(layout.root, "lock"), os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        # The system lets go of it where the process is killed.
        os.close(lock)


def _build(layout: _Layout, tree: str, archive: Archive, links: Mapping[str, str]) -> None:
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
        for folder in plan.folders:
            os.mkdir(os.path.join(app, folder))
        builder = _Builder(layout, temp, archive)
        for entry in plan.shared:
            builder.share(entry, os.path.join(app, entry.path))
        for entry in plan.own:
            builder.copy(entry, os.path.join(app, entry.path))
        for path, target in links.items():
            os.symlink(target, os.path.join(app, path), target_is_directory=True)
        _write(os.path.join(made, "tree.json"), [json.dumps({"contentDigest": archive.content_digest}).encode()])
        try:
            os.rename(made, tree)
        except OSError:
            if not _is_complete(tree):
                raise
    finally:
        shutil.rmtree(temp, ignore_errors=True)


class _Builder:
    def __init__(self, layout: _Layout, temp: str, archive: Archive):
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
        blob = os.path.join(self._layout.blobs, entry.sha256 + ("x" if entry.mode == 0o755 else ""))
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
