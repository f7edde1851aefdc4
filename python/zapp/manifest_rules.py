"""
What the shape cannot say: rules R1 to R21 and R23 of FORMAT.md §Cross-field rules. R22, whether paths exist, is
manifest_paths.py. A value that is BAD has been reported already: no rule that needs it is judged, but its key is there.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, NamedTuple, Optional

from .entry_path import judge_path
from .errors import Finding
from .manifest_places import commands_of, durations_of, entries_of, items, paths_of
from .name_table import collision_key, folders_above
from .pattern import parse_pattern
from .strict_json import BAD, Bad, Path
from .values import DAY, default_text, milliseconds, misfit

Source = dict[str, Any]


class Broken(NamedTuple):
    rule: str
    path: Path
    target: str
    expected: str
    got: Any
    code: str = "MANIFEST_RULE"


# What frames a message, or what Zapp computes from the file that it sends.
OWN_HEADERS = frozenset(
    "accept-ranges connection content-encoding content-length content-range date etag keep-alive proxy-connection te "
    "trailer transfer-encoding upgrade".split()
)
# What runtimes and loaders obey: an archive must not steer the host's own interpreter.
_OBEYED = re.compile(r"(?:PATH|HOME|NODE_OPTIONS|(?:LD_|DYLD_|PYTHON|ZAPP_).*)", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PLACEHOLDER = re.compile(r"\{([A-Za-z][A-Za-z0-9._-]*)\}")
_PLACEHOLDERS = "a placeholder must be {node}, {python}, {data.NAME} or {config.NAME}, of a declared name"
_RESERVED = re.compile(r"(?:ZAPP-INF|mimetype|zapp\.json)(?:/|\Z)")


def check_rules(source: Source) -> Iterator[Broken]:
    yield from _entry_rules(source)
    for pattern, route in source["routes"].items() if isinstance(source.get("routes"), dict) else ():
        yield from _route_rules(source, pattern, route)
    yield from _config_rules(source)
    yield from _variable_rules(source)
    yield from _data_rule(source)
    yield from _command_rules(source)
    yield from _duration_rule(source)
    yield from _path_rule(source)
    yield from _worker_rule(source)


def _entry_rules(source: Source) -> Iterator[Broken]:
    if "entry" in source and "entries" in source:
        yield Broken("R1", ("entries",), "key", '"entry" and "entries" exclude each other', "both")
    for _, entry, path in entries_of(source):
        if entry["type"] == "cgi" and ("dir" in entry) == ("script" in entry):
            given = "both" if "dir" in entry else "nothing"
            yield Broken("R2", path, "value", 'a "cgi" entry must have exactly one of "dir" and "script"', given)
    if isinstance(source.get("entry"), dict) and not _is_reached(source):
        expected = 'a route must lead to the entry: none names it, and "/" is taken'
        yield Broken("R8", ("entry",), "key", expected, "nothing")


def _is_reached(source: Source) -> bool:
    """Whether requests get to the shorthand entry: by a route that names it, or by the "/" that it adds."""
    routes = source.get("routes", {})
    if isinstance(routes, Bad):
        return True
    for route in routes.values():
        # What was refused may have named it.
        if isinstance(route, Bad) or route.get("entry") in ("main", BAD):
            return True
        otherwise = route.get("else", {})
        if isinstance(otherwise, Bad) or otherwise.get("entry") in ("main", BAD):
            return True
    root = routes.get("/")
    return root is None or ("static" in root and "else" not in root)


def _route_rules(source: Source, text: str, route: Any) -> Iterator[Broken]:
    path: Path = ("routes", text)
    pattern = parse_pattern(text)
    if pattern is None:
        yield Broken("R3", path, "key", "a route must be /path, /path/*, *.suffix or /", text)
    if isinstance(route, Bad):
        return
    targets = [key for key in ("entry", "static", "redirect") if key in route]
    if len(targets) != 1:
        expected = 'a route must have exactly one of "entry", "static" and "redirect"'
        yield Broken("R4", path, "value", expected, " and ".join(targets) or "nothing")
    else:
        yield from _company_rule(path, route, targets[0])
    otherwise = route.get("else", BAD)
    if isinstance(otherwise, dict) and ("entry" in otherwise) == ("file" in otherwise):
        expected = '"else" must have exactly one of "entry" and "file"'
        yield Broken("R6", (*path, "else"), "value", expected, "both" if otherwise else "nothing")
    yield from _target_rules(source, path, route)
    yield from _header_rule(path, route)
    if route.get("strip") is True and pattern is not None and pattern.kind != "prefix":
        yield Broken("R11", (*path, "strip"), "value", '"strip" must stand under a pattern that ends in "/*"', text)


def _company_rule(path: Path, route: Source, target: str) -> Iterator[Broken]:
    """R5."""
    needs = [("else", "static", route.get("else")), ("unpack", "static", route.get("unpack"))]
    needs += [(key, "entry", route[key]) for key in ("strip", "websocket") if route.get(key) is True]
    for key, wanted, _ in needs:
        if key in route and target != wanted:
            yield Broken("R5", (*path, key), "key", f'"{key}" must stand beside "{wanted}"', target)
    if target == "entry" and "cache" in route:
        expected = '"cache" must stand beside "static" or "redirect": an entry sets its own Cache-Control'
        yield Broken("R5", (*path, "cache"), "key", expected, target)


def _target_rules(source: Source, path: Path, route: Source) -> Iterator[Broken]:
    """R7 and R9."""
    if isinstance(source.get("entries"), Bad):
        return
    types = {name: entry if isinstance(entry, Bad) else entry["type"] for name, entry in items(source, "entries")}
    if "entry" in source:
        types["main"] = source["entry"]["type"] if isinstance(source["entry"], dict) else BAD
    otherwise = route.get("else")
    named = [(path, route)] + ([((*path, "else"), otherwise)] if isinstance(otherwise, dict) else [])
    for at, holder in named:
        name = holder.get("entry")
        if isinstance(name, str) and name not in types:
            yield Broken("R7", (*at, "entry"), "value", "a route must name an entry that exists", name)
        if route.get("websocket") is True and isinstance(name, str) and types.get(name) in ("wsgi", "cgi"):
            expected = '"websocket" must lead to an entry that can be upgraded'
            yield Broken("R9", (*path, "websocket"), "value", expected, types[name])


def _header_rule(path: Path, route: Source) -> Iterator[Broken]:
    """R10."""
    headers = route.get("headers")
    seen: set[str] = set()
    for name in headers if isinstance(headers, dict) else ():
        lower = name.lower()
        problem = None
        if lower in OWN_HEADERS:
            problem = "a header must not be one that Zapp itself sends"
        elif lower in seen:
            problem = "a header must be given once, whatever its case"
        elif lower == "cache-control" and "cache" in route:
            problem = 'Cache-Control must not stand beside "cache", which writes it'
        seen.add(lower)
        if problem:
            yield Broken("R10", (*path, "headers", name), "key", problem, name)


def _config_rules(source: Source) -> Iterator[Broken]:
    """R12 to R14."""
    for name, declared in items(source, "config"):
        if isinstance(declared, Bad):
            continue
        path: Path = ("config", name)
        kind = declared.get("type")
        if kind == "enum" and "values" not in declared:
            yield Broken("R12", path, "value", 'type "enum" must have "values"', "nothing")
        if isinstance(kind, str) and kind != "enum" and "values" in declared:
            yield Broken("R12", (*path, "values"), "key", '"values" must stand beside type "enum"', kind)
        if "default" not in declared:
            continue
        at = (*path, "default")
        for key in ("required", "secret"):
            if declared.get(key) is True:
                yield Broken("R14", at, "key", f'"{key}" and "default" exclude each other', "both")
        wrong = _wrong_default(declared)
        if wrong:
            got = "a secret" if declared.get("secret") is True else declared["default"]
            yield Broken("R13", at, "value", f"a default must be {wrong}", got)


def _wrong_default(declared: Source) -> Optional[str]:
    kind, value, values = declared.get("type"), declared["default"], declared.get("values", ())
    if not isinstance(kind, str) or isinstance(value, Bad):
        return None
    wanted = {"integer": int, "boolean": bool, "json": object}.get(kind, str)
    if not isinstance(value, wanted) or (kind == "integer" and isinstance(value, bool)):
        return {int: "a JSON number", bool: "true or false"}.get(wanted, "text") + ", like the variable"
    if kind == "json" or (kind == "enum" and (not isinstance(values, list) or BAD in values)):
        return None
    return misfit(kind, default_text(kind, value), values)


def _variable_rules(source: Source) -> Iterator[Broken]:
    """R15 and R16."""
    shared: set[str] = set()
    named: list[tuple[str, Path, str]] = [(name, ("config", name), "key") for name, _ in items(source, "config")]
    for key, declared in items(source, "data"):
        if isinstance(declared, dict) and isinstance(declared.get("env"), str):
            named.append((declared["env"], ("data", key, "env"), "value"))
    count = len(named)
    for _, entry, path in entries_of(source):
        named += [(name, (*path, "env", name), "key") for name, _ in items(entry, "env")]
    for index, (name, path, target) in enumerate(named):
        # A name that is none was reported as that.
        if not _VARIABLE.fullmatch(name):
            continue
        if _OBEYED.fullmatch(name):
            yield Broken("R15", path, target, "a variable must not be one that runtimes obey", name)
        if name in shared:
            yield Broken("R16", path, target, "a variable must be set in one place", name)
        # Two entries may set one variable, each for itself.
        if index < count:
            shared.add(name)


def _data_rule(source: Source) -> Iterator[Broken]:
    """R17. A data folder is linked to a place outside: what else lay in it would be hidden, or writable code."""
    named = [path for path in paths_of(source) if _is_plain(path.value)]
    folders = {collision_key(path.value): path for path in named if path.want == "data"}
    for path in named:
        key = collision_key(path.value)
        for above in [*folders_above(key), key]:
            data = folders.get(above)
            if data is None or data is path:
                continue
            expected = "a data folder must hold nothing else that the manifest names"
            yield Broken("R17", data.path, "value", expected, path.value)
            del folders[above]


def _command_rules(source: Source) -> Iterator[Broken]:
    """R18 and R19."""
    known = {"node", "python"}
    known |= {f"{key}.{name}" for key in ("data", "config") for name, _ in items(source, key)}
    # Where the declarations could not be read, no name can be called unknown.
    unsure = tuple(f"{key}." for key in ("data", "config") if isinstance(source.get(key), Bad))
    for run, path in commands_of(source):
        for index, argument in enumerate(run):
            for name in _PLACEHOLDER.findall(argument) if isinstance(argument, str) else ():
                if name not in known and not (unsure and name.startswith(unsure)):
                    yield Broken("R18", (*path, index), "value", _PLACEHOLDERS, "{" + name + "}")
    for name, process in items(source, "processes"):
        if isinstance(process, dict) and "count" in process and "every" in process:
            expected = '"count" and "every" exclude each other'
            yield Broken("R19", ("processes", name, "every"), "key", expected, "both")


def _duration_rule(source: Source) -> Iterator[Broken]:
    """R20. Seven days fit a timer of any runtime; a year is what caches keep at most."""
    for text, path, days in durations_of(source):
        if milliseconds(text) > days * DAY:
            yield Broken("R20", path, "value", f"a duration must be at most {days}d here", text)


def _path_rule(source: Source) -> Iterator[Broken]:
    """R21."""
    expected = "a path inside the archive"
    for named in paths_of(source):
        if _RESERVED.match(named.value) or not _is_plain(named.value):
            yield Broken("R21", named.path, "value", expected, named.value, "MANIFEST_PATH")
    welcome = source.get("welcome")
    for index, name in enumerate(welcome if isinstance(welcome, list) else ()):
        if isinstance(name, str) and ("/" in name or not _is_plain(name)):
            yield Broken("R21", ("welcome", index), "value", expected, name, "MANIFEST_PATH")


def _worker_rule(source: Source) -> Iterator[Broken]:
    """R23."""
    workers = source.get("workers")
    server = workers.get("server", BAD) if isinstance(workers, dict) else BAD
    types = _types_of(source)
    if isinstance(server, Bad) or types is None:
        return
    wanted = "wsgi" if server == "gunicorn" else "asgi"
    # An entry that was refused may be of the type.
    if wanted not in types and BAD not in types:
        expected = f'a server must be one for an entry that there is, {server} for "{wanted}"'
        yield Broken("R23", ("workers", "server"), "value", expected, server)


def _types_of(source: Source) -> Optional[list[Any]]:
    entries = source.get("entries", {})
    if isinstance(entries, Bad):
        return None
    found = [*entries.values(), *([source["entry"]] if "entry" in source else [])]
    return [entry.get("type", BAD) if isinstance(entry, dict) else BAD for entry in found]


def _is_plain(value: str) -> bool:
    return not value.endswith("/") and not isinstance(judge_path(value), Finding)


