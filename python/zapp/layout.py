"""
The canonical layout, passes 1 to 7: one way to read an archive, checked before anything of it is used. FORMAT.md
§Layout.

    1  the end record      directory.py
    2  the directory       directory.py
    3  back to back        here
    4  one truth           here
    5  what the format has here
    6  names and types     here, entry_path.py, name_table.py
    7  sizes and limits    here

Each pass runs over all entries before the next begins. 1 to 3 end at the first that is wrong, because what follows
would be read at offsets that mean nothing; from 4 on everything is reported. Pass 8, the content, is content.py.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Iterator, Union

from .directory import EndRecord, read_directory, read_end_record
from .entry import DEFLATED, STORED, Entry
from .entry_path import judge_name
from .errors import Finding, finding
from .limits import Limits
from .name_table import NameTable
from .source import Source

LOCAL = struct.Struct("<4s3H4s3L2H")
LOCAL_SIGNATURE = b"PK\x03\x04"
LONGEST_PREFIX = 127
NONE = 0xFFFFFFFF


@dataclass
class Layout:
    findings: list[Finding]
    entries: list[Entry] = field(default_factory=list)
    end: EndRecord = EndRecord(0, 0, 0, 0)


@dataclass(frozen=True)
class _Local:
    version: int
    flags: int
    method: int
    time: bytes
    crc32: int
    compressed_size: int
    size: int
    name_length: int
    extra_length: int
    raw_name: bytes


def read_layout(source: Source, limits: Limits) -> Layout:
    end = read_end_record(source, limits)
    if isinstance(end, list):
        return Layout(end)
    entries = read_directory(source, end)
    if isinstance(entries, Finding):
        return Layout([entries])
    headers = _read_headers(source, entries, end.directory_offset)
    if isinstance(headers, Finding):
        return Layout([headers])
    findings: list[Finding] = []
    for entry, header in zip(entries, headers):
        findings.extend(_one_truth(entry, header))
    for entry in entries:
        findings.extend(_fields(entry))
    findings.extend(_names(entries, limits))
    findings.extend(_sizes(entries, limits))
    return Layout(findings, entries, end)


def _read_headers(source: Source, entries: list[Entry], directory: int) -> Union[list[_Local], Finding]:
    """Pass 3. The entries lie one behind the other, without a gap, from the beginning to the directory."""
    at = _prefix_length(source)
    window = _Window(source)
    headers = []
    for entry in entries:
        path = entry.path
        if NONE in (entry.compressed_size, entry.size, entry.offset):
            return finding("ZIP64", path)
        if entry.offset != at:
            return finding("LAYOUT", path, what="the local header", expected=at, got=entry.offset)
        if at + LOCAL.size > directory:
            return finding("LAYOUT", path, what="a local header", expected=at, got="something else")
        head = window.read(at, LOCAL.size)
        signature, version, flags, method, time, crc32, compressed, size, name_length, extra_length = LOCAL.unpack(head)
        end = at + LOCAL.size + name_length + extra_length
        if signature != LOCAL_SIGNATURE or end > directory:
            return finding("LAYOUT", path, what="a local header", expected=at, got="something else")
        raw_name = window.read(at + LOCAL.size, name_length)
        header = _Local(version, flags, method, time, crc32, compressed, size, name_length, extra_length, raw_name)
        if (entry.flags | header.flags) & 0x0008:
            return finding("DATA_DESCRIPTOR", path)
        headers.append(header)
        entry.data_offset = end
        at = end + entry.compressed_size
    if at != directory:
        path = entries[-1].path if entries else ""
        return finding("LAYOUT", path, what="the end of the data", expected=directory, got=at)
    return headers


class _Window:
    """One system call for a header and its name, and for all of several small files."""

    PAGE = 4096

    def __init__(self, source: Source):
        self._source = source
        self._start = 0
        self._data = b""

    def read(self, position: int, length: int) -> bytes:
        at = position - self._start
        if at + length > len(self._data):
            self._start, at = position, 0
            self._data = self._source.read(position, max(length, self.PAGE))
        return self._data[at : at + length]


def _prefix_length(source: Source) -> int:
    """A file may begin with one ``#!`` line, so that a system that was told so can run it."""
    line = source.read(0, LONGEST_PREFIX)
    return line.find(b"\n") + 1 if line.startswith(b"#!") else 0


