from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Union

from .accept_encoding import choose_coding
from .archive import Archive
from .entry import DEFLATED, Entry
from .headers import NOSNIFF, Header, media_type, with_route_headers

#: Around the deflate stream as it is stored: 10 bytes before, CRC-32 and size behind (RFC 1952).
GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
GZIP_FRAME = len(GZIP_HEADER) + 8

_SUFFIX = {"identity": "", "gzip": "-gz", "br": "-br"}
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Representation:
    """The bytes of one coding, and the fields that describe them (RFC 9110 §3.2)."""

    #: The entry whose bytes are sent: the file, or its sibling.
    entry: Entry
    #: A gzip member is made around the deflate stream as it is stored.
    wrapped: bool
    length: int
    etag: str
    headers: Sequence[Header]
    #: Of a 304: without the fields that describe content.
    not_modified: Sequence[Header]


class StaticFile:
    """One file under one rule, in every coding that it can be sent in. FORMAT.md §Answers with a file, §Codings."""

    def __init__(self, archive: Archive, entry: Entry, cache: Header, headers: Sequence[Header]):
        self.entry = entry
        self._archive = archive
        self._cache = cache
        self._headers = headers
        self._forms: Optional[dict[str, Representation]] = None

    def choose(self, accept_encoding: Optional[str]) -> Representation:
        # Once per file, but when it is first asked for: an archive may have 60,000 of them.
        if self._forms is None:
            self._forms = self._prepare()
        return self._forms[choose_coding(accept_encoding, self._forms)]

    def _prepare(self) -> dict[str, Representation]:
        entry = self.entry
        kind, compressible = media_type(entry.path)
        wraps = compressible and entry.method == DEFLATED and GZIP_FRAME + entry.compressed_size < entry.size
        sources: dict[str, tuple[Entry, bool]] = {"identity": (entry, False)}
        if wraps:
            sources["gzip"] = (entry, True)
        for coding, end in (("gzip", ".gz"), ("br", ".br")):
            sibling = self._archive.entries.get(entry.path + end)
            # A sibling was made for this by the author, and better than deflate.
            if sibling is not None:
                sources[coding] = (sibling, False)
        varies = len(sources) > 1
        return {
            coding: self._represent(source, coding, wrapped, kind, varies)
            for coding, (source, wrapped) in sources.items()
        }

    def _represent(self, source: Entry, coding: str, wrapped: bool, kind: str, varies: bool) -> Representation:
        length = GZIP_FRAME + source.compressed_size if wrapped else source.size
        etag = entity_tag(source, coding)
        shared = [("ETag", etag), self._cache, *([("Vary", "Accept-Encoding")] if varies else []), NOSNIFF]
        content = [("Content-Type", kind), ("Content-Length", str(length))]
        if coding != "identity":
            content.append(("Content-Encoding", coding))
        headers = with_route_headers([*content, ("Accept-Ranges", "bytes"), *shared], self._headers)
        return Representation(source, wrapped, length, etag, headers, with_route_headers(shared, self._headers))


def entity_tag(entry: Entry, coding: str) -> str:
    """Strong: the content decides it, nothing else."""
    text = base64.urlsafe_b64encode(bytes.fromhex(entry.sha256)[:16]).decode("ascii").rstrip("=")
    return f'"{text}{_SUFFIX[coding]}"'


def precondition(get: Callable[[str], Optional[str]], etag: str) -> int:
    """200: go on; 304 or 412. There is no Last-Modified, so dates are ignored (RFC 9110 §13.2.2)."""
    match = get("if-match")
    if match is not None and match.strip() != "*" and etag not in _ENTITY_TAG.findall(match):
        return 412
    none_match = get("if-none-match")
    if none_match is None:
        return 200
    tags = [tag[2:] if tag.startswith("W/") else tag for tag in _ENTITY_TAG.findall(none_match)]
    return 304 if none_match.strip() == "*" or etag in tags else 200


def parse_range(field: Optional[str], length: int) -> Union[tuple[int, int], str, None]:
    """First and last byte; "unsatisfiable"; None: as if there were no Range."""
    match = _ONE_RANGE.fullmatch(field or "")
    if match is None or length == 0 or match.group(1) == match.group(2) == "":
        return None
    first, last = (_number(text) for text in match.groups())
    if first is None:
        assert last is not None
        return "unsatisfiable" if last == 0 else (max(0, length - last), length - 1)
    if last is not None and last < first:
        return None
    return "unsatisfiable" if first >= length else (first, length - 1 if last is None else min(last, length - 1))


def _number(digits: str) -> Optional[int]:
    """A number with more digits than any length has is behind every end."""
    if not digits:
        return None
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) < 20 else 10**20
