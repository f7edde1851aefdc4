"""
Reads a JSON text so that every language reads the same, with the place of everything. Rules J of FORMAT.md §JSON.

    J1  MANIFEST_TOO_LARGE   J2  MANIFEST_ENCODING   nothing else is reported then
    J3  MANIFEST_SYNTAX      J4  MANIFEST_DEPTH      reading ends there
    J5  MANIFEST_DUP_KEY     J6  MANIFEST_KEY        J7  MANIFEST_NUMBER    J8  MANIFEST_ENCODING
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Any, Union

from .errors import Finding, finding

Path = tuple[Union[str, int], ...]

MAX_DEPTH = 32
MAX_SAFE_INTEGER = 2**53 - 1

_SPACE = re.compile(r"[ \t\n\r]*")
#: Up to the quote that ends it, or to what a string must not hold.
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')
_WORD = re.compile(r"[-+.0-9A-Za-z]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_NO_NUMBER = frozenset(["NaN", "-NaN", "Infinity", "-Infinity"])
_LITERALS = {"true": True, "false": False, "null": None}
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(r'"[^"\\\n]{0,20}"|[^\s,:{}\[\]"]{1,20}|.', re.DOTALL)


class Bad:
    """Stands where something was found already: it is judged no further, but it is there."""

    def __repr__(self) -> str:
        return "BAD"


BAD = Bad()


@dataclass
class Parsed:
    findings: list[Finding]
    text: str = ""
    #: Absent (False) when the text could not be read to its end.
    is_read: bool = False
    value: Any = None
    #: Offsets of each value and of the key in front of it, by path.
    values: dict[Path, int] = field(default_factory=dict)
    keys: dict[Path, int] = field(default_factory=dict)

    def place(self, found: Finding, path: Path, target: str = "value") -> Finding:
        """The finding with line and column. What is missing has the place of the object that lacks it."""
        places = self.keys if target == "key" else self.values
        parent = path[:-1]
        at = places.get(path, self.keys.get(parent, self.values.get(parent, 0)))
        return self.at(found, at)

    def at(self, found: Finding, offset: int) -> Finding:
        starts = self._starts()
        line = bisect_right(starts, offset)
        before = self.text[starts[line - 1] : offset]
        # Editors count UTF-16 units.
        return replace(found, line=line, column=1 + len(before) + sum(c > "\uffff" for c in before))

    def _starts(self) -> list[int]:
        if not hasattr(self, "_line_starts"):
            self._line_starts = [0] + [match.end() for match in re.finditer("\n", self.text)]
        return self._line_starts


def parse_json(data: bytes, max_bytes: int, file: str = "zapp.json") -> Parsed:
    if len(data) > max_bytes:
        return Parsed([finding("MANIFEST_TOO_LARGE", file, limit=max_bytes, got=len(data))])
    if data.startswith(b"\xef\xbb\xbf"):
        return Parsed([finding("MANIFEST_ENCODING", file, got="a byte order mark")])
    if b"\0" in data[:2] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Parsed([finding("MANIFEST_ENCODING", file, got="UTF-16")])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return Parsed([finding("MANIFEST_ENCODING", file, got="bytes that are not UTF-8")])
    parsed = Parsed([], text)
    reader = _Reader(parsed, file)
    try:
        parsed.value = reader.document()
        parsed.is_read = True
    except _Stop:
        pass
    reader.faults.sort(key=lambda fault: fault[0])
    parsed.findings = [parsed.at(found, offset) for offset, found in reader.faults]
    return parsed


class _Stop(Exception):
    """The rest of the text cannot be read."""


class _Reader:
    def __init__(self, parsed: Parsed, file: str):
        self._parsed = parsed
        self._text = parsed.text
        self._file = file
        self._at = 0
        self.faults: list[tuple[int, Finding]] = []

    def document(self) -> Any:
        value = self._value((), 1, "a value")
        self._skip()
        if self._at < len(self._text):
            self._stop("the end of the file")
        return value

    def _value(self, path: Path, depth: int, expected: str) -> Any:
        self._skip()
        self._parsed.values[path] = self._at
        first = self._peek()
        if first in ("{", "["):
            if depth > MAX_DEPTH:
                self._report("MANIFEST_DEPTH", self._at, limit=MAX_DEPTH)
                raise _Stop
            self._at += 1
            return self._object(path, depth) if first == "{" else self._array(path, depth)
        return self._string() if first == '"' else self._scalar(expected)

    def _object(self, path: Path, depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        seen: set[str] = set()
        expected = 'a key in double quotes or "}"'
        is_first = True
        while not self._ends("}", is_first):
            if not is_first:
                expected = "a key in double quotes (no comma after the last one)"
            is_first = False
            self._skip()
            start = self._at
            if self._peek() != '"':
                self._stop(expected)
            name = self._string()
            # A key that is not text is judged no further, but may be there twice.
            text = name if isinstance(name, str) else json.loads(self._text[start : self._at])
            is_second = text in seen
            seen.add(text)
            # Rules of one place in their order: J5, J6, J8. A forbidden key that is there twice is forbidden twice.
            if text == "__proto__":
                self._report("MANIFEST_KEY", start, key=text)
            elif is_second:
                self._report("MANIFEST_DUP_KEY", start, key=text)
            self._expect(":", '":" after the key')
            if is_second or text == "__proto__" or isinstance(name, Bad):
                self._value(_NOWHERE, depth + 1, "a value")
            else:
                child = (*path, text)
                self._parsed.keys[child] = start
                value[text] = self._value(child, depth + 1, "a value")
        return value

    def _array(self, path: Path, depth: int) -> list[Any]:
        value: list[Any] = []
        while not self._ends("]", not value):
            expected = "a value (no comma after the last one)" if value else 'a value or "]"'
            value.append(self._value((*path, len(value)), depth + 1, expected))
        return value

    def _ends(self, close: str, is_first: bool) -> bool:
        """Before a member: takes the closing bracket and says so, or takes the comma that must follow a member."""
        self._skip()
        if self._peek() == close:
            self._at += 1
            return True
        if not is_first:
            self._expect(",", f'"," or "{close}"')
        return False

    def _string(self) -> Union[str, Bad]:
        start = self._at
        match = _STRING.match(self._text, start)
        assert match is not None, "the caller has seen the quote"
        self._at = match.end()
        if self._peek() == "\\":
            self._stop('an escape of JSON: \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX')
        self._expect_here('"', "a closing double quote")
        value: str = json.loads(match.group() + '"')
        if _SURROGATE.search(value):
            self._report("MANIFEST_ENCODING", start, got="half a surrogate pair")
            return BAD
        return value

    def _scalar(self, expected: str) -> Any:
        start = self._at
        match = _WORD.match(self._text, start)
        word = match.group() if match else ""
        if word in _LITERALS:
            self._at += len(word)
            return _LITERALS[word]
        if word in _NO_NUMBER or _NUMBER.fullmatch(word):
            self._at += len(word)
            # The digits bound the work: Python refuses to read numbers of thousands of them.
            if len(word) <= 17 and _INTEGER.fullmatch(word) and abs(int(word)) <= MAX_SAFE_INTEGER:
                return int(word)
            self._report("MANIFEST_NUMBER", start, got=word[:80])
            return BAD
        self._stop(expected)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]

    def _expect(self, char: str, expected: str) -> None:
        self._skip()
        self._expect_here(char, expected)

    def _expect_here(self, char: str, expected: str) -> None:
        if self._peek() != char:
            self._stop(expected)
        self._at += 1

    def _stop(self, expected: str) -> Any:
        match = _TOKEN.match(self._text, self._at)
        got = match.group().strip('"') if match else "the end of the file"
        hint = " (JSON has no comments)" if got.startswith(("//", "/*")) else ""
        self._report("MANIFEST_SYNTAX", self._at, expected=expected + hint, got=got)
        raise _Stop

    def _report(self, code: str, offset: int, **args: Any) -> None:
        self.faults.append((offset, finding(code, self._file, **args)))


#: Where values are put that nobody asks for: behind a key that does not count.
_NOWHERE: Path = ("\0nowhere",)
