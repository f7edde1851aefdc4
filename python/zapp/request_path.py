"""
Judges request paths; the only file that does (FORMAT.md §Request paths, P1 to P9). Nothing is normalised: a path is
taken as it is, or refused. What keeps files private is the table of a static route, not these checks.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional, Union
from urllib.parse import quote_from_bytes, unquote_to_bytes


class RequestPath(NamedTuple):
    #: Below the mount, decoded: empty, or begins with "/". Odd segments as they were sent.
    decoded: str
    #: The same below the mount as it was sent; has the same number of segments.
    raw: str
    #: Every segment has one meaning only: the path may be looked up.
    plain: bool
    #: With its "?", or empty. Never decoded.
    query: str


_ABSOLUTE = re.compile(r"https?://([^/?#]+)(.*)", re.IGNORECASE | re.DOTALL | re.ASCII)
_NOT_A_TARGET = re.compile(r"[^!-~]|#")
#: Without one of these a path decodes to itself and has no odd segment: nearly every request.
_ODD = re.compile(r"[%\\]|/\.|//")
#: As a whole segment, or before the parameters that some servers cut off at ";".
_DOT_SEGMENT = re.compile(rb"(?:\A|[/\\])\.\.?(?:[;/\\]|\Z)")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def judge_request_path(method: str, target: str, host: Optional[str], mount: str) -> Union[RequestPath, int]:
    """The path below the mount, or the status of a refusal: 400, 404, 405."""
    if method == "CONNECT":
        return 405
    form = origin_form(target, host)
    if form is None or _NOT_A_TARGET.search(form):
        return 400
    path, mark, query = form.partition("?")
    query = mark + query
    if is_scheme_relative(path):
        return 400
    decoded, plain = path, True
    if _ODD.search(path):
        segments = [_decode(segment) for segment in path[1:].split("/")]
        if None in segments:
            return 400
        decoded = "".join("/" + text for text, _ in segments if text is not None)  # type: ignore[misc]
        plain = all(is_plain for _, is_plain in segments)  # type: ignore[misc]
    # A mount is "/café" in a configuration, and "/caf%C3%A9" where a container takes it from the request.
    if not is_below(decoded, mount) and not is_below(path, mount):
        return 404
    count = count_segments(mount)
    raw = skip_segments(path, count)
    if is_scheme_relative(raw):
        return 400
    return RequestPath(skip_segments(decoded, count), raw, plain, query)


def is_scheme_relative(path: str) -> bool:
    """An application that redirects to its own path would send the client elsewhere."""
    return path.startswith(("//", "/\\"))


def count_segments(prefix: str) -> int:
    """Of a prefix like ``/shop/admin``: as many as it has slashes."""
    return prefix.count("/")


def skip_segments(path: str, count: int) -> str:
    at = 0
    for _ in range(count):
        at = path.find("/", at + 1)
        if at == -1:
            return ""
    return path[at:]


def target_of(path: bytes, query: str) -> str:
    """The target where a container hands over only a decoded path, as WSGI does."""
    # quote_from_bytes leaves a few more characters as they are; each of them is to be escaped too.
    text = quote_from_bytes(path, safe="/")
    text = re.sub(r"[^A-Za-z0-9/%]", lambda match: f"%{ord(match.group()):02X}", text)
    return f"{text}?{query}" if query else text


def origin_form(target: str, host: Optional[str]) -> Optional[str]:
    """The host decides which site answers, so an absolute target may not name another one than Host does."""
    if target.startswith("/"):
        return target
    match = _ABSOLUTE.fullmatch(target)
    if match is None or host is None or match.group(1).lower() != host.lower():
        return None
    rest = match.group(2)
    return rest if rest.startswith("/") else "/" + rest


def is_below(path: str, mount: str) -> bool:
    """Exact, on a segment's boundary: ``/shop`` is neither ``/shopping`` nor ``/SHOP``."""
    return path.startswith(mount) and path[len(mount) :][:1] in ("", "/")


def whole_mount(outer: str, mount: str) -> str:
    """
    The mount that the container has cut off already and the one that the app was loaded with, together. Where the
    former ends in the latter, it is the same mount, said twice.
    """
    return outer if outer.endswith(mount) else outer + mount


def _decode(segment: str) -> Optional[tuple[str, bool]]:
    """Text, and whether it has one meaning only; None where every route refuses it (P5, P6)."""
    data = unquote_to_bytes(segment)
    if _DOT_SEGMENT.search(data) or _CONTROL.search(data):
        return None
    if _BAD_ESCAPE.search(segment) or b"/" in data or b"\\" in data:
        return segment, False
    try:
        return data.decode("utf-8"), True
    except UnicodeDecodeError:
        return segment, False
