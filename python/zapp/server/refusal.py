from __future__ import annotations

from typing import Optional

from ..mount import reason
from .http_date import http_date


class Refusal(Exception):
    """A request that no app gets to see. ``text`` repeats nothing that the client sent."""

    def __init__(self, status: int, text: str, allow: Optional[str] = None):
        super().__init__(text)
        self.status = status
        self.text = text
        self.allow = allow


def refusal_response(status: int, text: str, head_only: bool = False, close: bool = True, allow: str = "") -> bytes:
    """The whole response, as the host for Node writes it."""
    body = f"{status} {reason(status)}\n{text}\n".encode("ascii")
    fields = [
        f"HTTP/1.1 {status} {reason(status)}",
        f"Date: {http_date()}",
        "Content-Type: text/plain; charset=utf-8",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        f"Content-Length: {len(body)}",
    ]
    if allow:
        fields.append(f"Allow: {allow}")
    if close:
        fields.append("Connection: close")
    return "\r\n".join([*fields, "\r\n"]).encode("ascii") + (b"" if head_only else body)
