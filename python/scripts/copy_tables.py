"""Copies the tables that both loaders share from schema/ into the package. With --check: says which copy is stale."""

from __future__ import annotations

import sys
from pathlib import Path

TABLES = ("casefold.json", "errors.json", "manifest.v1.schema.json", "media-types.json", "unicode13.json")
PYTHON = Path(__file__).resolve().parent.parent
SOURCE = PYTHON.parent / "schema"
TARGET = PYTHON / "zapp" / "_tables"


def main(args: list[str]) -> int:
    stale = [name for name in TABLES if not same(name)]
    if args == ["--check"]:
        for name in stale:
            print(f"{name}: run python3 python/scripts/copy_tables.py", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (TARGET / name).write_bytes((SOURCE / name).read_bytes())
    return 0


def same(name: str) -> bool:
    target = TARGET / name
    return target.exists() and target.read_bytes() == (SOURCE / name).read_bytes()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
