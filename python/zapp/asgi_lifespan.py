from __future__ import annotations

import asyncio
from typing import Any, Callable, Iterator, Optional

from .asgi_scope import AsgiApp, Message, Receive, Send
from .errors import ZappError

#: Seconds.
_GRACE = 1
_SCOPE = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}


class Lifespans:
    """What a server says about its lifespan, told to several applications."""

    def __init__(self, apps: Callable[[], Iterator["tuple[str, AsgiApp]"]]):
        """:param apps: imports one after the other; may raise ZappError"""
        self._apps = apps
        self._running: "dict[str, Lifespan]" = {}

    def state(self, name: str) -> "Optional[dict[str, Any]]":
        """What an application has put into its state."""
        lifespan = self._running.get(name)
        return None if lifespan is None else lifespan.state

    async def __call__(self, receive: Receive, send: Send) -> None:
        await receive()
        wrong = await self._startup()
        if wrong is not None:
            await self._shutdown()
            await send({"type": "lifespan.startup.failed", "message": wrong})
            return
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        except BaseException:
            for lifespan in self._running.values():
                lifespan.cancel()
            raise
        wrong = await self._shutdown()
        if wrong is None:
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send({"type": "lifespan.shutdown.failed", "message": wrong})

    async def _startup(self) -> Optional[str]:
        try:
            for name, app in self._apps():
                self._running[name] = Lifespan(app)
                wrong = await self._running[name].startup()
                if wrong is not None:
                    return f"entry {name}: {wrong}"
        except ZappError as error:
            return str(error)
        return None

    async def _shutdown(self) -> Optional[str]:
        """All of them, the last first, also behind one that fails."""
        wrong = None
        while self._running:
            name, lifespan = self._running.popitem()
            told = await lifespan.shutdown()
            wrong = wrong or (told and f"entry {name}: {told}")
        return wrong


class Lifespan:
    """
    The lifespan of one entry point (ASGI, Lifespan Protocol), driven by us in the server's place. An application that
    does not know the protocol raises, or returns, before it answers: it is served without.
    """

    def __init__(self, app: AsgiApp):
        #: What the application keeps for its requests.
        self.state: dict[str, Any] = {}
        # Made inside a running loop: Python 3.9 binds them to the one there is.
        self._messages: "asyncio.Queue[Message]" = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._answers: "dict[str, asyncio.Future[Optional[str]]]" = {
            kind: loop.create_future() for kind in ("startup", "shutdown")
        }
        self._task = asyncio.create_task(self._run(app))

    async def startup(self) -> Optional[str]:
        """What the application says is wrong, or None."""
        return await self._ask("startup")

    async def shutdown(self) -> Optional[str]:
        wrong = await self._ask("shutdown")
        # What stands behind its answer is done too; but it need not return at all.
        await asyncio.wait([self._task], timeout=_GRACE)
        self._task.cancel()
        return wrong

    def cancel(self) -> None:
        self._task.cancel()

    async def _ask(self, kind: str) -> Optional[str]:
        self._messages.put_nowait({"type": f"lifespan.{kind}"})
        return await self._answers[kind]

    async def _run(self, app: AsgiApp) -> None:
        wrong: Optional[str] = None
        try:
            await app({**_SCOPE, "state": self.state}, self._messages.get, self._send)
        except Exception as error:
            # Before it has answered to startup: it does not know the protocol. Later: it has failed.
            wrong = f"{type(error).__name__}: {error}" if self._answers["startup"].done() else None
        finally:
            self._settle("startup", None)
            self._settle("shutdown", wrong)

    async def _send(self, message: Message) -> None:
        _, kind, verdict = message["type"].split(".")
        self._settle(kind, None if verdict == "complete" else message.get("message") or "it says no reason")

    def _settle(self, kind: str, wrong: Optional[str]) -> None:
        answer = self._answers[kind]
        if not answer.done():
            answer.set_result(wrong)
