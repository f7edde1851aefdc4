from __future__ import annotations

import logging
from typing import Any, Callable, Mapping

from .archive import Archive
from .errors import ZappError
from .manifest import Manifest
from .mount import Mount
from .python_entry import PythonEntry

_log = logging.getLogger("zapp")


class MountedArchive:
    """An archive that answers under a mount, and the code of its entry points: what WSGI and ASGI have in common."""

    def __init__(
        self, archive: Archive, mount: str, entries: Mapping[str, PythonEntry], release: Callable[[], None]
    ):
        self.manifest: Manifest = archive.manifest
        self.mount = mount
        self._archive = archive
        self._entries = entries
        self._release = release
        self._is_closed = False
        self._mounted = Mount(archive, self._report)

    def close(self) -> None:
        """Lets go of the archive and of the environment; idempotent. Modules that were imported stay in the process."""
        if not self._is_closed:
            self._is_closed = True
            self._release()
            self._archive.close()

    def _app(self, entry: str) -> Any:
        """What the entry point's code gives, imported with the first call; None where it does not load."""
        try:
            return self._entries[entry].get()
        except ZappError as error:
            self._report(error, entry)
            return None

    def _report(self, error: ZappError, where: str) -> None:
        _log.error("%s: %s %s: %s", self.manifest.name, where, error.code, error, exc_info=error.__cause__)
