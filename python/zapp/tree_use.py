"""Who uses a run tree. A lock of the system says it: it ends with the last process that holds it, however that ends."""

from __future__ import annotations

import contextlib
import os
from typing import Callable, Iterator, Optional

from .cache_layout import CacheLayout, fcntl

_FLAGS = getattr(os, "O_CLOEXEC", 0)

#: Descriptors by tree. Never closed: modules that were imported from a tree stay, and read beside themselves later on.
_held: "dict[str, int]" = {}


def hold_tree(layout: CacheLayout, name: str) -> None:
    """
    Keeps a tree, whether it is there or not, from being collected until this process, and every child that it forks,
    has ended. In a read-only cache nobody collects.
    """
    path = os.path.join(layout.use, name)
    if fcntl is None or path in _held:
        return
    for descriptor in _opened(path):
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if _is_still(path, descriptor):
            with contextlib.suppress(OSError):
                os.utime(path)
            _held[path] = descriptor
            return
        # A collector has removed it, with the tree, between the two.
        os.close(descriptor)


def without_users(layout: CacheLayout, name: str, work: Callable[[], None]) -> bool:
    """Does the work if nobody uses the tree, and keeps users waiting meanwhile."""
    path = os.path.join(layout.use, name)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        work()
        os.unlink(path)
        return True
    finally:
        os.close(descriptor)


def last_used(layout: CacheLayout, name: str) -> float:
    try:
        return os.stat(os.path.join(layout.use, name)).st_mtime
    except FileNotFoundError:
        return 0.0


def _opened(path: str) -> Iterator[int]:
    while True:
        descriptor = _open(path)
        if descriptor is None:
            return
        yield descriptor


def _open(path: str) -> Optional[int]:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    except OSError:
        with contextlib.suppress(OSError):
            return os.open(path, os.O_RDONLY | _FLAGS)
    return None


def _is_still(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
