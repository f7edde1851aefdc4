"""
One request of CGI/1.1 (RFC 3875) for a WSGI application: the request from the environment and stdin, the answer, and
nothing else, on stdout.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from typing import Any, BinaryIO, Callable, Optional
from wsgiref.util import guess_scheme

from .mount import text_error
from .wsgi import Environ, WsgiApp
from .wsgi_head import Head
from .wsgi_reply import WsgiReply

#: RFC 3875 §4.1, and what Apache adds of the request.
_META = re.compile(
    "(?:AUTH_TYPE|CONTENT_(?:LENGTH|TYPE)|CONTEXT_(?:DOCUMENT_ROOT|PREFIX)|DOCUMENT_(?:ROOT|URI)|GATEWAY_INTERFACE"
    "|HTTPS|HTTP_.*|PATH_INFO|PATH_TRANSLATED|QUERY_STRING|REDIRECT_.*|REMOTE_.*|REQUEST_.*|SCRIPT_.*|SERVER_.*|SSL_.*)",
    re.DOTALL,
)
_LENGTH = re.compile("[0-9]{1,18}")

_log = logging.getLogger("zapp")


class CgiRequest:
    """
    Takes stdin and stdout away from the process: what is printed by accident goes to stderr, which is the server's log,
    and nothing but the application reads the body. Takes the meta-variables out of ``os.environ`` too, since a client
    writes most of them: the ``config`` of an app must not come from a request.
    """

    def __init__(self) -> None:
        self._stdin = os.fdopen(os.dup(0), "rb", buffering=0)
        # Not buffered: what is left in a buffer when the client has gone would be complained about at exit.
        self._stdout = os.fdopen(os.dup(1), "wb", buffering=0)
        with open(os.devnull, "rb") as null:
            os.dup2(null.fileno(), 0)
        os.dup2(2, 1)
        self._variables = {name: _latin1(value) for name, value in os.environ.items()}
        self._body = _Body(self._stdin, self._length)
        for name in [name for name in os.environ if _META.fullmatch(name)]:
            del os.environ[name]

    def __enter__(self) -> "CgiRequest":
        return self

    def __exit__(self, *_: object) -> None:
        self._drain()
        self._stdin.close()
        self._stdout.close()

    @property
    def script_name(self) -> str:
        return self._variables.get("SCRIPT_NAME", "").rstrip("/")

    def answer(self, app: WsgiApp, mount: Optional[str] = None) -> bool:
        """
        :param mount: what stands for the SCRIPT_NAME of the server, where that is not the path that clients see
        :returns: False where it was a 500 of ours, or broke off; the log says why
        """
        if not _LENGTH.fullmatch(self._variables.get("CONTENT_LENGTH") or "0"):
            return self._fail(400)
        reply = _Reply(self._stdout, self._is_head)
        try:
            reply.run(app, self._environ(mount))
        except (Exception, SystemExit) as error:
            if isinstance(error, OSError) and error is reply.gone:
                # The client has gone; the server has closed the pipe. No one is left to be told.
                return True
            _log.exception("%s %s", self._variables.get("REQUEST_METHOD"), self._variables.get("REQUEST_URI"))
            return False if reply.is_started else self._fail(500)
        return True

    def fail(self) -> None:
        """500, for a request that no application could be loaded for."""
        self._fail(500)

    def _drain(self) -> None:
        """
        Reads what the application has left of the body: where stdin is a socket, as with Apache's mod_cgid, ending before
        would reset the connection, and the answer would be lost with it.
        """
        # Another object, as the application may have closed what it read from.
        body = _Body(self._stdin, self._body.left)
        try:
            while body.read(65536):
                pass
        except OSError:
            pass

    def _fail(self, status: int) -> bool:
        page = text_error(status, "HEAD" if self._is_head else "GET")
        reply = _Reply(self._stdout, self._is_head)
        try:
            reply.run(lambda environ, start: _page(page, start), {})
        except OSError as error:
            if error is not reply.gone:
                raise
        return False

    @property
    def _length(self) -> Optional[int]:
        """Of the body; None: up to the end of stdin."""
        length = self._variables.get("CONTENT_LENGTH", "")
        if length:
            return int(length) if _LENGTH.fullmatch(length) else 0
        # Apache decodes a chunked body and tells no length of it.
        return None if self._variables.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked" else 0

    @property
    def _is_head(self) -> bool:
        return self._variables.get("REQUEST_METHOD") == "HEAD"

    def _environ(self, mount: Optional[str]) -> Environ:
        environ: Environ = dict(self._variables)
        # It would name a proxy for the app's own requests (httpoxy, CVE-2016-5385).
        environ.pop("HTTP_PROXY", None)
        environ["SCRIPT_NAME"] = self.script_name if mount is None else mount
        environ.setdefault("PATH_INFO", "")
        environ.setdefault("QUERY_STRING", "")
        return {
            **environ,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": guess_scheme(environ),
            "wsgi.input": io.BufferedReader(self._body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": True,
        }


def _page(page: Any, start: Callable[..., Any]) -> Any:
    start(page.status_line, list(page.headers))
    return page.body or []


class _Reply(WsgiReply):
    """The answer as that of a CGI script (RFC 3875 §6)."""

    def __init__(self, out: BinaryIO, is_head: bool):
        super().__init__(is_head)
        self._out = out
        #: The error of a client that has gone.
        self.gone: Optional[OSError] = None

    def put(self, head: Optional[Head], data: bytes) -> None:
        if head is not None:
            lines = [f"Status: {head.status}", *(f"{name}: {value}" for name, value in head.headers), "", ""]
            data = "\r\n".join(lines).encode("latin-1") + data
        left = memoryview(data)
        try:
            while left:
                left = left[self._out.write(left) :]
        except OSError as error:
            self.gone = error
            raise


class _Body(io.RawIOBase):
    """Stdin up to the length of the body; a script must not read beyond (RFC 3875 §4.2)."""

    def __init__(self, stdin: BinaryIO, length: Optional[int]):
        self._stdin = stdin
        #: Bytes that are not read yet; None: not known.
        self.left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer) if self.left is None else min(len(buffer), self.left)
        data = self._stdin.read(size) if size else b""
        buffer[: len(data)] = data
        if self.left is not None:
            self.left -= len(data)
        return len(data)


def _latin1(value: str) -> str:
    """A character for each byte, as PEP 3333 wants them; os.environ has decoded them by the locale."""
    return os.fsencode(value).decode("latin-1")
