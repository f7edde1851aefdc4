from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, Union

from .archive import Archive
from .files_below import FilesBelow
from .headers import NOSNIFF, Header, cache_control, encode_path, soft_cache_control, with_route_headers
from .manifest import Route
from .static_file import StaticFile


@dataclass(frozen=True)
class FolderRedirect:
    """A folder named without its slash, where a welcome file lies."""

    #: Below the mount, URL text. Made from the table's key, never from the request.
    location: str
    headers: Sequence[Header]


StaticTable = dict[str, Union[StaticFile, FolderRedirect]]

_WELL_KNOWN = "/.well-known/"


def build_static_table(archive: Archive, below: FilesBelow, route: Route) -> StaticTable:
    """
    What a static route can answer, by what its pattern leaves of the decoded path (FORMAT.md §Table). This is the
    boundary: the table is filled from the declared folder only, and a request is one look into it.
    """
    cache = cache_control(route.cache)
    pattern = route.pattern
    if pattern.kind == "exact":
        entry = archive.entries[route.target]
        return {"": StaticFile(archive, entry, cache, route.headers)} if _is_public(pattern.text) else {}

    prefix = pattern.text if pattern.kind == "prefix" else ""
    ranks = {name: rank for rank, name in reversed(list(enumerate(archive.manifest.welcome)))}
    table: StaticTable = {}
    welcome: dict[str, tuple[int, StaticFile]] = {}
    for name in below.of(route.target):
        key = name[len(route.target) :]
        if not _is_public(prefix + key):
            continue
        file = StaticFile(archive, archive.entries[name], cache, route.headers)
        table[key] = file
        folder, _, last = key.rpartition("/")
        if last in ranks and (folder not in welcome or ranks[last] < welcome[folder][0]):
            welcome[folder] = (ranks[last], file)
    headers = with_route_headers([soft_cache_control(route.cache), NOSNIFF], route.headers)
    for folder, (_, file) in welcome.items():
        table[folder + "/"] = file
        table[folder] = FolderRedirect(encode_path(prefix + folder) + "/", headers)
    return table


def _is_public(url: str) -> bool:
    """Names that begin with a dot are habitually not meant for the world, except the one folder that is (RFC 8615)."""
    return "/." not in (url[len(_WELL_KNOWN) - 1 :] if url.startswith(_WELL_KNOWN) else url)
