from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import Iterator, Mapping

from .archive import Archive

try:
    import fcntl as fcntl
except ImportError:  # Windows: there two builders at once do the work twice, and the first to rename wins.
    fcntl = None  # type: ignore[assignment]


class CacheLayout:
    """
    The folders of a cache.

        <cache>/python-1/blobs/<sha256>[x]            content, read-only; x: executable
        <cache>/python-1/trees/<name>-<version>-<key>/app/   the tree; tree.json beside it says that it is complete
        <cache>/python-1/use/<tree>                   locked, shared, by every process that uses the tree
        <cache>/python-1/temp/                         what is being built
        <cache>/python-1/second                        the last modification time that was given
        <cache>/python-1/lock                          locked by the process that builds or collects
    """

    def __init__(self, cache: str):
        self.root = os.path.join(cache, "python-1")
        self.blobs = os.path.join(self.root, "blobs")
        self.trees = os.path.join(self.root, "trees")
        self.use = os.path.join(self.root, "use")
        self.temp = os.path.join(self.root, "temp")

    def tree_name(self, archive: Archive, links: Mapping[str, str]) -> str:
        """One tree per content and place of its data. Name and version are there for people who read a stack trace."""
        key = json.dumps([archive.content_digest, sorted(links.items())]).encode()
        manifest = archive.manifest
        return f"{manifest.name}-{manifest.version}-{hashlib.sha256(key).hexdigest()[:32]}"

    def make(self) -> None:
        for folder in (self.root, self.blobs, self.trees, self.use, self.temp):
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o700)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Of all processes one at a time. The system lets go of it where the process is killed."""
        lock = os.open(os.path.join(self.root, "lock"), os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
