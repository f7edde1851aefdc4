from __future__ import annotations

import re
from typing import Tuple

from .limits import MAX_CHUNK_LINE, MAX_TRAILERS
from .refusal import Refusal

#: RFC 9112 §7.1; 15 digits are below 2^60. Extensions have no meaning here, and no control characters.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")


class ChunkedDecoder:
    """
    Takes a chunked body apart as it arrives.

        size ──> data ──> data_end ──> size        (size 0 ──> trailers ──> done)

    Trailers are read and forgotten: nothing of them ever joins the fields.
    """

    def __init__(self) -> None:
        self._state = "size"
        self._left = 0
        self._rest = b""
        self._trailers = 0
        self.is_done = False

    def feed(self, data: bytes) -> Tuple[bytes, bytes]:
        """
        :returns: what these bytes add to the body, and what follows it (empty before ``is_done``)
        :raises Refusal: 400
        """
        data = self._rest + data
        self._rest = b""
        parts = []
        at = 0
        while not self.is_done:
            if self._state == "data":
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if self._left:
                    break
                self._state = "data_end"
                continue
            end = data.find(b"\r\n", at)
            # Nothing but a CR may be what is missing of the end of the data.
            if self._state == "data_end" and end != at and data[at : at + 2] not in (b"", b"\r"):
                raise Refusal(400, "A chunk is longer than it says.")
            if end == -1:
                self._keep(data[at:])
                break
            self._line(data[at:end])
            at = end + 2
        return b"".join(parts), data[at:] if self.is_done else b""

    def _keep(self, rest: bytes) -> None:
        limit = MAX_CHUNK_LINE if self._state == "size" else MAX_TRAILERS
        if len(rest) > limit or b"\n" in rest:
            raise Refusal(400, "The body is not chunked as it should be.")
        self._rest = rest

    def _line(self, line: bytes) -> None:
        if self._state == "data_end":
            self._state = "size"
        elif self._state == "trailers":
            self._trailers += len(line)
            if not line:
                self.is_done = True
            elif not _TRAILER.fullmatch(line) or self._trailers > MAX_TRAILERS:
                raise Refusal(400, "The trailers are not valid.")
        else:
            match = _SIZE.fullmatch(line)
            if match is None or len(line) > MAX_CHUNK_LINE:
                raise Refusal(400, "The size of a chunk must be a hexadecimal number.")
            self._left = int(match.group(1), 16)
            self._state = "data" if self._left else "trailers"
