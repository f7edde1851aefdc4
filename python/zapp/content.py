"""Pass 8: the content of one entry, in bounded memory. FORMAT.md §Layout."""

from __future__ import annotations

import hashlib
import zlib
from typing import Iterator

from .entry import STORED, Entry
from .errors import fail
from .source import CHUNK, Source, chunks


def raw_chunks(source: Source, entry: Entry) -> Iterator[bytes]:
    """The data as they are stored."""
    return chunks(source, entry.data_offset, entry.data_offset + entry.compressed_size)


def content_chunks(source: Source, entry: Entry) -> Iterator[bytes]:
    """The content; raises what is wrong with its length (8.1 to 8.4), some chunks later than the first."""
    return raw_chunks(source, entry) if entry.method == STORED else _inflate(source, entry)


def checked_chunks(source: Source, entry: Entry) -> Iterator[bytes]:
    """As :func:`content_chunks`; behind the last chunk also CRC and INDEX_MISMATCH (8.5, 8.6)."""
    crc = 0
    sha256 = hashlib.sha256()
    for chunk in content_chunks(source, entry):
        crc = zlib.crc32(chunk, crc)
        sha256.update(chunk)
        yield chunk
    if crc != entry.crc32:
        raise fail("CRC", entry.path, expected=f"{entry.crc32:08x}", got=f"{crc:08x}")
    if entry.sha256 and sha256.hexdigest() != entry.sha256:
        raise fail(
            "INDEX_MISMATCH", entry.path, what="the SHA-256", expected=entry.sha256, got=sha256.hexdigest()
        )


def _inflate(source: Source, entry: Entry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    given = consumed = 0
    for data in raw_chunks(source, entry):
        consumed += len(data)
        while not inflater.eof:
            # Room for one byte more than there should be, and no further.
            room = min(CHUNK, entry.size + 1 - given)
            try:
                piece = inflater.decompress(data, room)
            except zlib.error as error:
                raise fail("INFLATE", entry.path, got=str(error)) from None
            given += len(piece)
            if given > entry.size:
                raise fail("SIZE", entry.path, expected=entry.size, got=f"{entry.size + 1} or more")
            if piece:
                yield piece
            data = inflater.unconsumed_tail
            if not data and len(piece) < room:
                break
        if inflater.eof:
            consumed -= len(inflater.unused_data)
            break
    if not inflater.eof:
        raise fail("INFLATE", entry.path, got="unexpected end of the data")
    if consumed != entry.compressed_size:
        raise fail("DEFLATE_TRAILING", entry.path, expected=entry.compressed_size, got=consumed)
    if given < entry.size:
        raise fail("SIZE", entry.path, expected=entry.size, got=given)
