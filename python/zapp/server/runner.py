from __future__ import annotations

from functools import partial
from typing import Callable, Optional

from ..errors import fail
from .channel import Channel
from .worker import WorkerOptions, run_wsgi

Runner = Callable[[WorkerOptions, Channel], int]


def runner_of(entry_type: str, server: Optional[str]) -> Runner:
    """
    What answers for an entry point in a worker process.

    :param server: the manifest's ``workers.server``; None: this package's own
    :raises ZappError: UNSUPPORTED_KEY
    """
    if entry_type == "asgi":
        from ..runners.asgi_worker import run_asgi

        return partial(run_asgi, wanted=server)
    if server == "gunicorn":
        from ..runners.gunicorn import run_gunicorn

        return run_gunicorn
    if entry_type == "wsgi" and server is None:
        return run_wsgi
    what = f"an entry of type {entry_type}" if server is None else f"the server {server}"
    raise fail("UNSUPPORTED_KEY", "zapp.json", key=what, who="this version of the Python loader")
