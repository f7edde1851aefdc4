from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20
GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """How much an archive may be (FORMAT.md §Limits); a value that equals a limit is allowed."""

    #: Entries, folders included. The most that a zip without zip64 can count.
    entries: int = 65_534
    #: Bytes of all entries, unpacked.
    total_bytes: int = 4 * GIB
    #: Bytes of one entry, unpacked.
    file_bytes: int = GIB
    #: Unpacked bytes per packed byte; only above ratio_from, because small files of one repeated byte are harmless.
    ratio: int = 200
    ratio_from: int = 10 * MIB
    #: Bytes of zapp.json.
    manifest_bytes: int = MIB
    #: Files below the folders of static routes, counted once for each route.
    static_files: int = 4 * 65_536


DEFAULT_LIMITS = Limits()
