"""Everything that an app needs and does not find, all told at once, before anything is unpacked. FORMAT.md §Needs."""

from __future__ import annotations

import importlib.util
import json
import platform
import re
import shutil
import sys
from typing import Any, Container, Iterator, Optional, Sequence

from .archive import Archive
from .errors import Finding, fail, finding
from .holdings import BUILD_INFO
from .manifest import Manifest
from .values import satisfies

#: What the interface of the container can be given.
WSGI = frozenset(["wsgi"])
ASGI = frozenset(["asgi", "wsgi"])
_NODE = frozenset(["node", "fetch"])
_WHO = "this version of the Python loader"
_MOUNT = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*")


def checked_mount(mount: str) -> str:
    """:raises ZappError: MOUNT_PATH"""
    path = "" if mount == "/" else mount
    if not is_mount(path):
        raise fail("MOUNT_PATH", mount=mount, got=mount)
    return path


def is_mount(path: str) -> bool:
    return _MOUNT.fullmatch(path) is not None and not any(segment in (".", "..") for segment in path.split("/"))


def check_needs(archive: Archive, mount: str, runs: Container[str]) -> list[Finding]:
    """:param runs: types of entry points"""
    manifest = archive.manifest
    return [
        *_entries(manifest, runs),
        *_keys(manifest),
        *_base(manifest, mount),
        *_runtimes(manifest),
        *_commands(manifest),
        *_provided(manifest),
        *_native(archive),
    ]


def check_command_needs(archive: Archive, run: Sequence[str]) -> list[Finding]:
    """
    What one command of an app needs, except configuration. The types of its entry points, keys that only matter while
    it serves, and its mount are not asked for.
    """
    manifest = archive.manifest
    return [
        *_python(manifest),
        *_node(run),
        *_commands(manifest),
        *_provided(manifest),
        *_native(archive),
    ]


def check_worker_needs(archive: Archive) -> list[Finding]:
    """What only this interpreter can tell, where somebody else has judged all the rest."""
    found = [*_python(archive.manifest), *_provided(archive.manifest), *_native(archive)]
    return [one for one in found if one.code != "UNSUPPORTED_KEY"]


def _entries(manifest: Manifest, runs: Container[str]) -> Iterator[Finding]:
    for name, entry in manifest.entries.items():
        kind = entry["type"]
        if kind in _NODE:
            yield finding("ENTRY_RUNTIME", "zapp.json", entry=name, type=kind)
        elif kind == "asgi" and kind not in runs:
            yield finding("ENTRY_ASGI", "zapp.json", entry=name)
        elif kind not in ASGI:
            yield _unsupported(f"an entry of type {json.dumps(kind)} ({name})")


def _keys(manifest: Manifest) -> Iterator[Finding]:
    """A key whose behaviour this loader lacks is refused, never ignored."""
    source = manifest.source
    for key in ("roles", "services"):
        if key in source:
            yield _unsupported(key)


def left_to_others(manifest: Manifest) -> list[str]:
    """What is declared and not started here, but by ``python -m zapp run FILE NAME``. FORMAT.md §Needs."""
    return [*(["migrate"] if "migrate" in manifest.source.get("lifecycle", {}) else []), *manifest.source.get("processes", {})]


def _unsupported(key: str) -> Finding:
    return finding("UNSUPPORTED_KEY", "zapp.json", key=key, who=_WHO)


def _base(manifest: Manifest, mount: str) -> Iterator[Finding]:
    got = mount or "/"
    if manifest.base not in ("any", got):
        yield finding("MOUNT_BASE", expected=manifest.base, got=got)


def _runtimes(manifest: Manifest) -> Iterator[Finding]:
    yield from _python(manifest)
    if "node" in _wanted(manifest) and not any(entry["type"] in _NODE for entry in manifest.entries.values()):
        yield _unsupported("dependencies.runtime.node")


def _wanted(manifest: Manifest) -> dict[str, str]:
    wanted: dict[str, str] = manifest.source.get("dependencies", {}).get("runtime", {})
    return wanted


def _python(manifest: Manifest) -> Iterator[Finding]:
    version, wanted = platform.python_version(), _wanted(manifest)
    if "python" in wanted and not satisfies(version, wanted["python"]):
        yield finding("NEED_RUNTIME", runtime="Python", expected=wanted["python"], got=version)


