"""Where the cache and the data are when the caller names no place. Never a temporary folder: it is everybody's."""

from __future__ import annotations

import os
import sys
from typing import Optional

from .errors import fail

#: Accounts of services have ids below this one, or a home that nobody made.
_FIRST_PERSON = 500 if sys.platform == "darwin" else 1000


def cache_location(named: Optional[str] = None) -> str:
    """
    The option, else the system's cache folder for root or a service user, else the user's cache folder.

    :raises ZappError: CACHE_NONE
    """
    if named:
        return os.path.abspath(named)
    if sys.platform == "win32":
        own = os.path.join(os.environ.get("LOCALAPPDATA") or _home("AppData", "Local"), "zapp", "cache")
    elif sys.platform == "darwin":
        own = _home("Library", "Caches", "zapp")
    else:
        own = os.path.join(_xdg("XDG_CACHE_HOME") or _home(".cache"), "zapp")
    return _first_usable(["/var/cache/zapp", own] if _is_service() else [own])


def data_location(app: str, named: Optional[str] = None) -> str:
    """Not beside the cache, which may be emptied at any time."""
    if named:
        return os.path.abspath(named)
    if sys.platform == "win32":
        own = os.path.join(os.environ.get("LOCALAPPDATA") or _home("AppData", "Local"), "zapp", "data")
    elif sys.platform == "darwin":
        own = _home("Library", "Application Support", "zapp")
    else:
        own = os.path.join(_xdg("XDG_STATE_HOME") or _home(".local", "state"), "zapp")
    return os.path.join(_first_usable(["/var/lib/zapp", own] if _is_service() else [own]), app)


def _is_service() -> bool:
    if not hasattr(os, "geteuid"):
        return False
    return os.geteuid() < _FIRST_PERSON or not os.path.isdir(os.path.expanduser("~"))


def _xdg(name: str) -> Optional[str]:
    """XDG Base Directory Specification: a path that is not absolute must be ignored."""
    value = os.environ.get(name, "")
    return value if value.startswith("/") else None


def _home(*parts: str) -> str:
    """With its links resolved: many systems reach /home through one, and the cache refuses links."""
    return os.path.join(os.path.realpath(os.path.expanduser("~")), *parts)


def _first_usable(folders: list[str]) -> str:
    """The first folder that is this user's, or can be made."""
    reasons = []
    for folder in folders:
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
            owner = os.stat(folder).st_uid
        except OSError as error:
            reasons.append(str(error))
            continue
        # It may be read-only, once it is filled; but one of another user is not ours to use.
        if not hasattr(os, "geteuid") or owner == os.geteuid():
            return folder
        reasons.append(f"{folder} belongs to user {owner}")
    raise fail("CACHE_NONE", reason="; ".join(reasons))
