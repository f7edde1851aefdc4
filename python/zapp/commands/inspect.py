from __future__ import annotations

import argparse
import json
from typing import Any

from ..archive import Archive, open_archive
from ..contents import mode_text
from ..errors import finding_json

NAME = "inspect"
HELP = "manifest, digests and entries as JSON, without running anything"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE")


def run(options: argparse.Namespace) -> int:
    with open_archive(options.file) as archive:
        print(json.dumps(describe_archive(archive), indent=2))
    return 0


def describe_archive(archive: Archive) -> dict[str, Any]:
    """The shape of ``zapp inspect --json``. ``validated``: whether every content is what the archive says."""
    wrong = archive.verify()
    return {
        "file": archive.file,
        "bytes": archive.bytes,
        "fileDigest": archive.file_digest(),
        "digest": archive.digest(),
        "contentDigest": archive.content_digest,
        "validated": not wrong,
        "manifest": archive.manifest.source,
        "entries": [
            {
                "path": entry.path,
                "size": entry.size,
                "compressedSize": entry.compressed_size,
                "sha256": entry.sha256,
                "mode": mode_text(entry),
            }
            for entry in archive.entries.values()
            if not entry.is_folder
        ],
        "signatures": [],
        "findings": [finding_json(found) for found in wrong],
    }
