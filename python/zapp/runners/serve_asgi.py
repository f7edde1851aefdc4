from __future__ import annotations

import socket
from typing import Optional

from ..asgi import AsgiApplication
from .asgi_process import AsgiProcess
from .control import MasterControl
from .find_server import find_server
from .worker_app import WorkerApp


def run_asgi_child(
    app: AsgiApplication, listener: socket.socket, master: socket.socket, *, max_requests: int, logs: bool
) -> int:
    """
    One process of ``serve`` for an app with an ``asgi`` entry point, run by uvicorn or hypercorn.

    :param master: see :class:`zapp.server.prefork.Prefork`
    :returns: exit code
    :raises ZappError: ENTRY_RUNNER, ENTRY_LOAD; what building the run tree raises
    """
    name = app.manifest.name
    wanted: Optional[str] = app.manifest.source.get("workers", {}).get("server")
    server = find_server("asgi", wanted, app.tree(), name)
    process = AsgiProcess(WorkerApp(app, lambda scope: scope), MasterControl(master), max_requests, waits=False)
    process.run(server, listener, name, logs)
    app.close()
    return 0
