from __future__ import annotations

import mmap
import os
from typing import Optional

try:
    import fcntl
except ImportError:  # Windows, where nothing is forked or handed over
    fcntl = None  # type: ignore[assignment]

_ABSENT = 2**32 - 1
#: A process that has no more connections than that takes another one, whatever the others have.
_FEW = 4


class Balance:
    """
    How many connections each process has, in memory that they share. A process that happens to be quick takes all that
    come at once, and has them for as long as they are kept alive, while the others have nothing to do; so one that is
    ahead lets the others accept first.
    """

    def __init__(self, memory: mmap.mmap):
        """:param memory: four bytes for each process that may run at once, all bits set"""
        self._counts = memoryview(memory).cast("I")
        self._mine = 0

    @staticmethod
    def of(slots: int) -> Balance:
        """For processes that are forked from this one."""
        memory = mmap.mmap(-1, 4 * slots)
        memory.write(b"\xff" * (4 * slots))
        return Balance(memory)

    @staticmethod
    def join(path: str) -> Optional[Balance]:
        """
        In a process that shares only a file with the others.

        :returns: None, where there is no such file, or no room in it
        """
        try:
            # It stays open: with it goes the lock, which says whose the slot is, when this process ends in whatever way.
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            balance = Balance(mmap.mmap(file, 0))
        except (OSError, ValueError):
            return None
        for slot in range(len(balance._counts)):
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except OSError:
                continue
            balance.enter(slot)
            return balance
        return None

    def enter(self, slot: int) -> None:
        """In the process that the slot is for."""
        self._mine = slot
        self.tell(0)

    def leave(self, slot: Optional[int] = None) -> None:
        """Nobody waits for that process any more, by default this one."""
        self._counts[self._mine if slot is None else slot] = _ABSENT

    def tell(self, connections: int) -> None:
        self._counts[self._mine] = connections

    def is_ahead(self, connections: int) -> bool:
        self.tell(connections)
        # It counts itself: alone it is never ahead.
        return connections > _FEW and connections > min(self._counts) * 5 // 4 + 1
