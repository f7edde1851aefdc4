from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Callable, Optional

from .wsgi import Environ, WsgiApp
from .wsgi_head import Head, checked_head


class WsgiReply(ABC):
    """
    The server's half of PEP 3333 for one request. Its answer goes through three states:

        nothing → head known (start_response) → head sent (with the first byte of the body, or at its end)
                    ↑_____| (start_response with exc_info)
    """

    def __init__(self, is_head: bool):
        self._is_head = is_head
        self._head: Optional[Head] = None
        #: Whether the head was sent: the status cannot be another one any more.
        self.is_started = False

    @abstractmethod
    def put(self, head: Optional[Head], data: bytes) -> None:
        """Sends: the head first and once, with data that may be empty."""

    def run(self, app: WsgiApp, environ: Environ) -> None:
        """Raises what the application does, what :meth:`put` does, and what the application has done wrong."""
        parts = app(environ, self._start)
        try:
            for part in parts:
                self._write(part)
            if self._head is None:
                raise RuntimeError("the application has never called start_response")
            if not self.is_started:
                self._put(b"")
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()

    def _start(self, status: str, headers: "list[tuple[str, str]]", exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info is not None:
            try:
                if self.is_started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._head is not None:
            raise RuntimeError("start_response was called a second time without exc_info")
        self._head = checked_head(status, headers)
        return self._write

    def _write(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise TypeError(f"the body must be of bytes, got {type(data).__name__}")
        if self._head is None:
            raise RuntimeError("the application has sent a body before it has called start_response")
        # The head waits for the first byte: until then the application may think otherwise.
        if data:
            self._put(b"" if self._is_head else data)

    def _put(self, data: bytes) -> None:
        head = None if self.is_started else self._head
        if head or data:
            self.is_started = True
            self.put(head, data)
