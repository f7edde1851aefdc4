from __future__ import annotations

import os
import threading
from typing import Iterator, Mapping, Optional, Union

from .content import checked_chunks, content_chunks, raw_chunks
from .digests import digest_file, digest_unsigned
from .entry import Entry
from .errors import Finding, ZappError, raise_errors
from .holdings import Holdings, read_holdings
from .layout import Layout, read_layout
from .limits import DEFAULT_LIMITS, Limits
from .manifest import Manifest
from .source import Source, path_of, to_source

Input = Union[str, bytes, "os.PathLike[str]"]


class Archive:
    """
    An open archive. Its layout, its index, its manifest and the manifest's paths are right; the content of an entry is
    checked before its first byte is handed out, once. May be used by several threads, and after a fork by both sides.
    """

    def __init__(self, source: Source, file: Optional[str], layout: Layout, holdings: Holdings):
        manifest = holdings.manifest
        assert manifest is not None, "an archive without errors has a manifest"
        self.file = file
        self.bytes = source.size
        self.manifest: Manifest = manifest
        self.manifest_text: str = holdings.manifest_text
        #: In the order of the archive; names of folders end in "/".
        self.entries: Mapping[str, Entry] = holdings.entries
        #: ``sha256:<hex>``: what the archive says its content is.
        self.content_digest: str = holdings.content_digest
        self._source = source
        self._layout = layout
        self._verified: set[int] = set()
        self._lock = threading.Lock()

    def read(self, entry: Entry) -> bytes:
        """The whole content, verified. Raises ZappError."""
        content = b"".join(checked_chunks(self._source, entry))
        self._verified.add(entry.index)
        return content

    def stream(self, entry: Entry) -> Iterator[bytes]:
        """The content in chunks. Verified, by a first reading where there was none yet, before the first of them."""
        self.verify_entry(entry)
        return content_chunks(self._source, entry)

    def raw(self, entry: Entry) -> Iterator[bytes]:
        """The bytes as they are stored, of an entry that has been verified."""
        self.verify_entry(entry)
        return raw_chunks(self._source, entry)

    def read_raw(self, entry: Entry) -> bytes:
        return b"".join(self.raw(entry))

    def read_stored(self, entry: Entry, start: int, end: int) -> bytes:
        """Bytes ``start`` to ``end``, exclusive, of the stored bytes of an entry that has been verified."""
        return self._source.read(entry.data_offset + start, end - start)

    def is_verified(self, entry: Entry) -> bool:
        return entry.index in self._verified

    def verify_entry(self, entry: Entry) -> None:
        """Raises what is wrong with the content. Remembered: the archive must not change while it is open."""
        if self.is_verified(entry):
            return
        for _ in checked_chunks(self._source, entry):
            pass
        self._verified.add(entry.index)

    def verify(self) -> list[Finding]:
        """Pass 8 over every entry: what is wrong, in the order of the archive."""
        return verify_all(self._source, self.entries)

    def file_digest(self) -> str:
        return digest_file(self._source)

    def digest(self) -> str:
        """Of the file without its signature entry: what a signature signs."""
        return digest_unsigned(self._source, self._layout)

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_archive(given: Input, limits: Limits = DEFAULT_LIMITS) -> Archive:
    """
    Opens an archive: passes 1 to 7 of the layout, what every archive must hold, the manifest and its paths. Runs
    nothing of it.

    :raises ZappError: with the first finding of level error, all of them in its ``findings``; NOT_FOUND, NOT_A_FILE, IO
    """
    source = to_source(given)
    try:
        layout = read_layout(source, limits)
        raise_errors(layout.findings)
        holdings = read_holdings(source, layout, limits)
        raise_errors(holdings.findings)
        return Archive(source, path_of(given), layout, holdings)
    except BaseException:
        source.close()
        raise


def verify_all(source: Source, entries: Mapping[str, Entry]) -> list[Finding]:
    findings = []
    for entry in entries.values():
        try:
            for _ in checked_chunks(source, entry):
                pass
        except ZappError as error:
            if error.code == "IO":
                raise
            findings.append(error.findings[0])
    return findings
