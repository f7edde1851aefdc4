from __future__ import annotations

import os
import stat
import threading
from typing import Iterator, Optional, Protocol, Union

from .errors import fail

CHUNK = 64 * 1024


class Source(Protocol):
    """Bytes that can be read anywhere, from several threads and processes at once."""

    size: int

    def read(self, position: int, length: int) -> bytes: ...

    def close(self) -> None: ...


class FileSource:
    def __init__(self, path: Union[str, "os.PathLike[str]"]):
        self.path = os.fspath(path)
        try:
            self._file = open(self.path, "rb", buffering=0)
        except FileNotFoundError:
            raise fail("NOT_FOUND", self.path, file=self.path) from None
        except IsADirectoryError:
            raise fail("NOT_A_FILE", self.path, file=self.path) from None
        except OSError as error:
            raise fail("IO", self.path, operation="open", reason=str(error)) from error
        found = os.fstat(self._file.fileno())
        if not stat.S_ISREG(found.st_mode):
            self._file.close()
            raise fail("NOT_A_FILE", self.path, file=self.path)
        self.size = found.st_size
        self._lock = threading.Lock()

    def read(self, position: int, length: int) -> bytes:
        """Exactly the bytes that are there: fewer than ``length`` at the end of the file only."""
        parts = []
        try:
            while length > 0:
                part = self._read(position, length)
                if not part:
                    break
                parts.append(part)
                position += len(part)
                length -= len(part)
        except OSError as error:
            raise fail("IO", self.path, operation="read", reason=str(error)) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, position: int, length: int) -> bytes:
        if hasattr(os, "pread"):
            # No shared position: threads and the children of a fork do not disturb each other.
            return os.pread(self._file.fileno(), length, position)
        with self._lock:
            self._file.seek(position)
            return self._file.read(length) or b""

    def close(self) -> None:
        self._file.close()


class BytesSource:
    def __init__(self, data: bytes):
        self._data = data
        self.size = len(data)

    def read(self, position: int, length: int) -> bytes:
        return self._data[position : position + length]

    def close(self) -> None:
        pass


def chunks(source: Source, start: int, end: int) -> Iterator[bytes]:
    """Bytes ``start`` to ``end``, exclusive."""
    while start < end:
        part = source.read(start, min(CHUNK, end - start))
        if not part:
            raise fail("IO", "", operation="read", reason="the file has become shorter")
        yield part
        start += len(part)


def to_source(given: Union[str, bytes, "os.PathLike[str]"]) -> Source:
    return BytesSource(given) if isinstance(given, bytes) else FileSource(given)


def path_of(given: Union[str, bytes, "os.PathLike[str]"]) -> Optional[str]:
    return None if isinstance(given, bytes) else os.fspath(given)
