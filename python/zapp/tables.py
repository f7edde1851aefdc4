from __future__ import annotations

import json
import pkgutil
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=None)
def table(name: str) -> Any:
    """A table of schema/, by its file name. Works from a folder and from inside a zip."""
    data = pkgutil.get_data("zapp._tables", name)
    if data is None:
        raise RuntimeError(f"the package lacks its table {name}")
    return json.loads(data.decode("utf-8"))
