from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Callable, Container, Mapping, NamedTuple, Optional

from .archive import Archive, Input, open_archive
from .environment import Variables, claim_environment, resolve_config
from .errors import raise_errors
from .limits import DEFAULT_LIMITS, Limits
from .locations import cache_location, data_location
from .modules import claim_modules, roots_of
from .needs import ASGI, WSGI, check_needs, checked_mount, left_to_others
from .place import Place
from .python_entry import PythonEntry
from .wsgi import Application

if TYPE_CHECKING:
    from .asgi import AsgiApplication

_log = logging.getLogger("zapp")


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
    return Application(*_load(given, mount, config or {}, WSGI, cache, data, limits))


def load_asgi(
    given: Input,
    mount: str = "",
    config: Optional[Mapping[str, str]] = None,
    *,
    cache: Optional[str] = None,
    data: Optional[str] = None,
    limits: Limits = DEFAULT_LIMITS,
) -> "AsgiApplication":
    """
    Loads an archive as an ASGI 3 application, as :func:`load` does. Entry points of type ``wsgi`` run in a pool of
    threads, as many as ``workers.threads`` says. The code is imported when the server says ``lifespan.startup``, which
    fails where it does not load; by a server that does not say so, with the first request.

    :param mount: as for :func:`load`, with the server's ``root_path`` in place of SCRIPT_NAME
    :raises ZappError: as :func:`load`
    """
    return _asgi(_load(given, mount, config or {}, ASGI, cache, data, limits))


def load_either(
    given: Input, mount: str, config: Mapping[str, str], cache: Optional[str], data: Optional[str]
) -> "Application | AsgiApplication":
    """For a program that can call both: an application of ASGI where an entry point is one. As :func:`load`."""
    loaded = _load(given, mount, config, ASGI, cache, data, DEFAULT_LIMITS)
    types = {entry["type"] for entry in loaded.archive.manifest.entries.values()}
    return _asgi(loaded) if "asgi" in types else Application(*loaded)


def _asgi(loaded: "Loaded") -> "AsgiApplication":
    # Where it is wanted only: asyncio is half of what a CGI program would import.
    from .asgi import AsgiApplication

    return AsgiApplication(*loaded)


class Loaded(NamedTuple):
    """What an application is made of. All needs are met; nothing was imported yet."""

    archive: Archive
    mount: str
    entries: Mapping[str, PythonEntry]
    release: Callable[[], None]


def _load(
    given: Input,
    mount: str,
    config: Mapping[str, str],
    runs: Container[str],
    cache: Optional[str],
    data: Optional[str],
    limits: Limits,
) -> Loaded:
    archive = open_archive(given, limits)
    try:
        mount = checked_mount(mount)
        manifest = archive.manifest
        values, wrong = resolve_config(manifest, config)
        raise_errors([*check_needs(archive, mount, runs), *wrong])
        if not manifest.entries:
            return Loaded(archive, mount, {}, lambda: None)
        place = Place(archive, cache_location(cache), data_location(manifest.name, data) if manifest.data else "")
        loaded = _with_entries(archive, mount, values, place)
    except BaseException:
        archive.close()
        raise
    for name in left_to_others(manifest):
        _log.warning("%s: %s is not run here; do: python -m zapp run %s %s", manifest.name, name, archive.file, name)
    return loaded


def _with_entries(archive: Archive, mount: str, values: Variables, place: Place) -> Loaded:
    declared = archive.manifest.entries
    release_modules = claim_modules(archive, roots_of(archive))
    try:
        own = [entry.get("env", {}) for entry in declared.values()]
        release_environment = claim_environment([values, place.variables(), *own])
    except BaseException:
        release_modules()
        raise
    entries = {name: PythonEntry(name, entry, place.tree) for name, entry in declared.items()}

    def release() -> None:
        release_environment()
        # What was imported stays in sys.modules, and so does the claim.
        if not any(entry.is_started for entry in entries.values()):
            release_modules()

    return Loaded(archive, mount, entries, release)
