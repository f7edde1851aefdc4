from __future__ import annotations

import sys
import time
import traceback
from typing import Any, Callable, Optional

from .access_log import AccessLog
from .connection import ClientGone, Connection
from .environ import request_environ
from .refusal import Refusal, refusal_response
from .response import Response

WsgiApp = Callable[..., Any]


class Responder:
    """Calls the app for one request after the other, from any thread, and answers in its place where it does not."""

    def __init__(
        self, app: WsgiApp, name: str, mount: str, *, strip: Optional[str] = None, log: Optional[AccessLog] = None
    ):
        """
        :param name: of the app, for messages
        :param mount: for the access log
        :param strip: see :func:`request_environ`
        """
        self._app = app
        self._name = name
        self._mount = mount or "/"
        self._strip = strip
        self.log = log
        self.served = 0

    def respond(self, connection: Connection) -> None:
        """Never raises. The state is ``running`` afterwards, or ``broken``."""
        connection.state = "running"
        started = time.time() if self.log else 0.0
        self.served += 1
        if connection.origin.is_ending:
            connection.closes = True
        line = connection.line
        assert line is not None
        response = Response(connection, line.method == "HEAD")
        result: Any = None
        try:
            result = self._app(request_environ(connection, self._strip), response.start)
            response.send_all(result)
        except BaseException as error:
            self._failed(connection, response, error)
        finally:
            if type(result) is not list:
                self._close(connection, result)
        if response.excess:
            self._tell_of(connection, f"the body is {response.excess} bytes longer than its Content-Length")
        # Else it was answered, and logged, from outside.
        if self.log and connection.claim != []:
            self.log.add(connection, response.status, started, self._mount)

    def end_late(self, connection: Connection, seconds: float) -> None:
        """From another thread than that which is in the app: what this still says goes nowhere."""
        if connection.may_answer():
            line = connection.line
            refusal = Refusal(504, "The app did not answer in time.")
            try:
                connection.socket.send(refusal_response(refusal, is_head=line is not None and line.method == "HEAD"))
            except OSError:
                pass
            if self.log:
                self.log.add(connection, 504, time.time() - seconds, self._mount)
        connection.abort()

    def refuse(self, connection: Connection, refusal: Refusal) -> None:
        """Answers what no app gets to see. Of what was no request there may be no line."""
        started = time.time()
        self._refuse(connection, refusal)
        if self.log:
            self.log.add(connection, refusal.status, started, "-")

    def flush_log(self, is_last: bool = False) -> Optional[float]:
        """:returns: see :class:`AccessLog`"""
        return self.log.flush(is_last) if self.log else None

    def _refuse(self, connection: Connection, refusal: Refusal) -> None:
        method = connection.line.method if connection.line else ""
        connection.closes = True
        try:
            connection.send(refusal_response(refusal, is_head=method == "HEAD"), True)
        except ClientGone:
            connection.state = "broken"

    def _failed(self, connection: Connection, response: Response, error: BaseException) -> None:
        body_error = connection.body.error if connection.body else None
        if isinstance(error, ClientGone):
            connection.state = "broken"
            return
        refusal = error if isinstance(error, Refusal) else body_error
        if refusal is None:
            self._tell_of(connection, f"{type(error).__name__}: {error}", error)
            refusal = Refusal(500, "The app has failed.")
        if response.is_started:
            # The loop ends it: half of an answer must not look like a whole one.
            connection.state = "broken"
            return
        response.status = refusal.status
        self._refuse(connection, refusal)

    def _close(self, connection: Connection, result: Any) -> None:
        close = getattr(result, "close", None)
        if close is None:
            return
        try:
            close()
        except BaseException as error:
            self._tell_of(connection, f"close(): {type(error).__name__}: {error}", error)

    def _tell_of(self, connection: Connection, what: str, error: Optional[BaseException] = None) -> None:
        """For the app's author: not through logging, which is the app's to configure."""
        line = connection.line
        where = f"{line.method} {ascii(line.target)[1:-1]}" if line else "-"
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__)) if error else ""
        self.tell(f"{where}: {what}\n{trace}".rstrip())

    def tell(self, what: str) -> None:
        sys.stderr.write(f"{self._name}: {what}\n")
        sys.stderr.flush()
