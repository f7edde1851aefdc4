from __future__ import annotations

from typing import Callable, Iterator, Optional

from ..asgi_lifespan import Lifespans
from ..asgi_scope import AsgiApp, Message, Receive, Scope, Send


class WorkerApp:
    """An ASGI application as a process runs it: it knows when that is ready, what is running, and what was answered."""

    def __init__(self, app: AsgiApp, translate: Callable[[Scope], Scope]):
        """:param translate: makes the scope of a request what the application shall see"""
        self._app = app
        self._translate = translate
        #: What the application has said where its startup has failed.
        self.failure: Optional[str] = None
        self.is_ready = False
        self.running = 0
        self.answered = 0
        self.on_start: Callable[[], None] = lambda: None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_answered: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            # The first thing that happens in the server's loop.
            self.on_start()
            await self._app(scope, receive, self._watching(send))
            return
        self.running += 1
        try:
            await self._app(self._translate(scope), receive, send)
        finally:
            self.running -= 1
            self.answered += 1
            self.on_answered()

    def _watching(self, send: Send) -> Send:
        async def watch(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                self.failure = message.get("message", "")
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self.is_ready = True
                self.on_ready()

        return watch


def with_lifespan(name: str, app: AsgiApp) -> AsgiApp:
    """An application that answers to its lifespan in any case, with what it keeps there in the scope of its requests."""

    def only() -> "Iterator[tuple[str, AsgiApp]]":
        yield name, app

    lifespans = Lifespans(only)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespans(receive, send)
            return
        state = lifespans.state(name)
        await app({**scope, "state": {**scope.get("state", {}), **state}} if state else scope, receive, send)

    return call
