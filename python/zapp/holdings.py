"""What makes a zip of the right layout an archive: rules E of FORMAT.md §Entries, in their order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Callable, Optional

from .content import checked_chunks
from .contents import CONTENTS, SIGNATURE, check_contents, is_listed, mismatch, parse_contents
from .entry import STORED, Entry
from .errors import Finding, ZappError, finding
from .files_below import FilesBelow
from .layout import Layout
from .limits import Limits
from .manifest import Manifest, check_paths, parse_manifest
from .name_table import folders_above
from .source import Source

MIMETYPE = "mimetype"
MANIFEST = "zapp.json"
MEDIA_TYPE = b"application/vnd.zapp+zip"
METADATA = "ZAPP-INF/"
LIBRARY = "ZAPP-INF/lib/"
SBOM = "ZAPP-INF/sbom.cdx.json"
BUILD_INFO = "ZAPP-INF/build.json"
_RESERVED = frozenset([METADATA, SBOM, BUILD_INFO, CONTENTS, SIGNATURE])
#: More than a row of contents.json has besides its path.
_MOST_OF_ROW = 256


@dataclass
class Holdings:
    entries: dict[str, Entry]
    findings: list[Finding] = field(default_factory=list)
    content_digest: str = ""
    manifest: Optional[Manifest] = None
    manifest_text: str = ""


def read_holdings(source: Source, layout: Layout, limits: Limits) -> Holdings:
    entries = layout.entries
    held = Holdings({entry.path: entry for entry in entries})
    held.findings += _check_places(entries)
    _read_contents(source, entries, held)
    if entries and _is_mimetype(entries[0]):
        content = _read(source, entries[0], held)
        if content is not None and content != MEDIA_TYPE:
            held.findings.append(finding("MIMETYPE", MIMETYPE, got=content.decode("latin-1")))
    if len(entries) > 1 and entries[1].path == MANIFEST:
        _read_manifest(source, entries[1], limits, held)
    return held


def _check_places(entries: list[Entry]) -> list[Finding]:
    """E1 to E4."""
    findings = []
    if not entries or not _is_mimetype(entries[0]):
        got = f"{entries[0].path}, {entries[0].size} bytes" if entries else "no entry"
        findings.append(finding("MIMETYPE", MIMETYPE, got=got))
    if len(entries) < 2 or entries[1].path != MANIFEST:
        findings.append(finding("MANIFEST_MISSING", MANIFEST, got=entries[1].path if entries[1:] else "no entry"))
    for entry in entries:
        path = entry.path
        if path.startswith(METADATA) and path not in _RESERVED and not path.startswith(LIBRARY):
            findings.append(finding("RESERVED_NAME", path, name=path))
    for entry in entries[:-1]:
        if entry.path == SIGNATURE:
            findings.append(finding("SIG_POSITION", SIGNATURE, got=entry.index + 1))
    return findings


def _is_mimetype(entry: Entry) -> bool:
    return entry.path == MIMETYPE and entry.method == STORED and entry.size == len(MEDIA_TYPE)


def _read_contents(source: Source, entries: list[Entry], held: Holdings) -> None:
    """E5 to E11."""
    entry = held.entries.get(CONTENTS)
    if entry is None:
        held.findings.append(mismatch(CONTENTS, "the index", "an entry", "none"))
        return
    # The rows follow from the directory, so their length is known: an index that is far too long is not read.
    most = _MOST_OF_ROW + sum(_MOST_OF_ROW + len(e.raw_name) for e in entries)
    if entry.size > most:
        held.findings.append(mismatch(CONTENTS, "its size", f"at most {most}", entry.size))
        return
    data = _read(source, entry, held)
    if data is None:
        return
    held.content_digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    rows = parse_contents(data)
    if rows is None:
        held.findings.append(mismatch(CONTENTS, "each line", "as FORMAT.md has it", "another"))
        return
    wrong = check_contents(rows, entries)
    held.findings += wrong
    # With a wrong row, which claim is whose is in doubt: then no content is held against one.
    if not wrong:
        for listed, row in zip(filter(is_listed, entries), rows):
            listed.sha256 = row.sha256


def _read_manifest(source: Source, entry: Entry, limits: Limits, held: Holdings) -> None:
    """E13 to E15."""
    if entry.size > limits.manifest_bytes:
        found = finding("MANIFEST_TOO_LARGE", MANIFEST, limit=limits.manifest_bytes, got=entry.size)
        held.findings.append(found)
        return
    data = _read(source, entry, held)
    if data is None:
        return
    parsed = parse_manifest(data, limits.manifest_bytes)
    held.findings += parsed.findings
    held.manifest_text = parsed.text
    if parsed.manifest is not None:
        wrong_paths = check_paths(parsed, kinds(held.entries))
        held.findings += wrong_paths or _check_static_files(parsed.manifest, held.entries, limits.static_files)
        held.manifest = parsed.manifest


def _check_static_files(manifest: Manifest, entries: dict[str, Entry], limit: int) -> list[Finding]:
    """E15: each of these files is a row in the table of a route, and a short manifest could ask for any number."""
    below = FilesBelow(entries.values())
    folders = (route.target for route in manifest.routes if route.kind == "static" and route.pattern.kind != "exact")
    rows = sum(below.count(folder) for folder in folders)
    return [finding("MANIFEST_STATIC_FILES", MANIFEST, limit=limit, got=rows)] if rows > limit else []


def kinds(entries: dict[str, Entry]) -> Callable[[str], Optional[str]]:
    """Tells file from folder; a folder need not have an entry of its own."""
    folders = {folder for path in entries for folder in folders_above(path)}

    def kind_of(path: str) -> Optional[str]:
        if path in folders:
            return "folder"
        return "file" if path in entries else None

    return kind_of


def _read(source: Source, entry: Entry, held: Holdings) -> Optional[bytes]:
    """The content of an entry; None, and a finding, where pass 8 finds something."""
    try:
        return b"".join(checked_chunks(source, entry))
    except ZappError as error:
        if error.code == "IO":
            raise
        held.findings.append(error.findings[0])
        return None
