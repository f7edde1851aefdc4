"""Reads paths, one a line, and prints as JSON the code of the first error of each, null where there is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from zapp.archive import open_archive
from zapp.errors import ZappError
from zapp.manifest import check_paths, parse_manifest
from zapp.validate import validate_archive

#: What rule R22 is judged against (FORMAT.md §Conformance).
FILES = frozenset(["app.js", "notes.txt", "public/index.html", "public/404.html", "cgi-bin/hello.pl"])


def kind_of(path: str) -> Optional[str]:
    if path in FILES:
        return "file"
    return "folder" if any(file.startswith(path + "/") for file in FILES) else None


def code_of_manifest(path: str) -> Optional[str]:
    parsed = parse_manifest(Path(path).read_bytes())
    findings = parsed.findings
    if parsed.manifest is not None and "R22" in path:
        findings = check_paths(parsed, kind_of)
    return findings[0].code if findings else None


def code_of_opening(path: str) -> Optional[str]:
    try:
        with open_archive(path) as archive:
            wrong = archive.verify()
            return wrong[0].code if wrong else None
    except ZappError as error:
        return error.code


def code_of_validating(path: str) -> Optional[str]:
    return next((found.code for found in validate_archive(path) if found.severity == "error"), None)


def main() -> None:
    verdicts = {}
    for path in sys.stdin.read().splitlines():
        if path.endswith(".json"):
            verdicts[path] = [code_of_manifest(path)] * 2
        else:
            verdicts[path] = [code_of_opening(path), code_of_validating(path)]
    json.dump(verdicts, sys.stdout)


if __name__ == "__main__":
    main()
