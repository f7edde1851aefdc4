from __future__ import annotations

import os
import stat
from typing import Optional

from .errors import fail


def trust_folder(folder: str) -> None:
    """
    Makes sure that a folder whose files will be run as code is this user's alone: owned by the effective user, mode
    0700 or less, no link on the way, and no folder on the way in which somebody else could put another one in its
    place. What does not exist is made. Windows has neither owners nor modes here: there only links are refused.

    :param folder: absolute and normalised
    :raises ZappError: CACHE_UNTRUSTED; CACHE_NONE where the folder cannot be made
    """
    for path in [*_ancestors(folder), folder]:
        found = _lstat_or_make(path)
        if stat.S_ISLNK(found.st_mode):
            trouble: Optional[str] = "a link"
        elif not stat.S_ISDIR(found.st_mode):
            trouble = "a file"
        else:
            trouble = _judge(found, path == folder)
        if trouble is not None:
            raise fail("CACHE_UNTRUSTED", folder, dir=folder, got=trouble if path == folder else f"{trouble} at {path}")


def _ancestors(folder: str) -> list[str]:
    """From the root down."""
    parent = os.path.dirname(folder)
    return [] if parent == folder else [*_ancestors(parent), parent]


def _lstat_or_make(path: str) -> os.stat_result:
    try:
        try:
            return os.lstat(path)
        except FileNotFoundError:
            pass
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            # Another starter was quicker: what it made is judged like anything else.
            pass
        return os.lstat(path)
    except OSError as error:
        raise fail("CACHE_NONE", path, reason=str(error)) from error


def _judge(found: os.stat_result, itself: bool) -> Optional[str]:
    if not hasattr(os, "geteuid"):
        return None
    user, mode = os.geteuid(), stat.S_IMODE(found.st_mode)
    if itself:
        if found.st_uid != user:
            return f"owner {found.st_uid}, this process runs as {user}"
        return f"mode 0{mode:o}" if mode & 0o077 else None
    if found.st_uid not in (user, 0):
        return f"a folder of user {found.st_uid}"
    # In a sticky folder (/tmp) only the owner of an entry may rename it.
    if mode & stat.S_ISVTX:
        return None
    if mode & stat.S_IWOTH:
        return "a folder that everybody may write to"
    # A umask of 002 with a group per user is Debian's default; any other group holds other people.
    if mode & stat.S_IWGRP and found.st_gid not in (os.getegid(), 0):
        return f"a folder that group {found.st_gid} may write to"
    return None
