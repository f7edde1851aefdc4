from __future__ import annotations

import array
import json
import os
import select
import socket
from collections import deque
from contextlib import suppress
from typing import Any, Callable, Deque, Optional, Tuple

_READ = 64 * 1024
#: Descriptors that may come with one read. Node sends one with a message.
_MAX_DESCRIPTORS = 16
#: Seconds for the parent to read what is said to it.
_PATIENCE = 10.0

Message = dict[str, Any]


class Channel:
    """
    The other end of Node's IPC channel (``stdio: 'ipc'``, serialization json): a JSON object on each line, and sockets
    beside them. Node does not document this for other languages; a test holds it for each of its versions.
    """

    def __init__(self, descriptor: int):
        self._socket = socket.socket(fileno=descriptor)
        # What the app starts must not have it: the parent would not see this process end.
        self._socket.set_inheritable(False)
        self._socket.setblocking(False)
        self._rest = b""
        self._descriptors: Deque[int] = deque()
        self._returns: Deque[Tuple[socket.socket, Message]] = deque()
        self._sent: Optional[socket.socket] = None
        #: Called with each message, and the socket that came with it.
        self.on_message: Callable[[Message, Optional[socket.socket]], None] = lambda message, sock: None
        #: The parent has gone.
        self.has_ended = False
        #: Called once, when it has.
        self.on_end: Callable[[], None] = lambda: None

    @property
    def descriptor(self) -> int:
        return self._socket.fileno()

    @property
    def is_returning(self) -> bool:
        """A socket that was given back has not arrived yet. Where the parent has gone, none will."""
        return self._sent is not None and not self.has_ended

    def say(self, message: Message) -> None:
        """Nothing, where the parent has gone."""
        self._send(_line(message), None)

    def give_back(self, sock: socket.socket, message: Message) -> None:
        """Hands a socket to the parent. One at a time: the next one when that has arrived."""
        self._returns.append((sock, message))
        if self._sent is None:
            self._return_next()

    def receive(self) -> None:
        """Reads what has come; to be called when the descriptor is readable."""
        try:
            data, ancillary, _, _ = self._socket.recvmsg(_READ, socket.CMSG_SPACE(_MAX_DESCRIPTORS * 4), _CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, ancillary = b"", []
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                self._descriptors.extend(numbers)
        if not data:
            self.has_ended = True
            self.on_end()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, message: Message) -> None:
        command = message.get("cmd") if isinstance(message, dict) else None
        if command == "NODE_HANDLE":
            self._socket_came(message)
        elif command == "NODE_HANDLE_ACK":
            self._returned()
        elif command is None:
            self.on_message(message, None)

    def _socket_came(self, message: Message) -> None:
        if not self._descriptors:
            # This process had no descriptor left: the parent sends it once more.
            self._send(_line({"cmd": "NODE_HANDLE_NACK"}), None)
            return
        descriptor = self._descriptors.popleft()
        self._send(_ACK, None)
        self.on_message(message.get("msg") or {}, socket.socket(fileno=descriptor))

    def _return_next(self) -> None:
        if not self._returns:
            return
        sock, message = self._returns.popleft()
        self._sent = sock
        wrapped = {"cmd": "NODE_HANDLE", "type": "net.Socket", "msg": message}
        if not self._send(_line(wrapped), sock):
            self._returned()

    def _returned(self) -> None:
        if self._sent is not None:
            self._sent.close()
            self._sent = None
        self._return_next()

    def _send(self, data: bytes, sock: Optional[socket.socket]) -> bool:
        """:returns: False, if the parent has gone, or does not read"""
        extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))] if sock else []
        length = len(data)
        while data:
            try:
                count = self._socket.sendmsg([data], extra)
            except BlockingIOError:
                if not select.select([], [self._socket], [], _PATIENCE)[1]:
                    if len(data) < length:
                        # Whatever followed half a line would be no message: receive() finds the end, and says so.
                        with suppress(OSError):
                            self._socket.shutdown(socket.SHUT_RDWR)
                    return False
                continue
            except OSError:
                return False
            data = data[count:]
            extra = []
        return True


def _line(message: Message) -> bytes:
    return json.dumps(message).encode("ascii") + b"\n"


#: For each socket that comes.
_ACK = _line({"cmd": "NODE_HANDLE_ACK"})
#: Descriptors that come are not for programs that the app starts.
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def open_channel() -> Optional[Channel]:
    """The channel that Node has told of in the environment, which then tells of it no more."""
    descriptor = os.environ.pop("NODE_CHANNEL_FD", None)
    os.environ.pop("NODE_CHANNEL_SERIALIZATION_MODE", None)
    return Channel(int(descriptor)) if descriptor else None
