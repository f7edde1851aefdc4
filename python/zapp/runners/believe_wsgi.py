from __future__ import annotations

from typing import Iterable
from urllib.parse import unquote_to_bytes

from ..wsgi import Environ, StartResponse, WsgiApp


def believe_wsgi(app: WsgiApp) -> WsgiApp:
    """Requests come from our own front: who the client is, and what it has asked for, is in fields that only it writes."""

    def call(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.pop("HTTP_X_FORWARDED_HOST", None) or environ.get("HTTP_HOST", "localhost")
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "http")
        # The last one is who has spoken to the front.
        client = environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        prefix = environ.pop("HTTP_X_FORWARDED_PREFIX", "")
        environ["SCRIPT_NAME"] = unquote_to_bytes(prefix).decode("latin-1")
        environ["REMOTE_ADDR"] = environ["HTTP_X_FORWARDED_FOR"] = client
        environ["wsgi.url_scheme"] = environ["HTTP_X_FORWARDED_PROTO"] = scheme
        environ["HTTP_HOST"] = environ["HTTP_X_FORWARDED_HOST"] = host
        name, _, port = host.rpartition(":")
        known = bool(name) and port.isdigit()
        environ["SERVER_NAME"] = name if known else host
        environ["SERVER_PORT"] = port if known else "443" if scheme == "https" else "80"
        return app(environ, start_response)

    return call
