"""
Judges what it is sent. Input: frames of a byte ("a" archive, "m" manifest), four bytes of length, the content.
Output: a line of JSON for each. Of an archive: first code of opening it and reading all, first of validating it, and,
where it is valid, the SHA-256 of all that is in it. Of a manifest: all findings as "CODE line:column rule".
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from zapp.archive import Archive, open_archive
from zapp.errors import ZappError
from zapp.manifest import parse_manifest
from zapp.validate import validate_archive


def judge_archive(data: bytes) -> "list[Optional[str]]":
    validated = next((found.code for found in validate_archive(data) if found.severity == "error"), None)
    try:
        with open_archive(data) as archive:
            wrong = archive.verify()
            if wrong:
                return [wrong[0].code, validated, None]
            return [None, validated, content_of(archive)]
    except ZappError as error:
        return [error.code, validated, None]


def content_of(archive: Archive) -> str:
    sha256 = hashlib.sha256()
    for path, entry in archive.entries.items():
        sha256.update(f"{path}\0{entry.size}\0".encode())
        if not entry.is_folder:
            sha256.update(f"{entry.mode:o}\0".encode())
            sha256.update(archive.read(entry))
    sha256.update(f"{archive.content_digest} {archive.digest()} {archive.file_digest()}".encode())
    return sha256.hexdigest()


def judge_manifest(data: bytes) -> "list[str]":
    findings = parse_manifest(data).findings
    return [f"{found.code} {found.line}:{found.column} {found.args.get('rule', '')}".strip() for found in findings]


def main() -> None:
    stream = sys.stdin.buffer
    while True:
        head = stream.read(5)
        if not head:
            return
        kind, length = head[:1], struct.unpack("<L", head[1:])[0]
        data = stream.read(length)
        print(json.dumps(judge_archive(data) if kind == b"a" else judge_manifest(data)))


if __name__ == "__main__":
    main()
