from __future__ import annotations

from typing import Optional

from ..asgi import AsgiApplication
from ..asgi_scope import AsgiApp
from ..python_entry import PythonEntry
from ..server.channel import Channel
from ..server.listener import listen_unix
from ..server.worker import WorkerOptions
from .asgi_process import AsgiProcess
from .believe_asgi import believe_asgi
from .control import NodeControl
from .find_server import find_server
from .worker_app import WorkerApp, with_lifespan


def run_asgi(options: WorkerOptions, channel: Channel, wanted: Optional[str] = None) -> int:
    """
    A worker process that Node has started, run by uvicorn or hypercorn: answers on a private Unix socket. It is ready
    when the application has said so at the end of its lifespan's startup.

    :param wanted: the server; None: whichever is there
    :returns: exit code, when it was drained
    :raises ZappError: ENTRY_RUNNER, ENTRY_LOAD, ENTRY_EXPORT, IO
    """
    name = options.entry or options.archive.manifest.name
    server = find_server("asgi", wanted, options.tree, name)
    app = WorkerApp(_application(options), believe_asgi)
    process = AsgiProcess(app, NodeControl(channel), options.max_requests, waits=True)
    process.run(server, listen_unix(options.socket_path), name)
    return 0


def _application(options: WorkerOptions) -> AsgiApp:
    archive = options.archive
    entries = {
        name: PythonEntry(name, entry, lambda: options.tree)
        for name, entry in archive.manifest.entries.items()
        if entry["type"] in ("asgi", "wsgi") and options.entry in (None, name)
    }
    if options.entry is None:
        return AsgiApplication(archive, options.mount, entries, lambda: None)
    return with_lifespan(options.entry, entries[options.entry].get())
