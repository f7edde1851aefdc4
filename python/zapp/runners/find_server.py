from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any, Optional

from ..errors import fail
from ..holdings import LIBRARY

#: By type of entry point, the preferred first.
SERVERS = {"asgi": ("uvicorn", "hypercorn"), "wsgi": ("gunicorn",)}


def find_server(kind: str, wanted: Optional[str], tree: str, entry: str = "main") -> str:
    """
    The server that is there. What the archive brings comes before what the machine has.

    :param kind: type of the entry point
    :param wanted: the manifest's ``workers.server``; None: any that can run the type
    :param tree: root of the run tree
    :raises ZappError: ENTRY_RUNNER
    """
    names = (wanted,) if wanted in SERVERS[kind] else SERVERS[kind]
    library = os.path.join(tree, LIBRARY.rstrip("/"))
    if library not in sys.path and os.path.isdir(library):
        sys.path.insert(0, library)
    for name in names:
        if importlib.util.find_spec(name) is not None:
            return name
    raise fail(
        "ENTRY_RUNNER", entry=entry, expected=" or ".join(names), python=sys.executable, command=names[0]
    )


def load_server(name: str) -> Any:
    """The module, untyped: which version of it there is, only the machine knows."""
    return importlib.import_module(name)
