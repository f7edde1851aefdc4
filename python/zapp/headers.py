"""Header fields that static answers have. FORMAT.md §Static answers."""

from __future__ import annotations

from typing import Any, Sequence
from urllib.parse import quote

from .tables import table

Header = tuple[str, str]

#: No sniffing: the type is what the table says, whatever the bytes look like.
NOSNIFF: Header = ("X-Content-Type-Options", "nosniff")
NO_STORE: Header = ("Cache-Control", "no-store")


def cache_control(rule: Any) -> Header:
    """Without a rule ``no-cache``: a browser may keep the file but asks each time, and the ETag makes that a 304."""
    if rule is None:
        return "Cache-Control", "no-cache"
    if rule == "no-store":
        return NO_STORE
    if rule == "immutable":
        return "Cache-Control", "public, max-age=31536000, immutable"
    return "Cache-Control", f"public, max-age={rule}"


def soft_cache_control(rule: Any) -> Header:
    """For what a route answers besides its files: that changes with a deploy, so it must not be frozen."""
    return cache_control(None if rule == "immutable" else rule)


def with_route_headers(ours: Sequence[Header], theirs: Sequence[Header]) -> list[Header]:
    """What the author wrote for the route replaces our field of the same name; Vary adds up."""
    named = {name.lower() for name, _ in theirs}
    vary = next((value for name, value in ours if name == "Vary"), None)
    kept = [header for header in ours if header[0].lower() not in named]
    return kept + [
        ("Vary", f"{vary}, {value}") if vary and name.lower() == "vary" else (name, value) for name, value in theirs
    ]


def add_missing(headers: Sequence[Header], extra: Sequence[Header]) -> list[Header]:
    """Adds fields where there is none of that name."""
    taken = {name.lower() for name, _ in headers}
    return [*headers, *(header for header in extra if header[0].lower() not in taken)]


def encode_path(path: str) -> str:
    """A key or prefix as URL text. The input is decoded, so nothing of it can end the path or begin a query."""
    return quote(path, safe="/-_.!~*'()")


def in_mount(path: str, mount: str) -> str:
    """A path of the app as URL text, with the mount in front; an address elsewhere stays as it is."""
    if path and not path.startswith("/"):
        return path
    return quote(mount, safe="".join(map(chr, range(0x21, 0x7F)))) + path


def media_type(path: str) -> tuple[str, bool]:
    """Type, and whether it pays to compress it. By the shipped table, never the system's."""
    types = table("media-types.json")
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    extension = name[dot + 1 :] if dot > 0 else ""
    # ASCII only: lower() of other letters may give ASCII ones.
    row = types["types"].get(extension.lower() if extension.isascii() else extension, types["default"])
    return row["type"], row["compressible"]


