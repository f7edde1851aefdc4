from __future__ import annotations

from urllib.parse import unquote

from ..asgi_scope import Scope


def believe_asgi(scope: Scope) -> Scope:
    """
    A request that comes from our own front: who the client is, and what it has asked for, is in fields that only the
    front writes. The path is the one below X-Forwarded-Prefix.
    """
    kept: "list[tuple[bytes, bytes]]" = []
    told: "dict[bytes, str]" = {}
    for name, value in scope["headers"]:
        if name.startswith(b"x-forwarded-") or name in (b"forwarded", b"x-real-ip", b"host"):
            told[name] = value.decode("latin-1")
        else:
            kept.append((name, value))
    # The last one is who has spoken to the front.
    client = told.get(b"x-forwarded-for", "").rpartition(",")[2].strip()
    scheme = told.get(b"x-forwarded-proto", "http")
    host = told.get(b"x-forwarded-host") or told.get(b"host") or "localhost"
    # Apps that stand behind a proxy elsewhere look for these. They get the truth, and never a client's claim.
    truth = {b"host": host, b"x-forwarded-for": client, b"x-forwarded-proto": scheme, b"x-forwarded-host": host}
    prefix = told.get(b"x-forwarded-prefix", "")
    root = unquote(prefix)
    raw_path = scope.get("raw_path") or scope["path"].encode()
    # What a front says of a WebSocket is the scheme of its handshake.
    socket_scheme = "wss" if scheme == "https" else "ws"
    return {
        **scope,
        "headers": [*kept, *((name, value.encode("latin-1")) for name, value in truth.items())],
        "client": (client, 0) if client else None,
        "server": _address(host, scheme),
        "scheme": socket_scheme if scope["type"] == "websocket" else scheme,
        "root_path": root,
        "path": root + scope["path"],
        "raw_path": prefix.encode("latin-1") + raw_path,
    }


def _address(host: str, scheme: str) -> "tuple[str, int]":
    name, _, port = host.rpartition(":")
    return (name, int(port)) if name and port.isdigit() else (host, 443 if scheme == "https" else 80)
