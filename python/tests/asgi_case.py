from __future__ import annotations

import asyncio
import json
import os
from typing import Any, Awaitable, Callable, Mapping, Optional
from urllib.parse import unquote

import zapp
from zapp.asgi import AsgiApplication

from .make_zapp import Content
from .wsgi_case import Answer, WsgiCase

Message = Mapping[str, Any]

#: Tells what it sees; greets on a WebSocket; keeps something in the state of its lifespan.
ECHO = """
import json, os
events = []
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            events.append(kind)
            scope["state"]["pool"] = "open"
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": scope["root_path"] + "|" + scope["path"]})
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    seen = {key: scope[key] for key in ("root_path", "path", "method")}
    seen["raw_path"], seen["query"] = scope["raw_path"].decode(), scope["query_string"].decode()
    seen["body"], seen["state"], seen["mode"] = body.decode(), dict(scope.get("state", {})), os.environ.get("ZT_MODE")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
"""
ASGI = {"entry": {"type": "asgi", "app": "zt_app:application"}}


def http_scope(target: str, method: str = "GET", headers: Mapping[str, str] = {}, **more: Any) -> "dict[str, Any]":
    """As uvicorn makes it."""
    raw, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "server": ("127.0.0.1", 80),
        "client": ("192.0.2.1", 5000),
        **more,
    }


class Exchange:
    """One call of an ASGI application: what it receives is given, what it sends is kept, in the order of the protocol."""

    def __init__(self, *given: Message):
        self._given = list(given)
        self.sent: "list[Message]" = []
        self.gone = asyncio.Event()

    async def receive(self) -> Message:
        if self._given:
            return self._given.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        kinds = [sent["type"] for sent in self.sent]
        if message["type"] == "http.response.start":
            assert not kinds, "the answer was started twice"
            for name, value in message["headers"]:
                assert isinstance(name, bytes) and name == name.lower() and isinstance(value, bytes)
        elif message["type"] == "http.response.body":
            assert kinds, "a body before its head"
            assert kinds[-1] == "http.response.start" or self.sent[-1].get("more_body"), "a body behind the end"
        self.sent.append(message)

    def answer(self) -> Answer:
        start, *bodies = self.sent
        assert not bodies[-1].get("more_body", False), "the answer has no end"
        headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], headers, b"".join(message["body"] for message in bodies))


async def fetch(app: Any, target: str = "/", method: str = "GET", body: bytes = b"", **more: Any) -> Answer:
    half = len(body) // 2
    exchange = Exchange(
        {"type": "http.request", "body": body[:half], "more_body": True}, {"type": "http.request", "body": body[half:]}
    )
    await app(http_scope(target, method, **more), exchange.receive, exchange.send)
    return exchange.answer()


async def seen(app: Any, target: str = "/", **more: Any) -> "dict[str, Any]":
    found: "dict[str, Any]" = json.loads((await fetch(app, target, **more)).body)
    return found


class AsgiCase(WsgiCase):
    def load_asgi(
        self, manifest: Mapping[str, Any], files: Mapping[str, Content], mount: str = "", **options: Any
    ) -> AsgiApplication:
        path = self.write(manifest, files, options.pop("name", "app.zapp"))
        app = zapp.load_asgi(path, mount, cache=self.cache, data=os.path.join(self.folder, "data"), **options)
        self.addCleanup(app.close)
        return app

    def run_async(self, work: Callable[[], Awaitable[Any]], timeout: Optional[float] = 30) -> Any:
        async def bounded() -> Any:
            return await asyncio.wait_for(work(), timeout)

        return asyncio.run(bounded())
