from __future__ import annotations

import asyncio
import concurrent.futures
import io
import sys
import threading
from typing import Any, Awaitable, Optional, TypeVar
from urllib.parse import unquote_to_bytes

from .asgi_scope import Message, Receive, Scope, Send
from .wsgi import Environ, WsgiApp
from .wsgi_head import Head
from .wsgi_reply import WsgiReply

T = TypeVar("T")

#: Where ``workers.threads`` does not say: as many as concurrent.futures would take on a machine of four processors.
_THREADS = 8
_CLIENT_GONE = "the client has gone"


class WsgiBridge:
    """
    Runs WSGI applications under ASGI, each request in a thread of a pool. Bodies go through in both directions as they
    come: what a thread wants to read or to send is waited for in the server's loop, so it is never ahead of the client.
    """

    def __init__(self, threads: Optional[int]):
        self._threads = threads or _THREADS
        self._lock = threading.Lock()
        self._pool: Optional[concurrent.futures.ThreadPoolExecutor] = None

    async def call(self, app: WsgiApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises what the application raises."""
        loop = asyncio.get_running_loop()
        body = _Body(loop, receive, await receive())
        reply = _Reply(loop, send, body, scope["method"] == "HEAD")
        environ = environ_of(scope, io.BufferedReader(body), self._threads > 1)
        watcher = asyncio.ensure_future(body.watch())
        try:
            await loop.run_in_executor(self._executor(), reply.answer, app, environ)
        except asyncio.CancelledError:
            # The thread cannot be; it stops where it reads or sends next.
            body.is_gone.set()
            raise
        except ClientGone:
            pass
        finally:
            watcher.cancel()

    def close(self) -> None:
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(wait=False)

    def _executor(self) -> concurrent.futures.Executor:
        """Made with the first request: a child of a fork has none of its parent's threads."""
        with self._lock:
            if self._pool is None:
                self._pool = concurrent.futures.ThreadPoolExecutor(self._threads, "zapp-wsgi")
            return self._pool


class ClientGone(ConnectionError):
    pass


class _Body(io.RawIOBase):
    """The body of the request, read by the thread from what the loop receives."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Receive, first: Message):
        self._loop = loop
        self._receive = receive
        self._has_more = True
        self._data = b""
        self.is_gone = threading.Event()
        self._all_read = asyncio.Event()
        self._take(first)

    async def watch(self) -> None:
        """Behind the body there is nothing but the news that the client has gone."""
        await self._all_read.wait()
        while not self.is_gone.is_set():
            self._take(await self._receive())
            # Some say again at once that the body is at its end.
            await asyncio.sleep(0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._data and self._has_more:
            in_loop(self._loop, self._next())
        # A body that breaks off is none: its end must not look like the end.
        if not self._data and self.is_gone.is_set():
            raise ClientGone(_CLIENT_GONE)
        count = min(len(buffer), len(self._data))
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        return count

    async def _next(self) -> None:
        self._take(await self._receive())

    def _take(self, message: Message) -> None:
        if message["type"] == "http.request":
            self._data = message.get("body", b"")
            self._has_more = message.get("more_body", False)
        elif message["type"] == "http.disconnect":
            self._has_more = False
            self.is_gone.set()
        if not self._has_more:
            self._all_read.set()


class _Reply(WsgiReply):
    """The answer, sent from the thread through the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send, body: _Body, is_head: bool):
        super().__init__(is_head)
        self._loop = loop
        self._send = send
        self._body = body
        #: Of the body that the head has announced.
        self._left: Optional[int] = None

    def answer(self, app: WsgiApp, environ: Environ) -> None:
        self.run(app, environ)
        if self._left != 0:
            in_loop(self._loop, self._send({"type": "http.response.body", "body": b""}))

    def put(self, head: Optional[Head], data: bytes) -> None:
        if self._body.is_gone.is_set():
            raise ClientGone(_CLIENT_GONE)
        messages: list[Message] = []
        if head is not None:
            fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in head.headers]
            messages.append({"type": "http.response.start", "status": int(head.status[:3]), "headers": fields})
            length = next((value for name, value in fields if name == b"content-length"), b"")
            self._left = int(length) if length.isdigit() and not self._is_head else None
        if self._left is not None:
            self._left -= len(data)
        # With the last byte also the end, which saves another way through the loop.
        messages.append({"type": "http.response.body", "body": data, "more_body": self._left != 0})
        in_loop(self._loop, self._send_all(messages))

    async def _send_all(self, messages: "list[Message]") -> None:
        for message in messages:
            await self._send(message)


def in_loop(loop: asyncio.AbstractEventLoop, work: Awaitable[T]) -> T:
    """Waits, in a thread, for what is done in the loop."""
    return asyncio.run_coroutine_threadsafe(_awaited(work), loop).result()


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def environ_of(scope: Scope, body: Any, is_threaded: bool) -> Environ:
    """The scope of a request as PEP 3333 has it. Its ``raw_path`` is there, and begins with its ``root_path``."""
    script_name = scope["root_path"].encode()
    scheme = scope.get("scheme", "http")
    host, port = (scope.get("server") or ("", None))[:2]
    client = scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": script_name.decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(scope["raw_path"])[len(script_name) :].decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        # A server on a Unix socket has no name of its own.
        "SERVER_NAME": host if port else "localhost",
        "SERVER_PORT": str(port or (443 if scheme == "https" else 80)),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": body,
        # A chunked body has no length; it ends where it ends.
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": is_threaded,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        # Names with "_" would stand for others (CVE-2015-0219), and Proxy for the app's own (CVE-2016-5385).
        if "_" in name or name.lower() == "proxy":
            continue
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        joint = "; " if key == "HTTP_COOKIE" else ", "
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    return environ
