from __future__ import annotations

import os
import re
from typing import Any, Callable, Iterable, List, Optional, Tuple

from .connection import Connection
from .file_wrapper import FileWrapper
from .head import PLAIN
from .http_date import http_date

_STATUS = re.compile(r"[2-5][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_PLAIN, _DROPPED, _LENGTH, _DATE, _CONNECTION = range(5)
_SPECIAL = {
    "content-length": _LENGTH,
    "date": _DATE,
    "connection": _CONNECTION,
    # What is between two hops only is the server's business (PEP 3333 §Other HTTP Features).
    **dict.fromkeys("keep-alive proxy-connection te trailer transfer-encoding upgrade".split(), _DROPPED),
}
#: Name as an app writes it → what it is. Apps use few; a limit, in case one makes them up.
_kinds: dict[str, int] = {}
_MAX_KINDS = 1000


def _kind_of(name: Any) -> int:
    if type(name) is not str:
        raise TypeError(f"the name of a header must be a str, got {name!r}")
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"the name of a header must be a token, got {name!r}")
    lower = name.lower()
    kind = _SPECIAL.get(lower, _PLAIN)
    if lower == "x-sendfile" or lower.startswith("x-accel-"):
        # They would make a server in front of this one send a file of its own.
        kind = _DROPPED
    if len(_kinds) < _MAX_KINDS:
        _kinds[name] = kind
    return kind


class Response:
    """What an app answers to one request, by PEP 3333."""

    __slots__ = (
        "_connection",
        "_is_head",
        "status",
        "_head",
        "_length",
        "is_started",
        "_chunked",
        "_left",
        "_has_body",
        "excess",
    )

    def __init__(self, connection: Connection, is_head: bool):
        self._connection = connection
        self._is_head = is_head
        #: 0 until the app has called start_response.
        self.status = 0
        self._head: list[str] = []
        #: Content-Length, if the app has said one.
        self._length: Optional[int] = None
        #: The head has been sent.
        self.is_started = False
        self._chunked = False
        #: Bytes that are missing of Content-Length.
        self._left: Optional[int] = None
        self._has_body = True
        #: Bytes that were not sent, because Content-Length had said that there are none.
        self.excess = 0

    def start(self, status: str, headers: List[Tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        """``start_response``. :raises TypeError, ValueError: for what must not be sent"""
        if exc_info:
            try:
                if self.is_started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status:
            raise RuntimeError("start_response was called a second time without exc_info")
        if type(status) is not str or not _STATUS.fullmatch(status):
            raise ValueError(f"the status must be a str like '200 OK', got {status!r}")
        connection = self._connection
        length = None
        closes = has_date = False
        lines = [f"HTTP/1.1 {status}" if len(status) > 3 else f"HTTP/1.1 {status} "]
        for name, value in headers:
            kind = _kinds.get(name)
            if kind is None:
                kind = _kind_of(name)
            if kind:
                if kind == _DROPPED:
                    continue
                if kind == _CONNECTION:
                    closes = closes or "close" in value.lower()
                    continue
                if kind == _LENGTH:
                    if not (value.isascii() and value.isdigit()) or length not in (None, int(value)):
                        raise ValueError(f"Content-Length must be one number, got {value!r}")
                    length = int(value)
                    continue
                has_date = True
            lines.append(name + ": " + value)
        # One look at all of it. What is printable in ASCII has no line feed that would begin another field.
        text = "".join(lines)
        if not (text.isascii() and text.isprintable()) and text.encode("latin-1").translate(None, PLAIN):
            raise ValueError("a header must not have CR, LF, NUL or another control character in it")
        if not has_date:
            lines.append("Date: " + http_date())
        code = int(status[:3])
        # Assigned at the end: what was refused above leaves no trace.
        self.status, self._head, self._length = code, lines, length
        self._has_body = not self._is_head and code not in (204, 304)
        connection.closes = connection.closes or closes
        return self.write

    def write(self, data: bytes) -> None:
        """:raises ClientGone: the client has closed, or stalls"""
        self._write(data, None, False)

    def send_all(self, parts: Iterable[bytes]) -> None:
        """Sends what an app has returned."""
        if isinstance(parts, FileWrapper):
            self._send_file(parts)
        elif type(parts) is list or type(parts) is tuple:
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            # All there is: unless something was written before, its length is known.
            self._write(data, len(data), True)
            return
        else:
            for data in parts:
                # PEP 3333: nothing is sent for an empty part, so that an app may still change its mind.
                if data:
                    self._write(data, None, False)
        self._write(b"", None if self.is_started else 0, True)

    def _write(self, data: bytes, total: Optional[int], is_last: bool) -> None:
        if type(data) is not bytes and not isinstance(data, bytes):
            raise TypeError(f"a body must be bytes, got {type(data).__name__}")
        connection = self._connection
        head = b""
        if not self.is_started:
            if not self.status:
                raise RuntimeError("the app did not call start_response")
            if not data and not is_last:
                return
            head = self._begin(total)
        if not self._has_body:
            data = b""
        elif self._left is not None:
            if len(data) > self._left:
                self._overrun(len(data))
                data = data[: self._left]
            self._left -= len(data)
        elif self._chunked:
            if data:
                data = b"%x\r\n%b\r\n" % (len(data), data)
            if is_last:
                data += b"0\r\n\r\n"
        if is_last and self._left:
            raise RuntimeError(f"the body is {self._left} bytes shorter than its Content-Length")
        if head or data:
            connection.send(head + data if head else data, is_last or self._left == 0)

    def _overrun(self, length: int) -> None:
        """What is too long is cut off: it would be taken for the next response."""
        self._connection.closes = True
        self.excess += length - (self._left or 0)

    def _begin(self, total: Optional[int]) -> bytes:
        """The head as bytes."""
        connection, lines = self._connection, self._head
        line = connection.line
        assert line is not None
        length = self._length
        if self._has_body:
            if length is None and total is not None:
                length = total
            if length is not None:
                self._left = length
            elif line.minor == 1:
                self._chunked = True
                lines.append("Transfer-Encoding: chunked")
            else:
                connection.closes = connection.ends_body = True
        # RFC 9110 §8.6: not with 204; with HEAD and 304 it is that of the answer to GET, if the app knows it.
        if length is not None and self.status != 204:
            lines.append(f"Content-Length: {length}")
        if connection.closes or not connection.keeps or connection.origin.is_ending:
            connection.closes = True
            lines.append("Connection: close")
        elif line.minor == 0:
            lines.append("Connection: keep-alive")
        self.is_started = True
        lines.append("\r\n")
        return "\r\n".join(lines).encode("latin-1")

    def _send_file(self, wrapper: FileWrapper) -> None:
        found = wrapper.descriptor() if hasattr(os, "sendfile") else None
        if found is None or self.is_started:
            for data in wrapper:
                self._write(data, None, False)
            return
        if not self.status:
            raise RuntimeError("the app did not call start_response")
        descriptor, position, size = found
        head = self._begin(size)
        self._connection.send(head, False)
        if not self._has_body:
            return
        count = min(size, self._left or 0)
        self._connection.send_file(descriptor, position, count)
        if self._left is not None:
            self._left -= count
