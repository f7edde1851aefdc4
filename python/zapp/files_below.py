from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import Iterable

from .entry import Entry


class FilesBelow:
    """
    The files of an archive by folder. Sorted once, when the first folder is asked for, so that to ask for a folder costs
    no look at all the others.
    """

    def __init__(self, entries: Iterable[Entry]):
        """:param entries: folders among them"""
        self._entries = entries

    @cached_property
    def _names(self) -> list[str]:
        return sorted(entry.path for entry in self._entries if not entry.is_folder)

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
