"""
Judges request lines and fields before an app sees them: RFC 9112, as strictly as the host for Node (its parser, and
src/host/check-request.ts). What is wrong with a path is judged by request_path.py.
"""

from __future__ import annotations

import re
from typing import Mapping, NamedTuple, Optional

from .limits import MAX_FIELDS, MAX_TARGET
from .refusal import Refusal

_METHODS = frozenset(
    "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE MKACTIVITY "
    "MKCALENDAR MKCOL MOVE NOTIFY PROPFIND PROPPATCH PURGE QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK "
    "UNLOCK UNSUBSCRIBE".split()
)
ALLOWED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

_LINE = re.compile(r"([A-Z-]+) ([!-~]+) HTTP/1\.([01])")
_VERSION = re.compile(r"HTTP/[0-9]\.[0-9]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE | re.ASCII)
#: Bytes of a head that are not CR, LF or another control character.
PLAIN = bytes(byte for byte in range(256) if byte == 9 or 32 <= byte != 127)

#: Twice in one request these mean different things to different readers (RFC 9112 §6.3, §3.2).
_ONCE = frozenset(["HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_AUTHORIZATION"])
#: They frame or route the message: a client cannot have them dropped by naming them in Connection.
_NOT_PER_HOP = frozenset(["host", "content-length", "transfer-encoding", "content-type"])
_CONNECTION_OPTIONS = frozenset(["close", "keep-alive", "upgrade", ""])
#: Only who is trusted may say who the client is; ``Proxy`` would become HTTP_PROXY (CVE-2016-5388).
_FORWARDED = re.compile(r"proxy|forwarded|x-real-ip|x-forwarded-.*", re.DOTALL)


class RequestLine(NamedTuple):
    method: str
    target: str
    #: Of HTTP/1.
    minor: int


class Fields(NamedTuple):
    #: Fields as environ has them; none of those that only a trusted front may send.
    environ: Mapping[str, str]
    #: What was sent of X-Forwarded-*, by lower-case name.
    forwarded: Mapping[str, str]
    host: Optional[str]
    #: Of the body; 0 where there is none, -1 where it comes in chunks.
    length: int
    expects_continue: bool
    #: Options of Connection.
    wants_close: bool
    wants_keep_alive: bool


def is_sound(head: bytes) -> bool:
    """No control characters, and CR and LF only together (RFC 9112 §2.2: a bare CR is invalid; here a bare LF is)."""
    rest = head.translate(None, PLAIN)
    return rest == b"\r\n" * (len(rest) >> 1)


def is_host(text: str) -> bool:
    """A host and a port (RFC 9110 §7.2), without what only other parsers would make sense of."""
    return _HOST.fullmatch(text) is not None


def parse_line(line: str) -> RequestLine:
    """:raises Refusal: 400, 405, 414, 501, 505"""
    match = _LINE.fullmatch(line)
    if match is None:
        raise _bad_line(line)
    method, target, minor = match.groups()
    if method not in _METHODS:
        raise Refusal(501, "This method is not known.")
    if len(target) > MAX_TARGET:
        raise Refusal(414, "The address is too long.")
    if method == "TRACE" or method == "CONNECT":
        raise Refusal(405, f"{method} is not answered.", ALLOWED)
    return RequestLine(method, target, 1 if minor == "1" else 0)


def _bad_line(line: str) -> Refusal:
    parts = line.split(" ")
    if len(parts) == 3 and _TOKEN.fullmatch(parts[0]):
        if _VERSION.fullmatch(parts[2]) and parts[2] not in ("HTTP/1.0", "HTTP/1.1"):
            return Refusal(505, "This server speaks HTTP/1.1.")
        if parts[0] not in _METHODS:
            return Refusal(501, "This method is not known.")
    return Refusal(400, "This is not an HTTP/1.1 request.")


def parse_fields(block: str) -> Fields:
    """
    :param block: lines with CR LF between them; empty, if there are no fields
    :raises Refusal: 400, 417, 431, 501
    """
    lines = block.split("\r\n") if block else []
    if len(lines) > MAX_FIELDS:
        raise Refusal(431, f"More than {MAX_FIELDS} header fields.")
    environ: dict[str, str] = {}
    forwarded: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        key = _keys.get(name) or _key_of(name)
        if not colon:
            raise Refusal(400, "A header field has no colon.")
        value = value.strip(" \t")
        into = environ if key[0] != "-" else forwarded
        if key in into:
            if key in _ONCE:
                raise Refusal(400, f"The field {name.lower()} came twice.")
            value = into[key] + ("; " if key == "HTTP_COOKIE" else ", ") + value
        into[key] = value
    return _judge(environ, {name[1:]: value for name, value in forwarded.items()})


def _judge(environ: dict[str, str], forwarded: dict[str, str]) -> Fields:
    host = environ.get("HTTP_HOST")
    if host is not None and not is_host(host):
        raise Refusal(400, "Host is missing or no host.")
    length = _length(environ)
    expect = environ.pop("HTTP_EXPECT", None)
    if expect is not None and expect.lower() != "100-continue":
        raise Refusal(417, "Only 100-continue can be expected.")
    # No protocol is switched to: the request is answered as if that had not been offered (RFC 9110 §7.8).
    environ.pop("HTTP_UPGRADE", None)
    environ.pop("HTTP_HTTP2_SETTINGS", None)
    options = environ.get("HTTP_CONNECTION")
    wanted = [option.strip() for option in options.lower().split(",")] if options else []
    for option in wanted:
        if option in _CONNECTION_OPTIONS:
            continue
        if option in _NOT_PER_HOP:
            raise Refusal(400, "Connection names a field that is not per hop.")
        environ.pop("HTTP_" + option.upper().replace("-", "_"), None)
        forwarded.pop(option, None)
    return Fields(environ, forwarded, host, length, expect is not None, "close" in wanted, "keep-alive" in wanted)


def _length(environ: dict[str, str]) -> int:
    coding = environ.pop("HTTP_TRANSFER_ENCODING", None)
    length = environ.get("CONTENT_LENGTH")
    if coding is not None:
        if length is not None:
            raise Refusal(400, "Content-Length and Transfer-Encoding exclude each other.")
        if coding.lower() == "chunked":
            return -1
        # Without chunked as the last one the end of the body cannot be told (RFC 9112 §6.3).
        if coding.lower().split(",")[-1].strip() != "chunked" or coding.lower().count("chunked") > 1:
            raise Refusal(400, "The last transfer coding must be chunked.")
        raise Refusal(501, "Only chunked is understood.")
    if length is None:
        return 0
    # int() takes signs, spaces, underscores and digits of other scripts. 18 digits: below 2^63.
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise Refusal(400, "Content-Length must be a number.")
    return int(length)


#: Keys of environ by name as it was sent: nearly every name has been seen before.
_keys: dict[str, str] = {}
#: Names are the clients' choice, so what is remembered of them is bounded.
_MAX_KEYS = 1000


def _key_of(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        # A space before the colon, a folded line.
        raise Refusal(400, "A header field has no valid name.")
    lower = name.lower()
    if "_" in name:
        # It would become the same variable as the name with "-" (CVE-2015-0219).
        key = "-_"
    elif _FORWARDED.fullmatch(lower):
        key = "-" + lower
    elif lower in ("content-type", "content-length"):
        key = name.upper().replace("-", "_")
    else:
        key = "HTTP_" + name.upper().replace("-", "_")
    if len(_keys) < _MAX_KEYS:
        _keys[name] = key
    return key
