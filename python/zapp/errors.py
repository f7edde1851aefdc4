"""Findings (data) and the one error class. Codes and texts are schema/errors.json, which both loaders share."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

from .tables import table

Args = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; :func:`describe` makes the text. Lines and columns from 1, columns in UTF-16 units."""

    code: str
    path: str = ""
    args: Args = field(default_factory=dict)
    severity: str = "error"
    line: Optional[int] = None
    column: Optional[int] = None


def finding(code: str, path: str = "", **args: Any) -> Finding:
    return Finding(code, path, args)


def warning(code: str, path: str = "", **args: Any) -> Finding:
    return Finding(code, path, args, "warning")


class ZappError(Exception):
    """The only error that this package raises on purpose. ``code`` is a key of schema/errors.json."""

    def __init__(self, first: Finding, findings: Optional[Sequence[Finding]] = None):
        message, fix = describe(first)
        super().__init__(message if first.path == "" else f"{quote(first.path)}: {message}")
        self.code: str = first.code
        self.path: str = first.path
        self.args_: Args = first.args
        self.fix: str = fix
        #: HTTP status that fits, where the error surfaces in a server.
        self.status: int = table("errors.json")[first.code]["status"]
        #: Everything that was found, the raised one first.
        self.findings: Sequence[Finding] = [first] if findings is None else findings

    def __reduce__(self) -> Any:
        return ZappError, (self.findings[0], list(self.findings))


def fail(code: str, path: str = "", **args: Any) -> ZappError:
    """Shorthand: ``raise fail("NOT_FOUND", path)``."""
    return ZappError(finding(code, path, **args))


def raise_errors(findings: Sequence[Finding]) -> None:
    """Raises the first finding of level error, if there is one."""
    for found in findings:
        if found.severity == "error":
            raise ZappError(found, findings)


def describe(found: Finding) -> tuple[str, str]:
    """What is wrong, and what to do next; without the place."""
    row = table("errors.json")[found.code]
    return _fill(row["message"], found), _fill(row["fix"], found)


def log_lines(error: ZappError) -> list[str]:
    """All that was found, for a terminal or a log: a line for what is wrong, and one for what to do next."""
    lines = []
    for found in error.findings:
        message, fix = describe(found)
        place = f"{quote(found.path)}: " if found.path else ""
        lines += [f"error {found.code}: {place}{message}", f"  {fix}"]
    return lines


def finding_json(found: Finding) -> dict[str, Any]:
    """The shape of ``validate --json``, the same as the Node command's."""
    message, fix = describe(found)
    place = {} if found.line is None else {"line": found.line, "column": found.column}
    return {
        "code": found.code,
        "severity": found.severity,
        "path": found.path,
        **place,
        "message": message,
        "fix": fix,
    }


# Arguments whose text Zapp itself wrote, and words that stand for a value: shown without quotes.
_RAW = frozenset(
    "about command detail expected field file fix hint operation problem reason rule runtime what where who".split()
)
_WORDS = frozenset(["a secret", "both", "an object", "an array", "null", "nothing", "the end of the file"])


def _fill(template: str, found: Finding) -> str:
    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        value = found.args.get(name, "FILE" if name == "file" else "")
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return f"{value:,}"
        if isinstance(value, str):
            return value if name in _RAW or value in _WORDS else quote(value)
        return ", ".join(quote(str(item)) for item in value)

    return re.sub(r"\{([A-Za-z]+)\}", value_of, template)


def quote(text: str) -> str:
    """As a JSON string that is safe to print: what would steer a terminal or hide is ``\\uXXXX``."""
    return escape_unsafe(json.dumps(text, ensure_ascii=False))


def escape_unsafe(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    # What is to be shown is escaped by the runtime's tables: here a character too many does no harm.
    return "".join(c if unicodedata.category(c)[0] not in "CZ" or c == " " else json.dumps(c)[1:-1] for c in text)
