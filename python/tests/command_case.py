from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import zapp

#: Of processes that import this package.
ENV = {**os.environ, "PYTHONPATH": str(Path(zapp.__file__).parent.parent)}


def run(*args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "zapp", *args], env=ENV, capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Ends a server, also where a test fails."""
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)
