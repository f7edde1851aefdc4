from __future__ import annotations

import importlib
import os
import sys
import threading
import weakref
from typing import Any, Callable

from .errors import fail
from .holdings import LIBRARY
from .manifest import Json


class PythonEntry:
    """
    An entry point that is a callable of a module. Built when it is first asked for, once, whatever the number of
    threads; a child of a fork builds its own where its parent had not.
    """

    def __init__(self, name: str, entry: Json, tree: Callable[[], str]):
        self.name = name
        self._entry = entry
        self.tree = tree
        self._lock = threading.Lock()
        self._app: Any = None
        #: Whether anything was imported: modules stay in sys.modules, also those of an app that did not load.
        self.is_started = False
        _entries.add(self)

    def get(self) -> Any:
        """:raises ZappError: ENTRY_LOAD, ENTRY_EXPORT; what building the run tree raises. The next call tries again."""
        if self._app is None:
            with self._lock:
                if self._app is None:
                    self._app = self._build()
        return self._app

    def _build(self) -> Any:
        tree = self.tree()
        self.is_started = True
        root = os.path.join(tree, self._entry["root"]) if "root" in self._entry else tree
        # Before the folders of the app are there: in Python 3.13 it imports modules of the standard library, and
        # the app may have some of the same name.
        importlib.invalidate_caches()
        # In front, as for a program that is started from its own folder.
        for folder in (os.path.join(tree, LIBRARY.rstrip("/")), root):
            if folder not in sys.path and os.path.isdir(folder):
                sys.path.insert(0, folder)
        module_name, _, path = self._entry["app"].partition(":")
        try:
            found: Any = importlib.import_module(module_name)
        except Exception as error:
            raise fail("ENTRY_LOAD", module=module_name, reason=_reason(error)) from error
        self._check_origin(module_name, found)
        for step in path.split("."):
            found = getattr(found, step, None)
        if self._entry.get("factory") and callable(found):
            try:
                found = found()
            except Exception as error:
                raise fail("ENTRY_LOAD", module=self._entry["app"], reason=_reason(error)) from error
        if not callable(found):
            raise fail("ENTRY_EXPORT", module=self._entry["app"], expected="a callable", got=type(found).__name__)
        return found

    def _check_origin(self, name: str, module: Any) -> None:
        """The container may have a module of that name for itself: then it would be served instead of the app."""
        file = getattr(module, "__file__", None)
        tree = self.tree()
        # The tree of another archive may be it: what that brings under this name is equal (modules.py).
        root = os.path.dirname(os.path.dirname(tree)) if os.path.basename(tree) == "app" else tree
        if file is not None and not file.startswith(root + os.sep):
            raise fail("ENTRY_LOAD", module=name, reason=f"a module of that name is in this process already: {file}")

    def _after_fork(self) -> None:
        # A thread that held it is not in the child.
        self._lock = threading.Lock()


_entries: "weakref.WeakSet[PythonEntry]" = weakref.WeakSet()


def _renew_locks() -> None:
    for entry in list(_entries):
        entry._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
