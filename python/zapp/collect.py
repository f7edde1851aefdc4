from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Mapping, NamedTuple

from .cache_layout import CacheLayout, fcntl
from .tree_use import last_used, without_users

#: Bytes that run trees may take before those that were not used for longest go.
BUDGET = 4 * 2**30


class _Tree(NamedTuple):
    name: str
    #: Of its own copies.
    bytes: int
    #: Sizes by name.
    blobs: Mapping[str, int]


def collect(layout: CacheLayout, budget: int = BUDGET) -> None:
    """
    Removes the trees that were not used for longest, never one in use, until what the rest holds fits the budget; then
    the blobs that no tree names. The caller holds the lock of the cache, so that nobody builds meanwhile.
    """
    if fcntl is None:
        return
    kept = {name: _read(layout, name) for name in os.listdir(layout.trees)}
    temp = tempfile.mkdtemp(dir=layout.temp)
    try:
        for name in sorted(kept, key=lambda name: last_used(layout, name)):
            if _usage(kept) <= budget:
                break
            source, target = os.path.join(layout.trees, name), os.path.join(temp, name)
            if without_users(layout, name, lambda: os.rename(source, target)):  # noqa: B023
                del kept[name]
        named = {blob for tree in kept.values() for blob in tree.blobs}
        for blob in os.listdir(layout.blobs):
            if blob not in named:
                os.unlink(os.path.join(layout.blobs, blob))
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def _usage(trees: Mapping[str, _Tree]) -> int:
    """Bytes that trees hold: shared content once, copies each."""
    blobs = {name: size for tree in trees.values() for name, size in tree.blobs.items()}
    return sum(blobs.values()) + sum(tree.bytes for tree in trees.values())


def _read(layout: CacheLayout, name: str) -> _Tree:
    with open(os.path.join(layout.trees, name, "tree.json"), encoding="utf-8") as stream:
        record = json.load(stream)
    return _Tree(name, record["bytes"], record["blobs"])
