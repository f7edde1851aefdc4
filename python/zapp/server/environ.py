from __future__ import annotations

import io
import itertools
import os
from typing import Any
from urllib.parse import unquote_to_bytes

from ..request_path import judge_request_path, origin_form
from ..wsgi import RAW_TARGET
from .connection import Connection
from .head import is_host
from .refusal import Refusal


#: Ids of other processes begin with something else.
_ID_START = os.urandom(6).hex()
_requests = itertools.count(1)


def request_environ(connection: Connection, strip: str | None) -> dict[str, Any]:
    """
    What PEP 3333 calls environ, for the request that the connection has read.

    :param strip: the mount of an entry point that is called without the loader in between: it becomes SCRIPT_NAME
    :raises Refusal: 400, 404
    """
    line = connection.line
    assert line is not None
    environ = (connection.template or _template(connection)).copy()
    if not connection.is_trusted:
        connection.request_id = environ["HTTP_X_REQUEST_ID"] = f"{_ID_START}-{next(_requests):x}"
    method, target, minor = line
    if strip is not None and not connection.origin.is_trusted:
        path = judge_request_path(method, target, environ.get("HTTP_HOST"), strip)
        if isinstance(path, int):
            raise Refusal(path, "The address is not valid here.")
        environ["SCRIPT_NAME"] = strip
        target = path.raw + path.query
    elif target[0] != "/":
        # An absolute target names the same host as Host does: apps get the form that they know.
        form = origin_form(target, environ.get("HTTP_HOST"))
        if form is None:
            raise Refusal(400, "The address is not valid here.")
        target = form
    if strip is None and not environ["SCRIPT_NAME"]:
        environ[RAW_TARGET] = target
    raw, _, query = target.partition("?")
    environ["REQUEST_METHOD"] = method
    environ["PATH_INFO"] = unquote_to_bytes(raw).decode("latin-1") if "%" in raw else raw
    environ["QUERY_STRING"] = query
    environ["REQUEST_URI"] = line.target
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if minor else "HTTP/1.0"
    body = connection.body
    if body is None:
        environ["wsgi.input"] = io.BytesIO()
    else:
        whole = body.whole()
        if whole is None:
            environ["wsgi.input"] = io.BufferedReader(body)
        else:
            # Of a body in chunks the length is known now, and many frameworks read none without it.
            environ["CONTENT_LENGTH"] = str(len(whole))
            environ["wsgi.input"] = io.BytesIO(whole)
    return environ


def _template(connection: Connection) -> dict[str, Any]:
    fields = connection.fields
    assert fields is not None
    environ = {**connection.environ, **fields.environ}
    if connection.is_trusted:
        _believe(environ, fields.forwarded)
    # Apps that stand behind a proxy elsewhere look for these. They get the truth, and never a client's claim.
    environ["HTTP_X_FORWARDED_FOR"] = environ["REMOTE_ADDR"]
    environ["HTTP_X_FORWARDED_PROTO"] = environ["wsgi.url_scheme"]
    if "HTTP_HOST" in environ:
        environ["HTTP_X_FORWARDED_HOST"] = environ["HTTP_HOST"]
    connection.template = environ
    return environ


def _believe(environ: dict[str, Any], forwarded: Any) -> None:
    """Takes from who stands in front of us who the client is and what it has asked for."""
    # The last one is who has spoken to the front; what comes before that, somebody else has written.
    client = forwarded.get("x-forwarded-for", "").rpartition(",")[2].strip()
    if client:
        environ["REMOTE_ADDR"] = client
    scheme = "https" if forwarded.get("x-forwarded-proto") == "https" else "http"
    environ["wsgi.url_scheme"] = scheme
    host = forwarded.get("x-forwarded-host")
    if host and is_host(host):
        environ["HTTP_HOST"] = host
    name, _, port = environ.get("HTTP_HOST", "localhost").rpartition(":")
    if not name or not port.isdigit():
        name, port = environ.get("HTTP_HOST", "localhost"), "443" if scheme == "https" else "80"
    environ["SERVER_NAME"], environ["SERVER_PORT"] = name, port
    prefix = forwarded.get("x-forwarded-prefix", "")
    environ["SCRIPT_NAME"] = unquote_to_bytes(prefix).decode("latin-1")
