from __future__ import annotations

import os
from typing import Optional

from .archive import Archive
from .environment import Variables
from .run_tree import data_folders, run_tree


class Place:
    """Where the code of an app lies, and its data."""

    def __init__(self, archive: Archive, cache: str, data: str):
        """:param data: folder that its data folders lie in"""
        self._archive = archive
        self._cache = cache
        self._data = data
        self._tree: Optional[str] = None

    def variables(self) -> Variables:
        folders = self._archive.manifest.data.items()
        return {folder["env"]: os.path.join(self._data, name) for name, folder in folders if "env" in folder}

    def tree(self) -> str:
        """The root of the run tree, built when it is first asked for. Raises what :func:`run_tree` raises."""
        if self._tree is None:
            made = data_folders(self._archive, self._data)
            links = {self._archive.manifest.data[name]["path"]: path for name, path in made.items()}
            self._tree = run_tree(self._archive, self._cache, links)
        return self._tree
