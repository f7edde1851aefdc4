"""Judges one name. Rules A of FORMAT.md §Names; the only file that does."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from typing import Optional, Union

from .errors import Finding, finding
from .tables import table

MAX_BYTES = 1024
MAX_SEGMENT_BYTES = 255
MAX_DEPTH = 64

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_RESERVED_CHAR = re.compile(r'[<>:"|?*]')
_TRAILING = re.compile(r"[. ](?:/|\Z)")
_DEVICE = re.compile(
    r"(?:\A|/)(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[1-9\u00b9\u00b2\u00b3]) *(?:\.[^/]*)?(?=/|\Z)",
    # Without ASCII, "ſ" (U+017F) would count as an s and "K" (U+212A) as a k.
    re.IGNORECASE | re.ASCII,
)
_DOTS = re.compile(r"(?:\A|[/\\])\.\.?(?=[/\\]|\Z)")


def judge_name(raw: bytes, utf8_flag: bool = True) -> Union[str, Finding]:
    """A name as the directory has it: the name as text, a ``/`` at its end for a folder, or what is wrong with it."""
    shown = raw.decode("utf-8", "replace")
    if not raw:
        return finding("NAME_EMPTY", shown)
    body = raw[:-1] if raw.endswith(b"/") else raw
    segments = body.split(b"/")
    longest = max(map(len, segments))
    if len(raw) > MAX_BYTES or longest > MAX_SEGMENT_BYTES:
        return finding("NAME_TOO_LONG", shown, length=len(raw) if len(raw) > MAX_BYTES else longest)
    if len(segments) > MAX_DEPTH:
        return finding("NAME_TOO_DEEP", shown, got=len(segments))
    if not raw.isascii() and not utf8_flag:
        return finding("NAME_ENCODING", shown, name=shown)
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        return finding("NAME_NOT_UTF8", shown, name=shown)
    code = _judge_text(name)
    return name if code is None else finding(code, name, name=name)


def judge_path(name: str) -> Union[str, Finding]:
    """The same rules for a path that the manifest names."""
    try:
        return judge_name(name.encode("utf-8"))
    except UnicodeEncodeError:
        return finding("NAME_NOT_UTF8", name, name=name)


def _judge_text(name: str) -> Optional[str]:
    """A6 to A16. ``name`` may end in one slash, which marks a folder."""
    is_ascii = name.isascii()
    if _CONTROL.search(name):
        return "NAME_CONTROL"
    if not is_ascii:
        if any(_in_set("invisible", c) for c in name):
            return "NAME_INVISIBLE"
        if not all(_in_set("assigned", c) for c in name):
            return "NAME_UNASSIGNED"
    if "\\" in name:
        return "NAME_BACKSLASH"
    if name.startswith("/"):
        return "NAME_ABSOLUTE"
    if "//" in name:
        return "NAME_EMPTY_SEGMENT"
    # Form KC leaves ASCII as it is.
    if _DOTS.search(name) or (not is_ascii and _DOTS.search(unicodedata.normalize("NFKC", name))):
        return "NAME_DOT_SEGMENT"
    if _RESERVED_CHAR.search(name):
        return "NAME_RESERVED_CHAR"
    if _TRAILING.search(name):
        return "NAME_TRAILING_DOT_SPACE"
    if _DEVICE.search(name):
        return "NAME_DEVICE"
    if not is_ascii and unicodedata.normalize("NFC", name) != name:
        return "NAME_NOT_NFC"
    return None


def _in_set(name: str, char: str) -> bool:
    """The shipped sets, never the runtime's: each list holds boundaries, first in, first out, first in …"""
    return bisect_right(table("unicode13.json")[name], ord(char)) % 2 == 1
