from __future__ import annotations

import asyncio
import importlib
import signal
import socket
from typing import Awaitable, Callable, Optional

from ..asgi_scope import AsgiApp
from ..errors import fail
from ..server.child import STOP_GRACE, catch_interrupts, jittered
from .control import Control
from .worker_app import WorkerApp

#: (application, listening socket, until, access log) → None. It serves until ``until`` is done, which gives the seconds
#: that are left for what is running then; it returns before where the application's startup has failed.
Serve = Callable[[AsgiApp, socket.socket, Callable[[], Awaitable[float]], bool], None]


class AsgiProcess:
    """A process that serves an ASGI application with somebody else's server until its control lets it end."""

    def __init__(self, app: WorkerApp, control: Control, max_requests: int, waits: bool):
        """
        :param max_requests: 0: any number
        :param waits: before the server closes anything, all that is running is waited for; for a front that has
            stopped to send, so that WebSockets and long answers live as long as they may
        """
        self._app = app
        self._control = control
        self._waits = waits
        self._grace: "Optional[asyncio.Future[float]]" = None
        self._retires_at = jittered(max_requests) if max_requests else 0
        app.on_start = self._start
        app.on_ready = control.ready
        app.on_answered = self._count

    def run(self, server: str, listener: socket.socket, module: str, logs: bool = False) -> None:
        """
        :param server: a name that :func:`find_server` has found
        :param module: what messages call the application
        :raises ZappError: ENTRY_LOAD
        """
        serve: Serve = importlib.import_module(f".{server}", __package__).serve
        serve(self._app, listener, self._until, logs)
        if not self._app.is_ready:
            raise fail("ENTRY_LOAD", module=module, reason=self._app.failure or "its startup has failed")

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._grace = loop.create_future()
        loop.add_reader(self._control.descriptor, self._hear)
        loop.add_signal_handler(signal.SIGTERM, self._drain, STOP_GRACE)
        catch_interrupts()

    def _hear(self) -> None:
        grace = self._control.hear()
        if grace is not None:
            # Once is enough; and an end is readable for ever.
            asyncio.get_running_loop().remove_reader(self._control.descriptor)
            self._drain(grace)

    def _drain(self, grace: float) -> None:
        if self._grace is not None and not self._grace.done():
            self._grace.set_result(grace)

    async def _until(self) -> float:
        assert self._grace is not None, "servers wait for the end behind the startup of the lifespan"
        grace = await self._grace
        if not self._waits:
            return grace
        loop = asyncio.get_running_loop()
        end = loop.time() + grace
        while self._app.running and loop.time() < end:
            await asyncio.sleep(0.02)
        return 1.0

    def _count(self) -> None:
        if self._app.answered == self._retires_at:
            self._control.retire()
