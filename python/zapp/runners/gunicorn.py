from __future__ import annotations

import json
import os
import select
import signal
import threading
from typing import Any

from ..errors import Finding, ZappError, fail
from ..python_entry import PythonEntry
from ..server.channel import Channel
from ..server.child import STOP_GRACE, catch_interrupts
from ..server.worker import WorkerOptions
from ..wsgi import Application, WsgiApp
from .believe_wsgi import believe_wsgi
from .control import NodeControl
from .find_server import find_server, load_server

_READY = b"ready"


def run_gunicorn(options: WorkerOptions, channel: Channel) -> int:
    """
    A worker process that Node has started, run by gunicorn: its master with one worker of several threads, on a private
    Unix socket. It is ready when that worker has imported the application. gunicorn itself replaces a worker that has
    answered its number of requests.

    :returns: exit code, when it was drained
    :raises ZappError: ENTRY_RUNNER, ENTRY_LOAD, ENTRY_EXPORT
    """
    name = options.entry or options.archive.manifest.name
    find_server("wsgi", "gunicorn", options.tree, name)
    # What the worker says before it serves: that it will, or why not.
    told, tell = os.pipe()

    def load() -> WsgiApp:
        try:
            return believe_wsgi(_application(options))
        except ZappError as error:
            os.write(tell, json.dumps([(f.code, f.path, dict(f.args)) for f in error.findings]).encode())
            raise

    def after_fork(arbiter: Any, worker: Any) -> None:
        # Were the channel open in the worker too, the parent would not see the master end.
        os.close(channel.descriptor)

    settings = {
        "bind": f"unix:{options.socket_path}",
        "workers": 1,
        "worker_class": "gthread",
        "threads": options.threads,
        "keepalive": 75,
        # How long a request may take is for the host to say.
        "timeout": 0,
        "graceful_timeout": int(STOP_GRACE),
        "max_requests": options.max_requests,
        "max_requests_jitter": options.max_requests // 10,
        "loglevel": "warning",
        "post_fork": after_fork,
        "post_worker_init": lambda worker: os.write(tell, _READY),
    }
    app = _gunicorn_app(settings, load)
    watcher = _Watcher(NodeControl(channel), told, app.cfg)
    catch_interrupts()
    master = os.getpid()
    try:
        load_server("gunicorn.arbiter").Arbiter(app).run()
    except SystemExit as end:
        if os.getpid() != master:
            # The end of the worker, whose exit code its master reads.
            raise
        if not watcher.is_ready:
            raise watcher.failure(name) from None
        return end.code if isinstance(end.code, int) else 0
    return 0


def _gunicorn_app(settings: "dict[str, Any]", load: Any) -> Any:
    """What gunicorn's documentation calls a custom application; made without a class, as its base is not typed."""

    def load_config(self: Any) -> None:
        for name, value in settings.items():
            self.cfg.set(name, value)
        # A socket for its administrators, of newer versions.
        if "control_socket_disable" in self.cfg.settings:
            self.cfg.set("control_socket_disable", True)

    base = load_server("gunicorn.app.base").BaseApplication
    return type("ZappApplication", (base,), {"load_config": load_config, "load": lambda self: load()})()


class _Watcher:
    """Listens, in a thread of the master, to the parent and to the worker."""

    def __init__(self, control: NodeControl, told: int, cfg: Any):
        self._control = control
        self._told = told
        self._cfg = cfg
        self._findings: "list[Finding]" = []
        self.is_ready = False
        threading.Thread(target=self._watch, daemon=True).start()

    def failure(self, name: str) -> ZappError:
        # It was written before the worker ended, and so before the master did.
        if not self._findings and select.select([self._told], [], [], 0)[0]:
            self._take(os.read(self._told, 65536))
        if self._findings:
            return ZappError(self._findings[0], self._findings)
        return fail("ENTRY_LOAD", module=name, reason="the worker of gunicorn has ended")

    def _watch(self) -> None:
        while True:
            readable, _, _ = select.select([self._control.descriptor, self._told], [], [])
            if self._told in readable:
                self._take(os.read(self._told, 65536))
            if self._control.descriptor in readable:
                grace = self._control.hear()
                if grace is not None:
                    self._cfg.set("graceful_timeout", max(1, round(grace)))
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

    def _take(self, data: bytes) -> None:
        if data.startswith(_READY):
            # A worker that takes the place of another one says so too.
            if not self.is_ready:
                self.is_ready = True
                self._control.ready()
        elif data:
            self._findings = [Finding(code, path, args) for code, path, args in json.loads(data)]


def _application(options: WorkerOptions) -> WsgiApp:
    archive = options.archive
    entries = {
        name: PythonEntry(name, entry, lambda: options.tree)
        for name, entry in archive.manifest.entries.items()
        if entry["type"] == "wsgi" and options.entry in (None, name)
    }
    if options.entry is not None:
        app: WsgiApp = entries[options.entry].get()
        return app
    whole = Application(archive, options.mount, entries, lambda: None)
    whole.start()
    return whole
