"""Small kinds of values: durations, version ranges, values of config. FORMAT.md §Manifest."""

from __future__ import annotations

import json
import re
from typing import Any, Optional, Sequence

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DAY = _UNITS["d"]

_VERSION = re.compile(r"v?([0-9]+(?:\.[0-9]+){0,2})")
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]*://[^\x00-\x20\x7f]+")


def milliseconds(duration: str) -> int:
    """Of a duration that the schema let pass, like 30s."""
    digits = duration.rstrip("mshd")
    return int(digits) * _UNITS[duration[len(digits) :]]


def satisfies(version: str, wanted: str) -> bool:
    """Whether a version, as a runtime prints it, lies in a range like ">=3.9,<4"."""
    match = _VERSION.match(version)
    if match is None:
        return False
    have = _numbers(match.group(1))
    for bound in wanted.split(","):
        is_below = bound.startswith("<")
        if (have < _numbers(bound.lstrip("<>="))) != is_below:
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    numbers = [int(part) for part in text.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def misfit(kind: str, text: str, values: Sequence[str] = ()) -> Optional[str]:
    """What the text of a config variable must be, where it is not. Whether a file is there is not looked at."""
    if kind == "enum":
        return None if text in values else f"one of {', '.join(json.dumps(v, ensure_ascii=False) for v in values)}"
    if kind == "integer":
        fits = len(text) <= 17 and _INTEGER.fullmatch(text) is not None and abs(int(text)) < 2**53
        return None if fits else 'an integer like "20", within ±(2^53-1)'
    if kind == "boolean":
        return None if text in ("true", "false") else '"true" or "false"'
    if kind == "url":
        return None if _URL.fullmatch(text) else 'a URL like "postgres://host/name"'
    if kind == "json":
        return None if _is_json(text) else "JSON"
    if kind == "file":
        return None if text and "\0" not in text else "the path of a file"
    return None if "\0" not in text else "text without NUL"


def default_text(kind: str, value: Any) -> str:
    """A default of the manifest as the text of an environment variable."""
    if kind == "json":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _is_json(text: str) -> bool:
    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True
