from __future__ import annotations

import asyncio
from typing import Any, Callable

from .asgi_lifespan import Lifespan
from .asgi_scope import AsgiApp, Message, Scope
from .mount import reason
from .wsgi import Environ, StartResponse, WsgiApp

_CHUNK = 64 * 1024


def as_wsgi(app: AsgiApp) -> WsgiApp:
    """
    An ASGI application for one request, in a process that ends behind it: with a loop and a lifespan of its own. The
    body is written as it comes.
    """

    def call(environ: Environ, start_response: StartResponse) -> "list[bytes]":
        asyncio.run(_answer(app, environ, start_response))
        return []

    return call


async def _answer(app: AsgiApp, environ: Environ, start_response: StartResponse) -> None:
    lifespan = Lifespan(app)
    wrong = await lifespan.startup()
    if wrong is not None:
        raise RuntimeError(f"the startup of the application has failed: {wrong}")
    write: "list[Callable[[bytes], Any]]" = []
    is_over = False

    async def receive() -> Message:
        nonlocal is_over
        if is_over:
            # Nobody tells a CGI program that the client has gone, but by closing the pipe that it writes to.
            await asyncio.Event().wait()
        data = environ["wsgi.input"].read(_CHUNK)
        is_over = not data
        return {"type": "http.request", "body": data, "more_body": not is_over}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
            write.append(start_response(f"{message['status']} {reason(message['status'])}", headers))
        elif message["type"] == "http.response.body":
            write[0](message.get("body", b""))

    try:
        await app(_scope_of(environ), receive, send)
    finally:
        await lifespan.shutdown()


def _scope_of(environ: Environ) -> Scope:
    def text(name: str) -> str:
        return str(environ.get(name, "")).encode("latin-1").decode("utf-8", "surrogateescape")

    fields = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
    fields.update({name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)})
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").partition("/")[2],
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": text("SCRIPT_NAME") + text("PATH_INFO"),
        # Of the path that was sent, a CGI program is told the decoded one only.
        "raw_path": None,
        "root_path": text("SCRIPT_NAME"),
        "query_string": environ["QUERY_STRING"].encode("latin-1"),
        "headers": [
            (name.lower().replace("_", "-").encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()
        ],
        "client": (environ.get("REMOTE_ADDR", ""), int(environ.get("REMOTE_PORT") or 0)),
        "server": (environ.get("SERVER_NAME", ""), int(environ.get("SERVER_PORT") or 0)),
    }
