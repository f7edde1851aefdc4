from __future__ import annotations

import json
import pkgutil
from functools import lru_cache
from typing import Any

_NAMES = ("casefold.json", "errors.json", "manifest.v1.schema.json", "media-types.json", "unicode13.json")


@lru_cache(maxsize=None)
def table(name: str) -> Any:
    """A table of schema/, by its file name. Works from a folder and from inside a zip."""
    data = pkgutil.get_data("zapp._tables", name)
    if data is None:
        raise RuntimeError(f"the package lacks its table {name}")
    return json.loads(data.decode("utf-8"))


def load_tables() -> None:
    """All of them now: for a loader whose own file may be replaced while it runs."""
    for name in _NAMES:
        table(name)
