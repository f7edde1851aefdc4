from __future__ import annotations

import re
import sys
import time
from typing import Any, Callable, Protocol

from .connection import Connection

_UNSAFE = re.compile(r'[^\x20-\x7e]|["\\]')


class AccessLog(Protocol):
    def add(self, connection: Connection, status: int, started: float, app: str) -> None:
        """
        One request, or what a client sent in the place of one, is over. From any thread.

        :param started: seconds since 1970
        :param app: mount of the app that answered, ``-`` if none did
        """

    def flush(self) -> None: ...


class LineLog:
    """
    On stderr, as ``zapp serve`` writes it (src/host/access-log.ts):

        2026-01-31T12:00:00.000Z 127.0.0.1 "GET /shop/ HTTP/1.1" 200 5123 3.2ms /shop
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._second = 0
        self._text = ""

    def add(self, connection: Connection, status: int, started: float, app: str) -> None:
        line = connection.line
        words = "-"
        if line is not None:
            target = _UNSAFE.sub(lambda match: f"\\x{ord(match.group()):02x}", line.target)
            words = f"{line.method} {target} HTTP/1.{line.minor}"
        ms = (time.time() - started) * 1000
        end = " aborted" if connection.state == "broken" else ""
        peer, count = _peer(connection), _count(connection)
        self._lines.append(f'{self._time(started)} {peer} "{words}" {status} {count} {ms:.1f}ms {app}{end}\n')

    def flush(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, []
            sys.stderr.write("".join(lines))
            sys.stderr.flush()

    def _time(self, moment: float) -> str:
        whole = int(moment)
        if whole != self._second:
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
            self._second = whole
        return f"{self._text}.{int((moment - whole) * 1000):03d}Z"


class RecordLog:
    """For a host that writes the log of all its workers: what was answered on connections that it has handed over."""

    def __init__(self, send: Callable[[dict[str, list[Any]]], None]):
        """:param send: gets ``texts`` and ``records`` as src/host/workers/messages.ts has them"""
        self._send = send
        self._records: list[list[Any]] = []

    def add(self, connection: Connection, status: int, started: float, app: str) -> None:
        if not connection.origin.is_handed_over:
            return
        line = connection.line
        method, target, version = (line.method, line.target, f"1.{line.minor}") if line else ("-", "-", "-")
        micros = round((time.time() - started) * 1_000_000)
        is_broken, is_own = int(connection.state == "broken"), int(app == "-")
        request = (_peer(connection), method, target, version)
        environ = connection.fields.environ if connection.fields else {}
        told = (connection.request_id, environ.get("HTTP_REFERER", ""), environ.get("HTTP_USER_AGENT", ""))
        record = [int(started * 1000), *request, status, _count(connection), micros, is_broken, is_own, *told]
        self._records.append(record)
        connection.request_id = "-"

    def flush(self) -> None:
        if self._records:
            records, self._records = self._records, []
            texts: dict[str, int] = {}
            for record in records:
                record[-2:] = [texts.setdefault(text, len(texts)) for text in record[-2:]]
            self._send({"texts": list(texts), "records": records})


def _peer(connection: Connection) -> str:
    return (connection.template or connection.environ).get("REMOTE_ADDR") or "-"


def _count(connection: Connection) -> int:
    """Bytes of the response; what still waits for the client is on its way."""
    return connection.sent + len(connection.out)
