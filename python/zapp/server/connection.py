from __future__ import annotations

import os
import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Optional

from .body import Body
from .head import Fields, RequestLine, is_sound, parse_fields, parse_line
from .limits import HEAD_TIMEOUT, KEEP_ALIVE, MAX_HEAD, MAX_TARGET, MIN_RATE, OUT_AHEAD, READ, STALL_TIMEOUT
from .refusal import Refusal

if TYPE_CHECKING:
    from .listener import Ends, Origin


class ClientGone(OSError):
    """The client has closed the connection, or takes nothing of what it asked for."""


class Connection:
    """
    One connection of a client, between the loop that waits for it and the thread that answers it.

        head ──> body ──> ready ──> running ──> (flushing) ──> (discarding) ──> head
                                       └──────> broken             └──────────> (lingering) ──> closed

    The loop owns it in every state but ``running``; then a thread does.
    """

    __slots__ = (
        "socket",
        "descriptor",
        "origin",
        "environ",
        "is_trusted",
        "buffer",
        "out",
        "state",
        "line",
        "fields",
        "body",
        "deadline",
        "has_input",
        "has_end",
        "is_ended",
        "closes",
        "keeps",
        "ends_body",
        "served",
        "discarded",
        "sent",
        "_block",
        "template",
        "request_id",
        "claim",
        "waited",
        "waits_since",
    )

    def __init__(self, sock: socket.socket, origin: "Origin", buffer: bytes, ends: "Ends"):
        self.socket = sock
        self.descriptor = sock.fileno()
        self.origin = origin
        self.environ: dict[str, Any] = origin.environ_of(sock, ends)
        #: Whether it may say who the client is.
        self.is_trusted = origin.is_trusted or self.environ["REMOTE_ADDR"] in origin.proxies
        self.buffer = buffer
        self.out: bytes | memoryview = b""
        self.state = "head"
        self.line: Optional[RequestLine] = None
        self.fields: Optional[Fields] = None
        self.body: Optional[Body] = None
        self.deadline = time.monotonic() + HEAD_TIMEOUT
        #: The poller has told of input that was not read yet.
        self.has_input = False
        #: It has told of the end, behind what is there to be read.
        self.has_end = False
        #: The client sends no more.
        self.is_ended = False
        #: It ends after the response that is under way.
        self.closes = False
        self.keeps = False
        #: The end of the connection is what tells the end of the body.
        self.ends_body = False
        self.served = 0
        self.discarded = 0
        self.sent = 0
        self._block: Optional[bytes] = None
        #: What environ begins with in each request that has the same fields as the last one: most have.
        self.template: Optional[dict[str, Any]] = None
        #: What the app is told as X-Request-Id, where nobody in front of us has said one.
        self.request_id = "-"
        #: Where requests have a time: whoever pops it first answers, the app or who has waited long enough for it.
        self.claim: Optional[list[None]] = None
        #: Seconds for which threads have waited for the client in this request, and since when one does.
        self.waited = 0.0
        self.waits_since = 0.0

    def parse(self) -> bool:
        """
        Takes a head off the buffer.

        :returns: whether there was a whole one
        :raises Refusal:
        """
        data = self.buffer
        if data[:2] == b"\r\n":
            # RFC 9112 §2.2: an empty line in front of a request is skipped.
            data = self.buffer = data[2:]
        end = data.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            self._refuse_early(data[: MAX_HEAD + 4])
            return False
        line_end = data.find(b"\r\n")
        line = self.line = parse_line(data[:line_end].decode("latin-1"))
        block = data[line_end + 2 : end]
        if block != self._block:
            if not is_sound(block):
                raise Refusal(400, "The head has control characters in it.")
            self._block = None
            self.fields = parse_fields(block.decode("latin-1"))
            self.template = None
            self._block = block
        fields = self.fields
        assert fields is not None
        if line.minor == 1:
            if fields.host is None:
                raise Refusal(400, "Host is missing or no host.")
            self.keeps = not fields.wants_close
        else:
            if fields.length < 0:
                raise Refusal(400, "HTTP/1.0 has no transfer codings.")
            self.keeps = fields.wants_keep_alive and not fields.wants_close
        self.buffer = data[end + 4 :]
        if fields.length:
            self.body = Body(self, fields.length, fields.expects_continue and line.minor == 1)
        else:
            self.body = None
        return True

    def _refuse_early(self, data: bytes) -> None:
        """What can be told of a head that is not complete."""
        line, end, _ = data.partition(b"\r\n")
        if len(line) > MAX_TARGET + 32:
            raise Refusal(414, "The address is too long.")
        if len(data) > MAX_HEAD:
            raise Refusal(431, "The header fields are larger than 16 KiB.")
        if data and not is_sound(data[:-1] if data.endswith(b"\r") else data):
            raise Refusal(400, "This is not an HTTP/1.1 request.")
        if end:
            parse_line(line.decode("latin-1"))

    def wait(self, for_input: bool) -> None:
        """Blocks this thread. :raises ClientGone: after STALL_TIMEOUT"""
        since = self.waits_since = time.monotonic()
        if hasattr(select, "poll"):
            poller = select.poll()
            poller.register(self.descriptor, select.POLLIN if for_input else select.POLLOUT)
            ready: Any = poller.poll(STALL_TIMEOUT * 1000)
        else:
            one, none = [self.socket], []  # type: ignore[var-annotated]
            ready = any(select.select(one if for_input else none, none if for_input else one, none, STALL_TIMEOUT))
        self.waits_since = 0.0
        self.waited += time.monotonic() - since
        if not ready:
            raise ClientGone("the client has stalled")

    def receive(self) -> None:
        """Adds to the buffer what the client sends next; blocks. :raises BodyError: when it sends no more"""
        while True:
            try:
                data = self.socket.recv(READ)
                break
            except BlockingIOError:
                try:
                    self.wait(True)
                except ClientGone:
                    raise Refusal(408, "The request did not arrive in time.") from None
            except OSError as error:
                raise ClientGone(str(error)) from error
        if not data:
            self.is_ended = True
            raise Refusal(400, "The request has ended too early.")
        self.buffer += data

    def send_continue(self) -> None:
        if not self.sent:
            # This is no answer yet.
            claim, self.claim = self.claim, None
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n", False)
            self.sent = 0
            self.claim = claim

    def send(self, data: bytes | memoryview, is_last: bool) -> None:
        """
        Blocks until the client has taken it. Of the last part, ``out`` keeps what it does not take at once.

        :raises ClientGone: also when it takes less than MIN_RATE
        """
        begun, before = 0.0, self.sent
        if self.claim is not None:
            if not self.may_answer():
                raise ClientGone("it has been answered that this took too long")
            self.claim = None
        while True:
            try:
                count = self.socket.send(data)
            except BlockingIOError:
                count = 0
            except OSError as error:
                raise ClientGone(str(error)) from error
            self.sent += count
            if count == len(data):
                return
            data = memoryview(data)[count:]
            if is_last and len(data) <= OUT_AHEAD:
                self.out = data
                return
            begun = begun or time.monotonic()
            self.wait(False)
            waited = time.monotonic() - begun
            if waited > STALL_TIMEOUT and self.sent - before < MIN_RATE * waited:
                raise ClientGone("the client takes too little")

    def may_answer(self) -> bool:
        """From any thread, once in each: whether it is this one that begins the response."""
        claim = self.claim
        try:
            # Two threads may be here at the same moment; the list knows one of them as the first.
            return claim is not None and claim.pop() is None
        except IndexError:
            return False

    def send_file(self, descriptor: int, position: int, count: int) -> None:
        """As :meth:`send`, by the system: the bytes never come into this process. It blocks. :raises ClientGone:"""
        while count > 0:
            try:
                sent = os.sendfile(self.descriptor, descriptor, position, count)
            except BlockingIOError:
                self.wait(False)
                continue
            except OSError as error:
                raise ClientGone(str(error)) from error
            if sent == 0:
                return
            position += sent
            count -= sent
            self.sent += sent

    def flush(self) -> bool:
        """Sends what waits, without blocking. :returns: whether nothing waits any more :raises ClientGone:"""
        while self.out:
            try:
                count = self.socket.send(self.out)
            except BlockingIOError:
                return False
            except OSError as error:
                raise ClientGone(str(error)) from error
            self.sent += count
            self.out = memoryview(self.out)[count:]
            self.deadline = time.monotonic() + STALL_TIMEOUT
        self.out = b""
        return True

    def next_request(self) -> None:
        self.state = "head"
        self.line = None
        self.body = None
        self.sent = 0
        self.waited = 0.0
        # Our own front ends its connections itself: a request may be on its way on one that is closed here.
        keep_alive = float("inf") if self.origin.is_trusted else KEEP_ALIVE
        self.deadline = time.monotonic() + (HEAD_TIMEOUT if self.buffer else keep_alive)

    def reset(self) -> None:
        """When it is closed, the client gets an error in the place of an end."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass

    def abort(self) -> None:
        """Ends it so that the client sees that something is missing. From any thread."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
