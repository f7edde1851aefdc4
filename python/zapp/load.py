from __future__ import annotations

import os
from typing import Mapping, Optional

from .archive import Archive, Input, open_archive
from .environment import Variables, claim_environment, resolve_config
from .errors import raise_errors
from .limits import DEFAULT_LIMITS, Limits
from .locations import cache_location, data_location
from .modules import claim_modules, roots_of
from .needs import check_needs, checked_mount
from .python_entry import PythonEntry
from .run_tree import data_folders, run_tree
from .wsgi import Application


def load(
    given: Input,
    mount: str = "",
    config: Optional[Mapping[str, str]] = None,
    *,
    cache: Optional[str] = None,
    data: Optional[str] = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Application:
    """
    Loads an archive as a WSGI application. Everything that can be told is told now: what the archive breaks, what it
    needs and does not find, all of it at once. Its code is unpacked and imported with the first request that it
    answers, so that each process of a server that forks does so for itself.

    :param mount: the path that the app answers under, like "/shop". The SCRIPT_NAME of a container that mounts comes in
        front of it; where that is the same mount, it counts once
    :param config: values for the manifest's ``config``, before those of the environment
    :param cache: folder for run trees; default: the system's or the user's cache folder
    :param data: folder that holds the app's data folders; default: a folder with its name in the user's state folder
    :raises ZappError: with all findings; the codes of validation, of needs, CACHE_NONE
    """
    archive = open_archive(given, limits)
    try:
        return _load(archive, checked_mount(mount), config or {}, cache, data)
    except BaseException:
        archive.close()
        raise


def _load(
    archive: Archive, mount: str, config: Mapping[str, str], cache: Optional[str], data: Optional[str]
) -> Application:
    manifest = archive.manifest
    values, wrong = resolve_config(manifest, config)
    raise_errors([*check_needs(archive, mount), *wrong])
    if not manifest.entries:
        return Application(archive, mount, {}, lambda: None)

    place = _Place(archive, cache_location(cache), data_location(manifest.name, data) if manifest.data else "")
    wanted: list[Variables] = [values, place.variables()]
    wanted += [entry.get("env", {}) for entry in manifest.entries.values()]
    release_modules = claim_modules(archive, roots_of(archive))
    try:
        release_environment = claim_environment(wanted)
    except BaseException:
        release_modules()
        raise
    entries = {name: PythonEntry(name, entry, place.tree) for name, entry in manifest.entries.items()}

    def release() -> None:
        release_environment()
        # What was imported stays in sys.modules, and so does the claim.
        if not any(entry.is_started for entry in entries.values()):
            release_modules()

    return Application(archive, mount, entries, release)


class _Place:
    """Where the code of an app lies, and its data."""

    def __init__(self, archive: Archive, cache: str, data: str):
        self._archive = archive
        self._cache = cache
        self._data = data
        self._tree: Optional[str] = None

    def variables(self) -> Variables:
        folders = self._archive.manifest.data.items()
        return {folder["env"]: os.path.join(self._data, name) for name, folder in folders if "env" in folder}

    def tree(self) -> str:
        """Built when it is first asked for."""
        if self._tree is None:
            made = data_folders(self._archive, self._data)
            links = {self._archive.manifest.data[name]["path"]: path for name, path in made.items()}
            self._tree = run_tree(self._archive, self._cache, links)
        return self._tree
