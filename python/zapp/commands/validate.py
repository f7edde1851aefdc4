from __future__ import annotations

import argparse
import json

from ..errors import Finding, ZappError, describe, finding_json, quote
from ..limits import DEFAULT_LIMITS
from ..manifest import parse_manifest
from ..source import to_source
from ..validate import is_valid, validate_archive

NAME = "validate"
HELP = "every finding about archives, and about manifests by themselves (.json)"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="{valid, findings} on stdout")


def run(options: argparse.Namespace) -> int:
    verdicts = [(file, _judge(file)) for file in options.files]
    if options.json:
        several = len(verdicts) > 1
        rows = [
            {**({"file": file} if several else {}), **finding_json(found)}
            for file, findings in verdicts
            for found in findings
        ]
        valid = all(is_valid(findings) for _, findings in verdicts)
        print(json.dumps({"valid": valid, "findings": rows}, indent=2))
    else:
        for file, findings in verdicts:
            _show(file, findings)
    return max(_exit_code(findings) for _, findings in verdicts)


def _judge(file: str) -> list[Finding]:
    """A path that cannot be read is a finding like any other, so that the paths after it are still checked."""
    try:
        if not file.lower().endswith(".json"):
            return validate_archive(file)
        source = to_source(file)
        # One byte more than allowed is enough to see that there are too many.
        data = source.read(0, DEFAULT_LIMITS.manifest_bytes + 1)
        source.close()
        return parse_manifest(data, file=file).findings
    except ZappError as error:
        return list(error.findings)


def _exit_code(findings: list[Finding]) -> int:
    if any(found.code in ("NOT_FOUND", "NOT_A_FILE") for found in findings):
        return 2
    return 0 if is_valid(findings) else 1


def _show(file: str, findings: list[Finding]) -> None:
    for found in findings:
        message, fix = describe(found)
        line = "" if found.line is None else f":{found.line}:{found.column}"
        place = f"{quote(found.path)}{line}: " if found.path else ""
        print(f"{found.severity} {found.code}: {place}{message}\n  {fix}")
    errors = sum(found.severity == "error" for found in findings)
    print(f"{quote(file)}: {'invalid' if errors else 'valid'}, {errors} errors, {len(findings) - errors} warnings")