def _one_truth(entry: Entry, header: _Local) -> Iterator[Finding]:
    """Pass 4."""
    for name, ours, theirs in (
        ("version needed", entry.version, header.version),
        ("flags", entry.flags, header.flags),
        ("method", entry.method, header.method),
        ("time", entry.time.hex(), header.time.hex()),
        ("CRC-32", entry.crc32, header.crc32),
        ("compressed size", entry.compressed_size, header.compressed_size),
        ("size", entry.size, header.size),
        ("name length", len(entry.raw_name), header.name_length),
    ):
        if ours != theirs:
            yield finding("LFH_MISMATCH", entry.path, field=name, expected=ours, got=theirs)
    if len(entry.raw_name) == header.name_length and entry.raw_name != header.raw_name:
        got = header.raw_name.decode("utf-8", "replace")
        yield finding("LFH_MISMATCH", entry.path, field="name", expected=entry.path, got=got)
    if header.extra_length != 0:
        yield finding("EXTRA", entry.path, where="local", length=header.extra_length)
    if entry.extra_length != 0:
        yield finding("EXTRA", entry.path, where="directory", length=entry.extra_length)


def _fields(entry: Entry) -> Iterator[Finding]:
    """Pass 5."""
    path, flags = entry.path, entry.flags
    if entry.disk != 0:
        yield finding("MULTI_DISK", path, field="the disk of the entry", got=entry.disk)
    if flags & 0x2041:
        yield finding("ENCRYPTED", path, got=f"0x{flags:04x}")
    if flags & ~0x2041 & ~0x0806:
        yield finding("FLAGS", path, got=f"0x{flags:04x}")
    if entry.method not in (STORED, DEFLATED):
        yield finding("METHOD", path, got=entry.method)
    if entry.version > 20:
        yield finding("VERSION", path, got=entry.version)
    if entry.comment_length != 0:
        yield finding("ENTRY_COMMENT", path, length=entry.comment_length)


def _names(entries: list[Entry], limits: Limits) -> Iterator[Finding]:
    """Pass 6."""
    table = NameTable(limits.entries)
    for entry in entries:
        path = judge_name(entry.raw_name, bool(entry.flags & 0x0800))
        if isinstance(path, Finding):
            yield path
            continue
        entry.path = path
        wrong = table.add(path)
        if wrong:
            yield wrong
        mode = entry.attributes >> 16
        kind = mode & 0o170000
        dos = 0x0448 if entry.is_folder else 0x0458
        if kind not in (0, 0o040000 if entry.is_folder else 0o100000) or entry.attributes & dos:
            yield finding("TYPE", path, got=f"0{mode:o}")
        if mode & 0o7000:
            yield finding("SETID", path, got=f"0{mode:o}")
        if entry.is_folder and (entry.method, entry.size, entry.compressed_size) != (STORED, 0, 0):
            yield finding("DIR_DATA", path, got=entry.compressed_size)


def _sizes(entries: list[Entry], limits: Limits) -> Iterator[Finding]:
    """Pass 7: lies that can be told without inflating, then the limits."""
    total = 0
    for entry in entries:
        path, size, compressed = entry.path, entry.size, entry.compressed_size
        if entry.method == STORED and compressed != size:
            yield finding("SIZE", path, expected=size, got=compressed)
        # Deflate cannot give more than 1,032 bytes for one.
        if entry.method == DEFLATED and size > 1032 * compressed + 64:
            yield finding("SIZE_IMPOSSIBLE", path, compressed=compressed, limit=1032 * compressed + 64, got=size)
        if size > limits.file_bytes:
            yield finding("FILE", path, limit=limits.file_bytes, got=size)
        if size > limits.ratio_from and size > limits.ratio * compressed:
            yield finding("RATIO", path, limit=limits.ratio, got=size)
        if total <= limits.total_bytes < total + size:
            yield finding("TOTAL", path, limit=limits.total_bytes, got=total + size)
        total += size
