from __future__ import annotations

from typing import Iterator, Sequence

from .archive import Input, verify_all
from .contents import CONTENTS, SIGNATURE
from .entry import Entry
from .errors import Finding, warning
from .holdings import BUILD_INFO, MANIFEST, METADATA, MIMETYPE, SBOM, read_holdings
from .layout import read_layout
from .limits import DEFAULT_LIMITS, Limits
from .name_table import folders_above
from .source import to_source


def validate_archive(given: Input, limits: Limits = DEFAULT_LIMITS) -> list[Finding]:
    """
    Every finding, errors in the pinned order, then as warnings what a packer should have done. An archive whose layout
    is wrong is read no further.

    :raises ZappError: NOT_FOUND, NOT_A_FILE, IO
    """
    source = to_source(given)
    try:
        layout = read_layout(source, limits)
        if layout.findings:
            return layout.findings
        held = read_holdings(source, layout, limits)
        known = {(found.code, found.path) for found in held.findings}
        content = [f for f in verify_all(source, held.entries) if (f.code, f.path) not in known]
        return [*held.findings, *content, *_duties(layout.entries)]
    finally:
        source.close()


def is_valid(findings: Sequence[Finding]) -> bool:
    return all(found.severity != "error" for found in findings)


def _duties(entries: Sequence[Entry]) -> Iterator[Finding]:
    """What every packer should do and no loader depends on. FORMAT.md §Order."""
    for before, entry in zip(entries, entries[1:]):
        if _order(before) > _order(entry):
            yield warning("ENTRY_ORDER", entry.path, name=entry.path, other=before.path)
            break
    names = {entry.path for entry in entries}
    folders = dict.fromkeys(folder + "/" for entry in entries for folder in folders_above(entry.path))
    for folder in folders:
        if folder != METADATA and folder not in names:
            yield warning("FOLDER_MISSING", folder, name=folder)
    for name in (SBOM, BUILD_INFO):
        if name not in names:
            yield warning("METADATA_MISSING", name, name=name)


_RANKS = {MIMETYPE: -2, MANIFEST: -1, SBOM: 1, BUILD_INFO: 2, CONTENTS: 3, SIGNATURE: 4}


def _order(entry: Entry) -> tuple[int, bytes]:
    return _RANKS.get(entry.path, 0), entry.raw_name