def _node(run: Sequence[str]) -> Iterator[Finding]:
    if any("{node}" in argument for argument in run) and shutil.which("node") is None:
        yield finding("NEED_COMMAND", command="node")


def _commands(manifest: Manifest) -> Iterator[Finding]:
    for command in manifest.source.get("dependencies", {}).get("commands", ()):
        if shutil.which(command) is None:
            yield finding("NEED_COMMAND", command=command)


def _provided(manifest: Manifest) -> Iterator[Finding]:
    provided = manifest.source.get("dependencies", {}).get("provided", {})
    for package in provided.get("python", ()):
        if not _has_package(package):
            yield finding("NEED_PROVIDED", package=package)
    if provided.get("node"):
        yield _unsupported("dependencies.provided.node")


def _has_package(name: str) -> bool:
    """By the name of the distribution, or of a module."""
    # Where it is wanted only: it is a third of what a CGI program would import.
    from importlib import metadata

    try:
        metadata.distribution(name)
        return True
    except (metadata.PackageNotFoundError, ValueError):
        pass
    try:
        return name.isidentifier() and importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


_ARCHES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "i686": "ia32", "i386": "ia32", "armv7l": "arm"}


def _native(archive: Archive) -> Iterator[Finding]:
    """A package fits if one of its addons does. A number is an ABI of Node, which no addon for Python has."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for target in _native_targets(archive):
        if target.get("kind") == "addon" and not target.get("optional"):
            groups.setdefault(target["package"] or target["path"], []).append(target)
    machine = platform.machine().lower()
    here = (sys.platform, _ARCHES.get(machine, machine), _libc())
    for package, targets in groups.items():
        if not any(_fits(target, here) for target in targets):
            expected = " or ".join(dict.fromkeys(_named(target) for target in targets))
            mine = {"platform": here[0], "arch": here[1], "libc": here[2], "python": _abi()}
            yield finding("NEED_NATIVE", package=package, expected=expected, got=_named(mine))


def _named(target: dict[str, Any]) -> str:
    system = "-".join(str(target[key]) for key in ("platform", "arch", "libc") if target.get(key))
    return f"{system} ({target['python']})" if target.get("python") else system


def _fits(target: dict[str, Any], here: tuple[str, str, Optional[str]]) -> bool:
    system, arch, libc = here
    unix = target.get("platform") == "unix" and system not in ("win32", "darwin")
    if (not unix and target.get("platform") != system) or target.get("arch") != arch:
        return False
    python = target.get("python")
    if python is not None and not (isinstance(python, str) and loads_extension(python, _abi())):
        return False
    return target.get("libc") in (None, libc) and not isinstance(target.get("abi"), int)


def _abi() -> str:
    """What this interpreter is, as the names of wheels say it: cp311, cp313t."""
    name = {"cpython": "cp", "pypy": "pp"}.get(sys.implementation.name, sys.implementation.name)
    free = "t" if "t" in getattr(sys, "abiflags", "") else ""
    return f"{name}{sys.version_info[0]}{sys.version_info[1]}{free}"


_ABI3 = re.compile(r"(?:cp3([0-9]{1,3})-)?abi3")


def loads_extension(built: str, abi: str) -> bool:
    """Whether an interpreter loads an extension module: its own ABI, or a stable one from that version on."""
    stable = _ABI3.fullmatch(built)
    if stable is None:
        return built == abi
    mine = re.fullmatch(r"cp3([0-9]{1,3})", abi)
    return mine is not None and int(mine[1]) >= int(stable[1] or 0)


def _libc() -> Optional[str]:
    if sys.platform != "linux":
        return None
    return "glibc" if platform.libc_ver()[0] == "glibc" else "musl"


def _native_targets(archive: Archive) -> list[dict[str, Any]]:
    """What build.json says; nothing where it is not of the one form that is known."""
    entry = archive.entries.get(BUILD_INFO)
    if entry is None:
        return []
    try:
        info = json.loads(archive.read(entry))
    except (ValueError, RecursionError):
        return []
    if not isinstance(info, dict) or info.get("v") != 1 or not isinstance(info.get("native"), list):
        return []
    texts = ("path", "package")
    return [t for t in info["native"] if isinstance(t, dict) and all(isinstance(t.get(key), str) for key in texts)]

