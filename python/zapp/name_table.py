from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Iterator, Optional

from .errors import Finding, finding
from .limits import DEFAULT_LIMITS
from .tables import table


class NameTable:
    """Names beside each other: rules B of FORMAT.md §Names. Add the entries in the order of the directory."""

    def __init__(self, limit: int = DEFAULT_LIMITS.entries) -> None:
        # Twice, because folders need no entry of their own. Without it 65,000 names of 64 segments would stand for four
        # million folders.
        self._limit = 2 * limit
        self._is_full = False
        #: Whether each name is a folder, and whether it has an entry of its own.
        self._kinds: dict[str, tuple[bool, bool]] = {}
        self._keys: dict[str, str] = {}

    def add(self, path: str) -> Optional[Finding]:
        if self._is_full:
            return None
        is_folder = path.endswith("/")
        name = path[:-1] if is_folder else path
        for folder in folders_above(name):
            wrong = self._add(folder, True, False, path)
            if wrong:
                return wrong
        return self._add(name, is_folder, True, path)

    def _add(self, name: str, is_folder: bool, is_entry: bool, path: str) -> Optional[Finding]:
        known = self._kinds.get(name)
        if known is not None:
            was_folder, was_entry = known
            if was_folder != is_folder:
                return finding("FILE_DIR_CONFLICT", path, name=name)
            if is_entry and was_entry:
                return finding("DUP", path, name=path)
            self._kinds[name] = (is_folder, is_entry or was_entry)
            return None
        key = collision_key(name)
        other = self._keys.get(key)
        if other is not None:
            return finding("CASE_COLLISION", path, name=name, other=other)
        if len(self._keys) == self._limit:
            self._is_full = True
            return finding("TOO_MANY", path, limit=self._limit, got=self._limit + 1)
        self._keys[key] = name
        self._kinds[name] = (is_folder, is_entry)
        return None


def collision_key(name: str) -> str:
    """What two names share that some file system takes for one. By the shipped table, never the runtime's."""
    if name.isascii():
        return name.lower()
    folded = name.translate(_folding()).replace("i\u0307", "i")
    return unicodedata.normalize("NFC", folded)


def folders_above(name: str) -> Iterator[str]:
    """From the outermost inwards, without a slash at the end."""
    at = name.find("/")
    while at != -1:
        yield name[:at]
        at = name.find("/", at + 1)


@lru_cache(maxsize=None)
def _folding() -> dict[int, str]:
    data = table("casefold.json")
    folding = {
        code: chr(code + offset)
        for first, last, step, offset in data["runs"]
        for code in range(first, last + 1, step)
    }
    folding.update({ord(char): text for char, text in data["full"].items()})
    folding[0x131] = "i"
    return folding
