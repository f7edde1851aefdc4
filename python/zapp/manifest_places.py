"""Where things stand in a manifest: entry points, commands, durations, paths. Passes over what is BAD."""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple

from .strict_json import Path

Source = dict[str, Any]


def items(source: Source, key: str) -> list[tuple[str, Any]]:
    """The members of a map; none where the map is not there or is none."""
    found = source.get(key)
    return list(found.items()) if isinstance(found, dict) else []


def entries_of(source: Source) -> Iterator[tuple[str, Source, Path]]:
    """Entry points with the place where each is written; the shorthand is called main."""
    if isinstance(source.get("entry"), dict):
        yield "main", source["entry"], ("entry",)
    for name, entry in items(source, "entries"):
        if isinstance(entry, dict):
            yield name, entry, ("entries", name)


def commands_of(source: Source) -> Iterator[tuple[list[Any], Path]]:
    holders: list[tuple[Any, Path]] = [(entry, path) for _, entry, path in entries_of(source)]
    lifecycle = source.get("lifecycle")
    if isinstance(lifecycle, dict):
        holders.append((lifecycle.get("migrate"), ("lifecycle", "migrate")))
    holders += [(process, ("processes", name)) for name, process in items(source, "processes")]
    for holder, path in holders:
        if isinstance(holder, dict) and isinstance(holder.get("run"), list):
            yield holder["run"], (*path, "run")


def durations_of(source: Source) -> Iterator[tuple[str, Path, int]]:
    """Each with the most days that it may have (R20)."""
    holders: list[tuple[Any, Path, str, int]] = []
    holders += [(entry, path, "timeout", 7) for _, entry, path in entries_of(source) if entry["type"] == "cgi"]
    holders += [(route, ("routes", pattern), "cache", 365) for pattern, route in items(source, "routes")]
    holders.append((source.get("health"), ("health",), "timeout", 7))
    lifecycle = source.get("lifecycle")
    if isinstance(lifecycle, dict):
        holders.append((lifecycle.get("migrate"), ("lifecycle", "migrate"), "timeout", 7))
    holders += [(process, ("processes", name), "every", 7) for name, process in items(source, "processes")]
    for holder, path, key, days in holders:
        value = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(value, str) and value not in ("immutable", "no-store"):
            yield value, (*path, key), days


class NamedPath(NamedTuple):
    """A place where the manifest names a file or folder of the archive."""

    path: Path
    value: str
    #: file, folder, or data: a folder that the archive may hold, as a seed, but need not.
    want: str


_OF_ENTRIES = {"module": "file", "root": "folder", "dir": "folder", "script": "file"}


def paths_of(source: Source) -> list[NamedPath]:
    found: list[tuple[Path, Any, str]] = []
    for _, entry, path in entries_of(source):
        found += [((*path, key), entry.get(key), want) for key, want in _OF_ENTRIES.items()]
    for pattern, route in items(source, "routes"):
        if isinstance(route, dict):
            is_exact = pattern.startswith("/") and pattern != "/" and not pattern.endswith("/*")
            found.append((("routes", pattern, "static"), route.get("static"), "file" if is_exact else "folder"))
            found += [(("routes", pattern, "else", "file"), v, "file") for k, v in items(route, "else") if k == "file"]
    for name, declared in items(source, "data"):
        if isinstance(declared, dict):
            found.append((("data", name, "path"), declared.get("path"), "data"))
    found += [(("errors", status), page, "file") for status, page in items(source, "errors")]
    executable = source.get("executable")
    for index, file in enumerate(executable if isinstance(executable, list) else ()):
        found.append((("executable", index), file, "file"))
    return [NamedPath(path, value, want) for path, value, want in found if isinstance(value, str)]
