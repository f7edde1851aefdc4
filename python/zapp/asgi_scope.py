"""Requests as ASGI tells them, in the scope of an HTTP request or a WebSocket. FORMAT.md §Calling an entry point."""

from __future__ import annotations

from typing import Any, Awaitable, Callable, MutableMapping, Optional
from urllib.parse import quote, unquote

from .mount import EntryCall, Get, Request
from .request_path import is_below, target_of, whole_mount

#: Of the specification. What a framework that mounts has added (its router, its parameters) is not about another app.
_KEYS = frozenset(
    "type asgi http_version method scheme path raw_path query_string root_path headers client server state extensions "
    "subprotocols".split()
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def request_of(scope: Scope, mount: str) -> Request:
    """
    What an ASGI server, or a framework that mounts, tells about a request. ``path`` includes ``root_path`` by the
    specification; servers from before it said so leave it out.
    """
    root = scope.get("root_path", "").rstrip("/")
    path = scope["path"]
    full = path if is_below(path, root) else root + path
    whole = whole_mount(root, mount)
    # A handshake is a GET (RFC 6455 §4.1), and nobody waits for it in a thread.
    return Request(scope.get("method", "GET"), _target(scope, root, full), _headers(scope), whole, False)


def _target(scope: Scope, root: str, full: str) -> str:
    """
    The request-target as it was sent, where the server tells it, and it still is the path: what has rewritten ``path``
    in front of us has not always rewritten ``raw_path``.
    """
    query = scope.get("query_string", b"").decode("latin-1")
    raw = (scope.get("raw_path") or b"").partition(b"?")[0].decode("latin-1")
    for path in (raw, quote(root) + raw):
        if raw and unquote(path) == full:
            return f"{path}?{query}" if query else path
    return target_of(full.encode("utf-8", "surrogateescape"), query)


def _headers(scope: Scope) -> Get:
    """Several fields of one name are one (RFC 9110 §5.3)."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields.get


def scope_of(call: EntryCall, scope: Scope, state: Optional[MutableMapping[str, Any]]) -> Scope:
    """:param state: what the entry point has put into the state of its lifespan"""
    changed = {key: value for key, value in scope.items() if key in _KEYS}
    changed["root_path"] = unquote(call.script_name)
    changed["path"] = changed["root_path"] + unquote(call.path_info)
    # As it was sent: a request path is never normalised. Where the server did not tell it, this is what it tells.
    changed["raw_path"] = (call.script_name + call.path_info).encode("latin-1")
    if state:
        changed["state"] = {**scope.get("state", {}), **state}
    return changed
