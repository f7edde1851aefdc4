from __future__ import annotations

import os
import stat
from typing import Any, Iterator, Optional, Tuple


class FileWrapper:
    """``wsgi.file_wrapper`` of PEP 3333: read in blocks, or sent by the system where it is a file."""

    def __init__(self, file: Any, block_size: int = 64 * 1024):
        self.file = file
        self.block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        while True:
            data = self.file.read(self.block_size)
            if not data:
                return
            yield data

    def descriptor(self) -> Optional[Tuple[int, int, int]]:
        """Descriptor, position and bytes from there to the end; None, if it is no plain file."""
        try:
            descriptor = self.file.fileno()
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or "b" not in getattr(self.file, "mode", "b"):
                return None
            position = self.file.tell()
        except (AttributeError, OSError, ValueError):
            return None
        return descriptor, position, max(found.st_size - position, 0)
