"""Chooses the coding of a file. FORMAT.md §Codings."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Mapping, Optional

_MEMBER = re.compile(
    r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?", re.IGNORECASE | re.ASCII
)
#: Identity that nobody named: acceptable, but behind every coding that was asked for.
_LEAST = 1e-9


def choose_coding(field: Optional[str], offered: Mapping[str, object]) -> str:
    """br, gzip or identity, which is always there, even where the client refuses it."""
    weights = _weights(field)
    br = weights["br"] if "br" in offered else 0.0
    gzip = weights["gzip"] if "gzip" in offered else 0.0
    identity = weights["identity"]
    if br > 0 and br >= gzip and br >= identity:
        return "br"
    return "gzip" if gzip > 0 and gzip >= identity else "identity"


@lru_cache(maxsize=64)
def _weights(field: Optional[str]) -> dict[str, float]:
    if field is None:
        # Everything would be acceptable by the letter, but clients that say nothing cannot decode.
        return {"br": 0.0, "gzip": 0.0, "identity": 1.0}
    named: dict[str, float] = {}
    for member in field.split(","):
        match = _MEMBER.fullmatch(member)
        if match:
            name = match.group(1).lower()
            weight = match.group(2)
            named["gzip" if name == "x-gzip" else name] = 1.0 if weight is None else float(weight)
    rest = named.get("*", 0.0)
    identity = named.get("identity", rest if "*" in named else _LEAST)
    return {"br": named.get("br", rest), "gzip": named.get("gzip", rest), "identity": identity}
