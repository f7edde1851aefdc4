"""Reads zapp.json: JSON (rules J), shape (rules M), rules between keys (R1 to R21), and whether paths exist (R22)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional

from .errors import Finding, finding
from .limits import DEFAULT_LIMITS
from .manifest_places import entries_of, paths_of
from .manifest_rules import Broken, check_rules
from .pattern import Pattern, parse_pattern
from .schema import Misshape, check_shape, without
from .strict_json import Parsed, Path, parse_json
from .values import default_text, milliseconds

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Route:
    pattern: Pattern
    #: entry, static or redirect.
    kind: str
    #: The entry point's name, the folder or file, or where to.
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    #: None, "immutable", "no-store", or seconds.
    cache: Any = None
    strip: bool = False
    unpack: bool = True
    websocket: bool = False
    status: int = 308
    else_entry: Optional[str] = None
    else_file: Optional[str] = None


@dataclass(frozen=True)
class ConfigVar:
    name: str
    type: str
    required: bool
    secret: bool
    default: Optional[str]
    values: tuple[str, ...]
    description: Optional[str]


@dataclass(frozen=True)
class Manifest:
    """What the author wrote, with the shorthand written out and defaults filled in."""

    #: As it was written.
    source: Json
    name: str
    version: str
    #: By name; as written, without defaults.
    entries: Mapping[str, Json]
    routes: tuple[Route, ...]
    config: Mapping[str, ConfigVar]
    #: Key to path and variable.
    data: Mapping[str, Json]
    welcome: tuple[str, ...]
    errors: Mapping[str, str]
    base: str = "any"
    executable: tuple[str, ...] = ()


@dataclass
class ParsedManifest:
    findings: list[Finding]
    text: str
    #: Present where nothing was found.
    manifest: Optional[Manifest] = None
    json: Parsed = field(default_factory=lambda: Parsed([]))


def parse_manifest(
    data: bytes, max_bytes: int = DEFAULT_LIMITS.manifest_bytes, file: str = "zapp.json"
) -> ParsedManifest:
    """Never raises. All that is wrong is reported at once, in the order of FORMAT.md §Manifest."""
    parsed = parse_json(data, max_bytes, file)
    if not parsed.is_read:
        return ParsedManifest(parsed.findings, parsed.text, None, parsed)
    misshapes = list(check_shape(parsed.value))
    missing = [m for m in misshapes if m.code == "MANIFEST_REQUIRED"]
    others = [m for m in misshapes if m.code != "MANIFEST_REQUIRED"]
    loose = without(parsed.value, misshapes)
    broken = list(check_rules(loose)) if isinstance(loose, dict) else []
    findings = [
        *_by_place(parsed.findings + _placed(parsed, file, [_misshape(m) for m in others])),
        *_by_place(_placed(parsed, file, [_misshape(m) for m in missing] + broken)),
    ]
    manifest = None if findings else _normalized(parsed.value)
    return ParsedManifest(findings, parsed.text, manifest, parsed)


def check_paths(
    parsed: ParsedManifest, kind_of: Callable[[str], Optional[str]], file: str = "zapp.json"
) -> list[Finding]:
    """
    R22: every path of the manifest is an entry of the archive, byte for byte.

    :param kind_of: what the archive holds under a path without a slash at the end: "file", "folder" or None
    """
    assert parsed.manifest is not None
    wrong = []
    for named in paths_of(dict(parsed.manifest.source)):
        found = kind_of(named.value)
        if found == ("file" if named.want == "file" else "folder") or (found is None and named.want == "data"):
            continue
        wrong.append(Broken("R22", named.path, "value", "an entry of the archive", named.value, "MANIFEST_PATH"))
    return _by_place(_placed(parsed.json, file, wrong))


def _misshape(found: Misshape) -> Broken:
    return Broken("", found.path, found.target, found.expected, found.got, found.code)


def _placed(parsed: Parsed, file: str, broken: list[Broken]) -> list[Finding]:
    findings = []
    for rule, path, target, expected, got, code in broken:
        args: dict[str, Any] = {"key": _key_text(path), "expected": expected, "got": _got_text(got), "hint": ""}
        if code == "MANIFEST_UNKNOWN_KEY":
            args["key"] = got
        if rule:
            args["rule"] = rule
        findings.append(parsed.place(finding(code, file, **args), path, target))
    return findings


def _by_place(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda found: (found.line, found.column))


def _key_text(path: Path) -> str:
    """``routes['/assets/*'].static``; the file itself is "the manifest"."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if step.isidentifier() and step.isascii() else f"['{step}']"
    return text.lstrip(".") or "the manifest"


def _got_text(got: Any) -> Any:
    if got is None:
        return "nothing"
    if isinstance(got, dict):
        return "an object"
    if isinstance(got, list):
        return "an array"
    return got if not isinstance(got, str) or len(got) <= 80 else got[:80] + "…"


def _normalized(source: dict[str, Any]) -> Manifest:
    routes = dict(source.get("routes", {}))
    if "entry" in source and not _names_main(routes):
        routes["/"] = {**routes["/"], "else": {"entry": "main"}} if "/" in routes else {"entry": "main"}
    return Manifest(
        source=source,
        name=source["name"],
        version=source["version"],
        entries={name: entry for name, entry, _ in entries_of(source)},
        routes=tuple(_route(pattern, route) for pattern, route in routes.items()),
        config={name: _config(name, declared) for name, declared in source.get("config", {}).items()},
        data=source.get("data", {}),
        welcome=tuple(source.get("welcome", ["index.html"])),
        errors=source.get("errors", {}),
        base=source.get("base", "any"),
        executable=tuple(source.get("executable", ())),
    )


def _names_main(routes: Json) -> bool:
    return any("main" in (route.get("entry"), route.get("else", {}).get("entry")) for route in routes.values())


def _route(text: str, route: Json) -> Route:
    pattern = parse_pattern(text)
    assert pattern is not None, "rule R3 was checked"
    kind = next(key for key in ("entry", "static", "redirect") if key in route)
    redirect = route.get("redirect", {})
    cache = route.get("cache")
    return Route(
        pattern=pattern,
        kind=kind,
        target=redirect["to"] if kind == "redirect" else route[kind],
        headers=tuple(route.get("headers", {}).items()),
        cache=cache if cache in (None, "immutable", "no-store") else milliseconds(cache) // 1000,
        strip=route.get("strip", False),
        websocket=route.get("websocket", False),
        unpack=route.get("unpack", True),
        status=redirect.get("status", 308),
        else_entry=route.get("else", {}).get("entry"),
        else_file=route.get("else", {}).get("file"),
    )


def _config(name: str, declared: Json) -> ConfigVar:
    kind = declared["type"]
    return ConfigVar(
        name=name,
        type=kind,
        required=declared.get("required", False),
        secret=declared.get("secret", False),
        default=default_text(kind, declared["default"]) if "default" in declared else None,
        values=tuple(declared.get("values", ())),
        description=declared.get("description"),
    )
