from __future__ import annotations

import mmap

_ABSENT = 2**32 - 1
#: A process that has no more connections than that takes another one, whatever the others have.
_FEW = 4


class Balance:
    """
    How many connections each process has, in memory that they share. A process that happens to be quick takes all that
    come at once, and has them for as long as they are kept alive, while the others have nothing to do; so one that is
    ahead lets the others accept first.
    """

    def __init__(self, slots: int):
        """:param slots: one for each process that may run at once"""
        self._counts = memoryview(mmap.mmap(-1, 4 * slots)).cast("I")
        for slot in range(slots):
            self.leave(slot)
        self._mine = 0

    def enter(self, slot: int) -> None:
        """In the process that the slot is for."""
        self._mine = slot
        self.tell(0)

    def leave(self, slot: int) -> None:
        self._counts[slot] = _ABSENT

    def tell(self, connections: int) -> None:
        self._counts[self._mine] = connections

    def is_ahead(self, connections: int) -> bool:
        self.tell(connections)
        # It counts itself: alone it is never ahead.
        return connections > _FEW and connections > min(self._counts) * 5 // 4 + 1
