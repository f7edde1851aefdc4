from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Optional

from .chunked import ChunkedDecoder
from .limits import BODY_AHEAD, MAX_DISCARD, MIN_RATE, STALL_TIMEOUT
from .refusal import Refusal

if TYPE_CHECKING:
    from .connection import Connection


class BodyError(OSError):
    """What an app gets that reads a body that is none, or whose client has gone."""

    def __init__(self, refusal: Refusal):
        super().__init__(refusal.text)
        self.refusal = refusal


class Body(io.RawIOBase):
    """
    The body of one request: what has arrived of it already, then what its connection brings. Past its end there is
    nothing, whatever follows on the connection.
    """

    def __init__(self, connection: "Connection", length: int, expects_continue: bool):
        self._connection = connection
        #: Bytes that have not been taken off the connection yet; 0 with a decoder that is done.
        self._left = length
        self._decoder: Optional[ChunkedDecoder] = ChunkedDecoder() if length < 0 else None
        self._expects_continue = expects_continue
        self._data = b""
        #: Seconds that threads have waited for it, and bytes that came meanwhile.
        self._waited = 0.0
        self._came = 0
        self.error: Optional[Refusal] = None

    @property
    def has_arrived(self) -> bool:
        return self._decoder.is_done if self._decoder else self._left == 0

    def read_ahead(self) -> bool:
        """
        Takes what the connection holds.

        :returns: whether the app may begin to read: all of it is there, or enough, or the client waits for us
        :raises Refusal: 400
        """
        if self._expects_continue:
            return True
        self._take()
        return self.has_arrived or len(self._data) >= BODY_AHEAD

    def whole(self) -> Optional[bytes]:
        """All of it, where it has arrived and nothing of it has been read."""
        return self._data if self.has_arrived else None

    @property
    def may_be_discarded(self) -> bool:
        """Whether the rest comes without being asked for, and is not too much to be read for nothing."""
        return not self._expects_continue and self._left <= MAX_DISCARD

    def discard(self) -> int:
        """
        Drops what the connection holds of it.

        :returns: bytes
        :raises Refusal: 400
        """
        self._take()
        count = len(self._data)
        self._data = b""
        return count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        while not self._data and not self.has_arrived:
            if self.error:
                raise BodyError(self.error)
            try:
                self._more()
            except Refusal as error:
                self.error = error
                raise BodyError(error) from None
        count = min(len(buffer), len(self._data))
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        return count

    def _more(self) -> None:
        connection = self._connection
        if not connection.buffer:
            if self._expects_continue:
                self._expects_continue = False
                connection.send_continue()
            before = time.monotonic()
            connection.receive()
            self._waited += time.monotonic() - before
            self._came += len(connection.buffer)
            if self._waited > STALL_TIMEOUT and self._came < MIN_RATE * self._waited:
                raise Refusal(408, "The request did not arrive in time.")
        self._take()

    def _take(self) -> None:
        connection = self._connection
        data = connection.buffer
        if not data:
            return
        if self._decoder:
            part, connection.buffer = self._decoder.feed(data)
        else:
            part, connection.buffer = data[: self._left], data[self._left :]
            self._left -= len(part)
        self._data = self._data + part if self._data else part
