from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, Awaitable, Callable

from ..asgi_scope import AsgiApp, Receive, Scope, Send
from .find_server import load_server


def serve(app: AsgiApp, listener: socket.socket, until: Callable[[], Awaitable[float]], logs: bool) -> None:
    """See :data:`zapp.runners.asgi_process.Serve`."""
    uvicorn = load_server("uvicorn")
    stops: "list[asyncio.Future[None]]" = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            # The first call in the loop, and the only one of its kind.
            stops.append(asyncio.ensure_future(_stop(server, until)))
        await app(scope, receive, send)

    config = uvicorn.Config(
        watched,
        lifespan="on",
        log_level="info" if logs else "warning",
        access_log=logs,
        # Whom to believe is decided here, not by it.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    # Signals are ours: uvicorn would raise them again at its end. (Two names, of newer and of older versions.)
    server.capture_signals = contextlib.nullcontext
    server.install_signal_handlers = lambda: None
    try:
        server.run(sockets=[listener])
    except SystemExit:
        # How it tells that the startup has failed.
        pass


async def _stop(server: Any, until: Callable[[], Awaitable[float]]) -> None:
    grace = await until()
    server.config.timeout_graceful_shutdown = grace
    server.should_exit = True
    # Versions before 0.22 do not know that time.
    await asyncio.sleep(grace + 1)
    server.force_exit = True
