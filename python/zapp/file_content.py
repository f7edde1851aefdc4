from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from typing import Iterator, Optional

from .archive import Archive
from .entry import STORED
from .source import CHUNK
from .static_file import GZIP_HEADER, Representation

#: Content up to this is kept, all of it together up to BUDGET.
SMALL = 1024 * 1024
BUDGET = 32 * 1024 * 1024


class WouldBlock(Exception):
    """Content has to be read and verified first, which may take as long as a disk takes."""


class FileContent:
    """The bytes of representations, verified before the first of them; small ones from a bounded memory."""

    def __init__(self, archive: Archive):
        self._archive = archive
        self._memory: OrderedDict[tuple[int, bool], bytes] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def open(
        self, chosen: Representation, first: int = 0, last: Optional[int] = None, may_block: bool = True
    ) -> Iterator[bytes]:
        """
        Bytes ``first`` to ``last``. Raises ZappError at once, before it returns, where the entry is damaged.

        :raises WouldBlock: where it must not, and the content was not read before
        """
        end = chosen.length if last is None else last + 1
        if not may_block and not self._is_ready(chosen):
            raise WouldBlock
        if chosen.length <= SMALL:
            return iter([self._small(chosen)[first:end]])
        self._archive.verify_entry(chosen.entry)
        if not chosen.wrapped and chosen.entry.method == STORED:
            return self._stored(chosen, first, end)
        return _cut(self._wrapped(chosen) if chosen.wrapped else self._archive.stream(chosen.entry), first, end)

    def _is_ready(self, chosen: Representation) -> bool:
        if chosen.length <= SMALL:
            return (chosen.entry.index, chosen.wrapped) in self._memory
        return self._archive.is_verified(chosen.entry)

    def _small(self, chosen: Representation) -> bytes:
        key = (chosen.entry.index, chosen.wrapped)
        with self._lock:
            known = self._memory.get(key)
            if known is not None:
                self._memory.move_to_end(key)
                return known
        data = b"".join(self._wrapped(chosen)) if chosen.wrapped else self._archive.read(chosen.entry)
        with self._lock:
            if key not in self._memory:
                self._memory[key] = data
                self._held += len(data)
            while self._held > BUDGET:
                _, dropped = self._memory.popitem(last=False)
                self._held -= len(dropped)
        return data

    def _wrapped(self, chosen: Representation) -> Iterator[bytes]:
        raw = self._archive.raw(chosen.entry)
        yield GZIP_HEADER
        yield from raw
        yield struct.pack("<LL", chosen.entry.crc32, chosen.entry.size & 0xFFFFFFFF)

    def _stored(self, chosen: Representation, at: int, end: int) -> Iterator[bytes]:
        while at < end:
            part = self._archive.read_stored(chosen.entry, at, min(at + CHUNK, end))
            at += len(part)
            yield part


def _cut(parts: Iterator[bytes], first: int, end: int) -> Iterator[bytes]:
    """What lies before is read and dropped: deflate has no way in but its beginning."""
    at = 0
    for part in parts:
        if at + len(part) > first:
            yield part[max(0, first - at) : end - at]
        at += len(part)
        if at >= end:
            return
