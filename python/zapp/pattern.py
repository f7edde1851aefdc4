"""Route patterns: the four kinds of the Servlet specification. FORMAT.md §Patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Generic, Iterable, Optional, TypeVar

T = TypeVar("T")

_SUFFIX = re.compile(r"\*\.[^./*]+")
_FORBIDDEN = re.compile("[?#%\\\\\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Pattern:
    #: exact, prefix, suffix or default.
    kind: str
    #: "/a" of "/a" and of "/a/*"; "pdf" of "*.pdf"; empty for "/".
    text: str


def parse_pattern(text: str) -> Optional[Pattern]:
    """None where it is no pattern (rule R3)."""
    if text == "/":
        return Pattern("default", "")
    if _FORBIDDEN.search(text):
        return None
    if _SUFFIX.fullmatch(text):
        return Pattern("suffix", text[2:])
    is_prefix = text.endswith("/*")
    path = text[:-2] if is_prefix else text
    if not path.startswith("/") or "*" in path:
        return None
    segments = path[1:].split("/")
    # Empty only behind a last slash, which "/a/*" has not.
    inner = segments if is_prefix else segments[:-1]
    if "" in inner or "." in segments or ".." in segments:
        return None
    return Pattern("prefix" if is_prefix else "exact", path)


@dataclass(frozen=True)
class Match(Generic[T]):
    value: T
    #: What the pattern took of the path, and what is left of it.
    matched: str
    rest: str


class Router(Generic[T]):
    """Exact beats prefix, a longer prefix a shorter one, prefix beats suffix, suffix beats default."""

    def __init__(self, rows: Iterable[tuple[Pattern, T]]):
        self._by_kind: dict[str, dict[str, T]] = {"exact": {}, "prefix": {}, "suffix": {}, "default": {}}
        for pattern, value in rows:
            self._by_kind[pattern.kind][pattern.text] = value

    def match(self, path: str) -> Optional[Match[T]]:
        exact = self._by_kind["exact"]
        if path in exact:
            return Match(exact[path], path, "")
        prefixes = self._by_kind["prefix"]
        at = len(path)
        while prefixes and at > 0:
            if path[:at] in prefixes:
                return Match(prefixes[path[:at]], path[:at], path[at:])
            at = path.rfind("/", 0, at)
        name = path[path.rfind("/") + 1 :]
        dot = name.rfind(".")
        suffixes = self._by_kind["suffix"]
        if dot != -1 and name[dot + 1 :] in suffixes:
            return Match(suffixes[name[dot + 1 :]], "", path)
        default = self._by_kind["default"]
        return Match(default[""], "", path) if default else None
