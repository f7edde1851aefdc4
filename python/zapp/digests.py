"""fileDigest and digest. FORMAT.md §Digests."""

from __future__ import annotations

import hashlib

from .contents import SIGNATURE
from .directory import END
from .layout import Layout
from .source import Source, chunks


def digest_file(source: Source) -> str:
    return _digest(source, source.size)


def digest_unsigned(source: Source, layout: Layout) -> str:
    """The same where there is no signature."""
    entries, end = layout.entries, layout.end
    last = entries[-1]
    if last.path != SIGNATURE:
        return digest_file(source)
    size = end.directory_size - last.record_length
    directory = source.read(end.directory_offset, size)
    fields = list(END.unpack(source.read(end.offset, END.size)))
    fields[3:7] = [end.count - 1, end.count - 1, size, last.offset]
    return _digest(source, last.offset, directory + END.pack(*fields))


def _digest(source: Source, length: int, more: bytes = b"") -> str:
    sha256 = hashlib.sha256()
    for chunk in chunks(source, 0, length):
        sha256.update(chunk)
    sha256.update(more)
    return f"sha256:{sha256.hexdigest()}"
