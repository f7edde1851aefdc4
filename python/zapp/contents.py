"""ZAPP-INF/contents.json: size, SHA-256 and mode of every file. FORMAT.md §contents.json, rules E7 to E11."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional, Sequence

from .entry import Entry
from .errors import Finding, finding

CONTENTS = "ZAPP-INF/contents.json"
SIGNATURE = "ZAPP-INF/signature.dsse.json"

_FIRST = '{"v":1,"entries":[\n'
_LAST = "]}\n"
_ROW = re.compile(
    r'\{"path":"([^"\\\n]+)","size":(0|[1-9][0-9]{0,15}),"sha256":"([0-9a-f]{64})","mode":"(0644|0755)"\}'
)


class Row(NamedTuple):
    path: str
    size: int
    sha256: str
    mode: str


def parse_contents(data: bytes) -> Optional[list[Row]]:
    """Text is compared, not values. None where the file has another form (E7)."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not text.startswith(_FIRST) or not text.endswith("\n" + _LAST):
        return None
    rows = []
    lines = text[len(_FIRST) : -len(_LAST) - 1].split(",\n")
    for line in lines:
        match = _ROW.fullmatch(line)
        if match is None:
            return None
        path, size, sha256, mode = match.groups()
        rows.append(Row(path, int(size), sha256, mode))
    return rows


def check_contents(rows: Sequence[Row], entries: Sequence[Entry]) -> list[Finding]:
    """E8 to E11: the rows against the directory."""
    listed = [entry for entry in entries if is_listed(entry)]
    if [row.path for row in rows] != [entry.path for entry in listed]:
        return [_names_differ(rows, listed)]
    findings = []
    for row, entry in zip(rows, listed):
        if row.size != entry.size:
            findings.append(mismatch(entry.path, "its size in contents.json", entry.size, row.size))
        if row.mode != mode_text(entry):
            findings.append(mismatch(entry.path, "its mode in contents.json", mode_text(entry), row.mode))
    for entry in entries:
        if entry.path in (CONTENTS, SIGNATURE) and mode_text(entry) != "0644":
            findings.append(mismatch(entry.path, "its mode", "0644", mode_text(entry)))
    return findings


def _names_differ(rows: Sequence[Row], listed: Sequence[Entry]) -> Finding:
    have, want = [row.path for row in rows], [entry.path for entry in listed]
    for path in [*want, *have]:
        if have.count(path) != want.count(path):
            return mismatch(path, "the number of its rows in contents.json", want.count(path), have.count(path))
    path = next(a for a, b in zip(have, want) if a != b)
    return mismatch(path, "the order of contents.json", "the order of the archive", "another")


def mismatch(path: str, what: str, expected: object, got: object) -> Finding:
    return finding("INDEX_MISMATCH", path, what=what, expected=expected, got=got)


def is_listed(entry: Entry) -> bool:
    return not entry.is_folder and entry.path not in (CONTENTS, SIGNATURE)


def mode_text(entry: Entry) -> str:
    return f"0{entry.mode:o}"
