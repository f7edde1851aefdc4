from __future__ import annotations

from bisect import bisect_left
from typing import Iterable


class FilesBelow:
    """The files of an archive by folder. Sorted once, so that to ask for a folder costs no look at all the others."""

    def __init__(self, names: Iterable[str]):
        """:param names: of files, without folders"""
        self._names = sorted(names)

    def of(self, folder: str) -> list[str]:
        """:param folder: without a slash at the end"""
        start, end = self._range(folder)
        return self._names[start:end]

    def count(self, folder: str) -> int:
        """How many :meth:`of` returns."""
        start, end = self._range(folder)
        return end - start

    def _range(self, folder: str) -> tuple[int, int]:
        """What begins with "folder/" stands together, in front of "folder0": 0 is the character after the slash."""
        return bisect_left(self._names, folder + "/"), bisect_left(self._names, folder + "0")
