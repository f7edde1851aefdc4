"""Passes 1 and 2 of the layout: the end record and the directory. FORMAT.md §Layout."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Union

from .entry import Entry
from .errors import Finding, finding
from .limits import Limits
from .source import Source

END = struct.Struct("<4s4H2LH")
RECORD = struct.Struct("<4s4H4s3L5H2L")
END_SIGNATURE = b"PK\x05\x06"
RECORD_SIGNATURE = b"PK\x01\x02"
LOCATOR_SIGNATURE = b"PK\x06\x07"
LONGEST_COMMENT = 0xFFFF
#: 65,534 records with names of 1,024 bytes.
MOST_DIRECTORY_BYTES = 70_121_380


@dataclass(frozen=True)
class EndRecord:
    offset: int
    count: int
    directory_size: int
    directory_offset: int


def read_end_record(source: Source, limits: Limits) -> Union[EndRecord, list[Finding]]:
    """Pass 1. All of the record is judged, so there can be several findings."""
    size = source.size
    if size < END.size:
        return [finding("TOO_SHORT", size=size)]
    at = size - END.size
    tail = source.read(at, END.size)
    if tail[:4] != END_SIGNATURE:
        return [_not_at_end(source)]
    _, disk, directory_disk, here, count, directory_size, directory_offset, comment = END.unpack(tail)
    findings = []
    if comment != 0:
        findings.append(finding("EOCD_COMMENT", length=comment))
    for field, value in (("the number of this disk", disk), ("the disk of the directory", directory_disk)):
        if value != 0:
            findings.append(finding("MULTI_DISK", field=field, got=value))
    if here != count:
        findings.append(finding("COUNT_MISMATCH", total=count, got=here))
    if count > limits.entries or count == 0xFFFF:
        findings.append(finding("TOO_MANY", limit=limits.entries, got=count))
    sentinel = 0xFFFFFFFF in (directory_size, directory_offset)
    locator = size >= 42 and source.read(size - 42, 4) == LOCATOR_SIGNATURE
    if sentinel or size >= 2**32 or locator:
        findings.append(finding("ZIP64"))
    return findings or EndRecord(at, count, directory_size, directory_offset)


def _not_at_end(source: Source) -> Finding:
    """A comment gets a message of its own; nothing is read from a record that stands elsewhere."""
    length = min(source.size, LONGEST_COMMENT + END.size)
    tail = source.read(source.size - length, length)
    at = tail.rfind(END_SIGNATURE)
    if at != -1 and at + END.size <= length:
        comment = END.unpack_from(tail, at)[-1]
        if at + END.size + comment == length:
            return finding("EOCD_COMMENT", length=comment)
    return finding("EOCD_NOT_AT_END")


def read_directory(source: Source, end: EndRecord) -> Union[list[Entry], Finding]:
    """Pass 2."""
    if end.directory_offset + end.directory_size != end.offset:
        return finding("CD_NOT_ADJACENT", expected=end.offset, got=end.directory_offset + end.directory_size)
    if end.directory_size > MOST_DIRECTORY_BYTES:
        return finding("CD_SIZE", count=end.count, detail=f"got {end.directory_size:,} bytes")
    data = source.read(end.directory_offset, end.directory_size)
    wrong = finding("CD_SIZE", count=end.count, detail=f"got {end.directory_size:,} bytes that hold others")
    entries: list[Entry] = []
    at = 0
    for index in range(end.count):
        if at + RECORD.size > len(data) or data[at : at + 4] != RECORD_SIGNATURE:
            return wrong
        entry, at = _entry(data, at, index)
        if at > len(data):
            return wrong
        entries.append(entry)
    return entries if at == len(data) else wrong


def _entry(data: bytes, at: int, index: int) -> tuple[Entry, int]:
    (
        _,
        _made_by,
        version,
        flags,
        method,
        time,
        crc32,
        compressed_size,
        size,
        name_length,
        extra_length,
        comment_length,
        disk,
        _internal,
        attributes,
        offset,
    ) = RECORD.unpack_from(data, at)
    start = at + RECORD.size
    raw_name = data[start : start + name_length]
    end = start + name_length + extra_length + comment_length
    return (
        Entry(
            index=index,
            path=raw_name.decode("utf-8", "replace"),
            raw_name=raw_name,
            flags=flags,
            method=method,
            version=version,
            time=time,
            crc32=crc32,
            compressed_size=compressed_size,
            size=size,
            extra_length=extra_length,
            comment_length=comment_length,
            disk=disk,
            attributes=attributes,
            offset=offset,
            record_length=end - at,
        ),
        end,
    )
