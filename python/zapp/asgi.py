from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence

from .archive import Archive
from .asgi_lifespan import Lifespans
from .asgi_scope import AsgiApp, Message, Receive, Scope, Send, request_of, scope_of
from .asgi_wsgi import WsgiBridge
from .errors import ZappError
from .file_content import SMALL, WouldBlock
from .headers import Header
from .mount import Answer, EntryCall, Request, Response
from .mounted_archive import MountedArchive
from .python_entry import PythonEntry


class AsgiApplication(MountedArchive):
    """An ASGI 3 application that answers as an archive says. Made by :func:`zapp.load_asgi`."""

    def __init__(
        self, archive: Archive, mount: str, entries: Mapping[str, PythonEntry], release: Callable[[], None]
    ):
        super().__init__(archive, mount, entries, release)
        self._lifespans = Lifespans(self._start)
        self._bridge = WsgiBridge(self.manifest.source.get("workers", {}).get("threads"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespans(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            # What the specification asks for where a protocol is not known.
            raise NotImplementedError(f"ASGI has no {scope['type']!r} here")

    def tree(self) -> str:
        """The root of the run tree, built where it is missing."""
        return next(iter(self._entries.values())).tree()

    def close(self) -> None:
        self._bridge.close()
        super().close()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope, self.mount)
        answer = await self._answer(request)
        if isinstance(answer, EntryCall):
            app = self._app(answer.entry)
            if app is not None:
                await self._call(app, answer, scope, receive, _adding(answer.route.headers, send))
                return
            answer = await _waiting(partial(self._mounted.error, 500, request._replace(may_block=True)))
        await _respond(answer, receive, send)

    async def _answer(self, request: Request) -> Answer:
        try:
            return self._mounted.answer(request)
        except WouldBlock:
            answer: Answer = await _waiting(partial(self._mounted.answer, request._replace(may_block=True)))
            return answer

    async def _call(self, app: Any, call: EntryCall, scope: Scope, receive: Receive, send: Send) -> None:
        changed = scope_of(call, scope, self._lifespans.state(call.entry))
        if self._type(call.entry) == "wsgi":
            await self._bridge.call(app, changed, receive, send)
        else:
            await app(changed, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(request_of(scope, self.mount))
        if isinstance(answer, EntryCall):
            entry = self.manifest.entries[answer.entry]
            # A route leads upgrades to wsgi nowhere (R9), but an entry's else may lie under any route.
            if self._type(answer.entry) != "wsgi" and (answer.route.websocket or entry.get("websocket", False)):
                app = self._app(answer.entry)
                if app is not None:
                    await self._call(app, answer, scope, receive, send)
                    return
        # Closed before it was accepted, which servers tell with a 403.
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    def _start(self) -> "Iterator[tuple[str, AsgiApp]]":
        """Imports all entry points in the order of the manifest; those of them that may have a lifespan."""
        for name, entry in self._entries.items():
            try:
                app = entry.get()
            except ZappError as error:
                self._report(error, name)
                raise
            if self._type(name) != "wsgi":
                yield name, app

    def _type(self, entry: str) -> str:
        return str(self.manifest.entries[entry]["type"])


async def _waiting(work: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work)


def _adding(headers: Sequence[Header], send: Send) -> Send:
    """Adds the route's headers where the app sends none of that name."""
    if not headers:
        return send
    extra = _encode(headers)

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            taken = {bytes(name).lower() for name, _ in own}
            message = {**message, "headers": [*own, *(field for field in extra if field[0] not in taken)]}
        await send(message)

    return add


async def _respond(answer: Response, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": _encode(answer.headers)})
    parts = iter(answer.body or ())
    length = next((int(value) for name, value in answer.headers if name == "Content-Length"), 0)
    if answer.body is None or length <= SMALL:
        await send({"type": "http.response.body", "body": b"".join(parts)})
        return
    # Servers go on taking what is sent to a client that has gone: it would be read to its end for nobody.
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        part = await _waiting(partial(next, parts, b""))
        while part and not gone.done():
            await send({"type": "http.response.body", "body": part, "more_body": True})
            part = await _waiting(partial(next, parts, b""))
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await gone


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        # Some say again at once that the body is at its end.
        await asyncio.sleep(0)


def _encode(headers: Iterable[Header]) -> "list[tuple[bytes, bytes]]":
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
