from __future__ import annotations

from dataclasses import dataclass

STORED = 0
DEFLATED = 8


@dataclass
class Entry:
    """One record of the directory, whose local header says the same."""

    index: int
    #: As the directory has it; a folder's ends in "/".
    path: str
    raw_name: bytes
    flags: int
    method: int
    version: int
    #: Date and time as they lie in the file: only compared.
    time: bytes
    crc32: int
    compressed_size: int
    size: int
    extra_length: int
    comment_length: int
    disk: int
    #: External file attributes: a Unix mode above, DOS attributes below.
    attributes: int
    offset: int
    #: Length of the record.
    record_length: int
    data_offset: int = 0
    #: Hex, from contents.json; empty where that has no row.
    sha256: str = ""

    @property
    def is_folder(self) -> bool:
        return self.raw_name.endswith(b"/")

    @property
    def mode(self) -> int:
        return 0o755 if (self.attributes >> 16) & 0o100 else 0o644
