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


def refusal_response(refusal: Refusal, *, is_head: bool) -> bytes:
    """The whole response, after which the connection ends; as the host for Node writes it."""
    status = f"{refusal.status} {reason(refusal.status)}"
    body = f"{status}\n{refusal.text}\n".encode("ascii")
    fields = [
        f"HTTP/1.1 {status}",
        f"Date: {http_date()}",
        "Content-Type: text/plain; charset=utf-8",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        *([f"Allow: {refusal.allow}"] if refusal.allow else []),
        f"Content-Length: {len(body)}",
        "Connection: close",
        "\r\n",
    ]
    return "\r\n".join(fields).encode("ascii") + (b"" if is_head else body)
