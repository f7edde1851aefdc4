from __future__ import annotations

import asyncio
import socket
from typing import Awaitable, Callable

from ..asgi_scope import AsgiApp
from .find_server import load_server


def serve(app: AsgiApp, listener: socket.socket, until: Callable[[], Awaitable[float]], logs: bool) -> None:
    """See :data:`zapp.runners.asgi_process.Serve`."""
    config = load_server("hypercorn.config").Config()
    # It takes the descriptor for its own.
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    config.accesslog = "-" if logs else None
    config.include_server_header = False
    config.keep_alive_timeout = 75

    async def trigger() -> None:
        config.graceful_timeout = await until()

    run = load_server("hypercorn.asyncio").serve
    failure = load_server("hypercorn.utils").LifespanFailureError
    try:
        asyncio.run(run(app, config, shutdown_trigger=trigger))
    except failure:
        pass
