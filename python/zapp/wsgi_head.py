from __future__ import annotations

import re
from typing import Any, NamedTuple

#: A token (RFC 9110 §5.6.2).
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: No control but a tab (RFC 9110 §5.5): a line feed would begin another field.
_VALUE = re.compile("[\t\x20-\x7e\x80-\xff]*")
_STATUS = re.compile("[1-9][0-9]{2} [\t\x20-\x7e\x80-\xff]*")
#: Of the connection, which is the server's (RFC 9110 §7.6.1). PEP 3333 forbids them to applications; servers drop them.
_HOP_BY_HOP = frozenset("connection keep-alive proxy-connection te trailer transfer-encoding upgrade".split())


class Head(NamedTuple):
    status: str
    headers: "list[tuple[str, str]]"


def checked_head(status: Any, headers: Any) -> Head:
    """
    What an application has given to start_response, fit to be written as lines.

    :raises ValueError, TypeError: the application's fault, which it sees
    """
    if not isinstance(status, str) or not _STATUS.fullmatch(status):
        raise ValueError(f"a status must be like '200 OK', got {status!r}")
    for header in headers:
        if not isinstance(header, tuple) or len(header) != 2 or not all(isinstance(part, str) for part in header):
            raise TypeError(f"a header must be a tuple of two strings, got {header!r}")
        name, value = header
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"a header must be one line of latin-1, got {header!r}")
    return Head(status, [header for header in headers if header[0].lower() not in _HOP_BY_HOP])
